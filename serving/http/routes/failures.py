"""Sets of problems that routes share."""

from __future__ import annotations

ALWAYS = ("internal_error",)
READ = ("store_busy", "store_unavailable", *ALWAYS)
WRITE = ("store_busy", "store_full", "store_unavailable", "overloaded", *ALWAYS)
BODY = (
    "malformed_json",
    "malformed_gzip",
    "body_too_slow",
    "body_too_large",
    "unsupported_media_type",
    "unsupported_encoding",
    "invalid_request",
)
MESSAGE = (
    "malformed_json",
    "malformed_gzip",
    "not_a_message",
    "message_too_large",
    "body_too_slow",
    "unsupported_media_type",
    "unsupported_encoding",
)
SWEPT = ("scoreboard_missing", *ALWAYS)
