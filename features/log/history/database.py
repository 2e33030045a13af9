"""What the keeping of a history asks of the database that holds the manifest and the live events."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

import polars as pl

from features.events import Event
from features.log.history.history import Codes, History
from features.log.history.names import Names
from features.log.history.segment import Entry
from features.log.history.store import Store


class Position(NamedTuple):
    """Where the log stands: what an import or a sealing that was prepared without a lock compares afterwards."""

    offset: int
    erasures: int


class Sealed(NamedTuple):
    """What an erasure found in a history."""

    events: int
    first_received: int
    """When the first of them was received; 0 when there is none."""


class Unsealed(NamedTuple):
    """The oldest events that were never sealed."""

    frame: pl.DataFrame
    """Those that leave the database, as coded columns with `offset`."""
    last: int
    """The last offset looked at; 0 when there was none."""
    looked_at: int
    """How many events were looked at, those that stay included."""


class Database(ABC):
    """One database, through one connection. A store implements all of it."""

    store: Store
    busy_seconds: float

    @abstractmethod
    def transaction(self) -> AbstractContextManager[object]:
        """All or nothing; may be nested."""

    @abstractmethod
    def view(self) -> History:
        """The history as the manifest has it now."""

    @abstractmethod
    def has_unsealed(self, before: int, least: int) -> bool:
        """Whether the oldest `least` events that were never sealed were `received` before `before`."""

    @abstractmethod
    def position(self) -> Position:
        """Where the log stands now."""

    @abstractmethod
    def highest(self) -> int:
        """The highest number that a segment of the manifest ever had."""

    @abstractmethod
    def list_segment(self, entry: Entry) -> None:
        """Add a segment to the manifest, or change what it says. Within a transaction."""

    @abstractmethod
    def unlist(self, numbers: Collection[int]) -> None:
        """Take segments out of the manifest. Within a transaction."""

    @abstractmethod
    def mark_erased(self, codes: Collection[int]) -> None:
        """Note that the events of these customers are still to be erased from segments. Within a transaction."""

    @abstractmethod
    def erased_from_history(self, codes: Collection[int]) -> None:
        """Forget that these customers are still to be erased from segments. Within a transaction."""

    @abstractmethod
    def live_ids(self, message_ids: Sequence[str]) -> set[str]:
        """Those of the message ids that the database has."""

    @abstractmethod
    def live_ids_after(self, offset: int) -> Iterator[list[str]]:
        """The message ids of the live events above an offset, some thousands at a time."""

    @abstractmethod
    def newest_erasure(self) -> int:
        """When a customer was last erased; 0 when none ever was."""

    @abstractmethod
    def erasures_of(self, customers: Sequence[str]) -> dict[str, int]:
        """When each of these customers was erased, microseconds; those who never were are left out."""

    @abstractmethod
    def codes_of(self, vocabulary: str, texts: Sequence[str]) -> list[int]:
        """The codes of names, new ones for new names. Within a transaction."""

    @abstractmethod
    def add_imported(
        self, events: Sequence[Event], offsets: Sequence[int], newest: int, last: int, codes: Codes
    ) -> None:
        """Write what an import leaves to the database, and move the log's offset to `last`. Within a transaction.

        `newest` is the newest `received` of the import, `codes` are the customers whose past it changes.
        """

    @abstractmethod
    def unsealed(self, before: int, most: int) -> Unsealed:
        """The oldest `most` events that were never sealed, up to the first one not `received` before `before`."""

    @abstractmethod
    def remove_sealed(self, last: int) -> int:
        """Delete what was sealed up to an offset, and remember the offset. Returns how many. Within a transaction."""

    @abstractmethod
    def names_from(self, vocabulary: str, code: int) -> Names:
        """The names of a code and of all above it."""
