"""Web pages of other origins that may send events (CORS); nothing else may be asked from another origin."""

from __future__ import annotations

from collections.abc import Collection

from starlette.responses import Response
from starlette.types import Scope

Headers = list[tuple[bytes, bytes]]

PREFLIGHT_SECONDS = 7200
"""How long a browser may remember that it may send; no browser remembers longer."""

SENT = b"authorization, content-encoding, content-type, x-api-key, x-request-id"
"""Headers that a page may send along."""


class Origins:
    """The origins of `WAYPOST_ALLOWED_ORIGINS`, and the `paths` they may post to."""

    def __init__(self, allowed: Collection[str], paths: Collection[str]) -> None:
        self._allowed = frozenset(each.encode("latin-1") for each in allowed)
        self._paths = frozenset(paths) if allowed else frozenset()

    def headers(self, scope: Scope) -> Headers:
        """What an answer to this request carries, so that the page that asked may read it."""
        if scope["path"] not in self._paths:
            return []
        answer = self._permission(scope)
        if len(answer) > 1:
            answer.append((b"access-control-expose-headers", b"retry-after, x-ratelimit-reset, x-request-id"))
        return answer

    def preflight(self, scope: Scope) -> Response | None:
        """The answer to a browser that asks before it posts; None where it may not, or asks something else."""
        if scope["path"] not in self._paths or _header(scope, b"access-control-request-method") != b"POST":
            return None
        permission = self._permission(scope)
        if len(permission) == 1:
            return None
        response = Response(status_code=204)
        response.raw_headers.extend(permission)
        response.raw_headers += [
            (b"access-control-allow-methods", b"POST"),
            (b"access-control-allow-headers", SENT),
            (b"access-control-max-age", b"%d" % PREFLIGHT_SECONDS),
        ]
        return response

    def _permission(self, scope: Scope) -> Headers:
        """`Vary`, and the permission where there is one."""
        origin = _header(scope, b"origin")
        granted = b"*" if b"*" in self._allowed else origin if origin in self._allowed else None
        vary = [(b"vary", b"Origin")]
        return [*vary, (b"access-control-allow-origin", granted)] if origin and granted else vary


def _header(scope: Scope, wanted: bytes) -> bytes | None:
    value: bytes
    for name, value in scope["headers"]:
        if name == wanted:
            return value
    return None
