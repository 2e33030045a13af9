"""The events and dead letters that one request brings, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from features.events import Event
from features.log.contract import DeadLetter

Outcome = Literal["accepted", "duplicate", "withheld"]
"""New in the log, already in it, or not written because its customer withdrew the consent to be profiled."""


@dataclass(slots=True)
class Batch:
    """The records of one request: those that are events, and those that are not, with the reasons."""

    events: list[Event] = field(default_factory=list)
    dead_letters: list[DeadLetter] = field(default_factory=list)
    size: int = 0
    """Bytes of the request's body, which stay in memory until it is written."""


class BatchResult(NamedTuple):
    """What became of a `Batch`, once it is on disk."""

    outcomes: list[Outcome]
    """One per event, in the order given."""
    merges: int
    """How many ids were merged into a profile."""
