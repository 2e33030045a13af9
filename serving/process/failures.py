"""How a failure of the server is logged: with its place in the code, never with data."""

from __future__ import annotations

import logging
import traceback

DEEPEST = 8
"""Innermost calls that are logged."""


def note_failure(logger: logging.Logger, what: str, error: BaseException) -> None:
    """Log that `what` failed: type of the error, files and lines. Its message is left out: it may name a customer."""
    frames = traceback.extract_tb(error.__traceback__)
    places = " < ".join(f"{frame.filename}:{frame.lineno} {frame.name}" for frame in reversed(frames[-DEEPEST:]))
    logger.error("%s failed: %s at %s", what, type(error).__name__, places)
