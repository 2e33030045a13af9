"""The server's own log: lines of text or of JSON, never with data of a customer.

Log lines name places in the code, types of errors, versions and counts: no ids of customers, no keys, no bodies.
"""

from __future__ import annotations

import json
import logging
import os
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import IO, Any

NAME = "waypost"

REQUEST_ID: ContextVar[str] = ContextVar("request_id", default="")
"""The id of the request that is being answered; empty outside of one."""


class JsonLines(logging.Formatter):
    """A record as one JSON object on one line."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without a line break. Of an exception it has only the type: its message may name a customer."""
        fields: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": REQUEST_ID.get() or None,
            "pid": os.getpid(),
        }
        if record.exc_info and record.exc_info[0] is not None:
            fields["error"] = record.exc_info[0].__name__
        return json.dumps(fields, ensure_ascii=False)


def set_up_logs(form: str, stream: IO[str] | None = None) -> None:
    """Let the logger `waypost` write `json` to `stream` (standard error), or `text` by the root logger's handlers."""
    logger = logging.getLogger(NAME)
    logger.setLevel(logging.INFO)
    if form == "json":
        handler = logging.StreamHandler(stream)
        handler.setFormatter(JsonLines())
        logger.handlers = [handler]
        logger.propagate = False
