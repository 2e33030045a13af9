"""A log that ended long ago: nothing can be predicted once its newest event is older than every horizon."""

from __future__ import annotations

from typing import TYPE_CHECKING

from features.events import DAY, days

if TYPE_CHECKING:  # so that the command line does not load the scoreboard
    from serving.engine.scoreboard import Generation

HORIZON = days(90)
"""The longest time that a target looks back for activity, or ahead for an order."""


def days_old(newest: int, now: int) -> int:
    """Whole days between the newest event and a moment."""
    return (now - newest) // DAY


def staleness(generation: Generation) -> str:
    """What to say of a scoreboard whose newest event is older than every horizon; empty for any other."""
    newest = generation.report["newest_event"]
    if newest is None or generation.as_of - newest <= HORIZON:
        return ""
    return (
        f"The newest event is {days_old(newest, generation.as_of):,} days old, more than the longest horizon of "
        f"{HORIZON // DAY} days: everybody has lapsed, and most scores are null. Stop the server and run "
        "`waypost serve --as-of-last-event` to serve the log as if it ended now."
    )
