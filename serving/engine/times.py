"""Times of the log, written for others."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(microseconds: int) -> datetime:
    """A time of the log (microseconds since the epoch, UTC) as answers write it."""
    return EPOCH + timedelta(microseconds=microseconds)
