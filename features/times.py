"""Times as the log counts them, microseconds since the epoch in UTC, and as calendars and people write them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from features.events import DAY, SECOND

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def moment(at: float) -> datetime:
    """A time of the log as a date and time, UTC. Raises OverflowError where no calendar reaches."""
    return EPOCH + timedelta(microseconds=at)


def micros(when: datetime) -> int:
    """A time of the log, exactly, from a date and time that has a zone."""
    since = when - EPOCH
    return since.days * DAY + since.seconds * SECOND + since.microseconds


def iso(at: int) -> str:
    """ISO 8601, UTC, to the second, such as 2026-03-01T12:00:00Z; the bare number where no calendar reaches."""
    try:
        return moment(at).isoformat(timespec="seconds").replace("+00:00", "Z")
    except OverflowError:
        return f"{at} us"
