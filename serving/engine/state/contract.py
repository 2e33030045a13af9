"""What every store of states promises: a customer's state is always the fold of all its events in the log.

A customer of several ids (`features.identity.rules`) is one profile with one state. A state is a cache of the log and
nothing more. It carries the fingerprint of the fold that made it and the newest offset of the log it has seen; when
either does not fit any more (another release, an import of the past), it is never migrated, it is replayed from its
events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from features.events import Event, Kind
from features.log.contract import Appended, Erased, EventLog

Progress = Callable[[int, int], None]
"""Told how many of how many customers are done."""


class CustomerState(NamedTuple):
    """The state of one customer, ready to be read by the fold."""

    customer: str
    known: bool
    """Whether the log has any event of this customer; when not, the state is the empty one."""
    received: int
    """When the newest folded event was learnt, microseconds UTC; 0 when there is none. No answer is older than that."""
    states: NDArray[np.void]
    """One record of the fold's state. Must not be changed."""

    def equals(self, other: CustomerState) -> bool:
        """Whether whatever is read from the one is read from the other, at any moment."""
        mine, others = (self.known, self.received), (other.known, other.received)
        return mine == others and self.states.tobytes() == other.states.tobytes()


class StateChunk(NamedTuple):
    """Some customers' codes, int32[n] in rising order, and their states, one record each."""

    customers: NDArray[np.int32]
    states: NDArray[np.void]


class StateStore(Protocol):
    """The states of all customers, kept with the log.

    Like the log, a store belongs to the thread that opened it. Every method may raise a `LogError`.
    """

    @property
    def log(self) -> EventLog:
        """The log whose events the states fold."""
        ...

    @property
    def identity(self) -> object:
        """What tells the opened store from another put in its place meanwhile."""
        ...

    @property
    def instant(self) -> bool:
        """Whether `load` takes microseconds and never waits, so that an event loop may call it."""
        ...

    def transaction(self) -> AbstractContextManager[object]:
        """All or nothing: what is loaded and recorded within is not touched by another writer meanwhile."""
        ...

    def load(self, customer: str) -> CustomerState:
        """The state of a customer's profile with every event recorded so far, by whichever process.

        All ids of a profile have one state.
        """
        ...

    def record(self, events: Sequence[Event]) -> Appended:
        """Append events and fold them into their customers' states: one transaction, on disk when it returns.

        Where they merge ids, the profile is replayed in the same transaction.
        """
        ...

    def unmerge(self, customer: str, received: int) -> list[str]:
        """Take a member out of its profile, or, given the profile, all its members. The members taken out.

        All that were in the profile are replayed in the same transaction.
        """
        ...

    def customers_with(self, kind: Kind, after: int) -> list[str]:
        """The customers with an event of `kind` whose offset is above `after`, each once: for rare kinds."""
        ...

    def crowded(self, most: int) -> list[tuple[str, int]]:
        """The profiles that take no further id, and how many were declared theirs: those with more than `most`."""
        ...

    def currencies(self) -> list[str]:
        """The currencies that orders name, as they came: three letters each. Reads every order."""
        ...

    def about_people(self) -> int:
        """An offset that rises with every event about who somebody is, and none of those in the log is above.

        These are the kinds from IDENTIFY to CONSENT_GRANT. Inside a transaction to ask costs next to nothing.
        """
        ...

    def heal(self, progress: Progress | None = None) -> int:
        """Replay the profiles whose stored state is missing or does not fit any more. How many there were."""
        ...

    def rebuild(self, progress: Progress | None = None) -> int:
        """Replay every profile of the log. How many there are."""
        ...

    def sweep(self, number: int = 8192) -> Iterator[StateChunk]:
        """All stored states of the running fold, by rising customer code, at most `number` at a time.

        A profile has one, under its own code; its members have none.
        """
        ...

    def highest(self) -> int:
        """The highest code of a customer who has a state; -1 when nobody has one."""
        ...

    def changed(self, after: int, most: int) -> NDArray[np.int32]:
        """The codes of whom something was written at an offset above `after`, rising, at most `most` of them.

        For an id that is a part of a profile, that of the profile; of two that were merged or taken apart, both.
        """
        ...

    def load_many(self, profiles: NDArray[np.int32]) -> StateChunk:
        """The states of those of the codes that are profiles with events, with every event recorded so far."""
        ...

    def erase(self, customer: str, now: int) -> Erased:
        """Remove the state of a customer's profile and every trace of it in the log."""
        ...

    def refresh(self) -> None:
        """Forget the names kept in memory of whom another process has erased."""
        ...

    def check(self) -> None:
        """Return when the store could be written to just now; raises a `LogError` otherwise."""
        ...

    def close(self) -> None:
        """Close the log too; closing twice is harmless."""
        ...
