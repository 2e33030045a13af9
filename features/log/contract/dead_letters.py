"""Dead letters: records that could not become events, kept until they can be read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A record that could not become events, kept as it came so that it can be corrected and replayed."""

    source: str
    """Name of the source that read it, such as `ga4`."""
    position: int
    """Where it stood: line or row of the file counted from 1, or index in the request's batch."""
    field: str
    """The field at fault; empty when the record could not be read at all."""
    reason: str
    """What is wrong with the field, with its value."""
    raw: bytes
    """The record as it came."""
    received: int
    """When it came, microseconds UTC."""
    customer: str | None = None
    """The customer it names, when that could be read: erasing the customer removes the letter."""
    number: int = 0
    """The log's own number of the letter; 0 until it is kept."""


class DeadLetterStore(Protocol):
    """The dead letters of a log, each once by its source, its position and its bytes."""

    def reject(self, dead_letters: Sequence[DeadLetter]) -> int:
        """Keep records that could not become events. Returns how many are new.

        The same record, at the same position of the same source, is kept once: importing or sending it again adds
        nothing.
        """
        ...

    def dead_letters(self, limit: int, *, after: int = 0, source: str | None = None) -> list[DeadLetter]:
        """The oldest `limit` dead letters with a number above `after`, oldest first; of one source when it is named."""
        ...

    def settle(self, dead_letters: Sequence[DeadLetter]) -> int:
        """Remove dead letters that have become events, by their numbers. Returns how many there were."""
        ...
