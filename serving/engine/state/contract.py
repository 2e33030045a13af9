"""The contract of every store of states: a customer's state is always the fold of all its events in the log.

A customer of several ids (`features.identity.rules`) is one profile with one state. A state is a cache of the log and
nothing more. It carries the fingerprint of the fold that made it and the newest offset of the log it has seen; when
either does not fit any more (another release, an import of the past), the state is not migrated but replayed from its
events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from features.events import Event, Kind
from features.log.contract import Appended, DatabaseLog, Erased

Progress = Callable[[int, int], None]
"""Called with how many of how many customers are done."""


class CustomerState(NamedTuple):
    """The state of one customer, ready to be read by the fold."""

    customer: str
    known: bool
    """Whether the log has any event of this customer; when not, the state is the empty one."""
    received: int
    """When the newest folded event was received, microseconds UTC; 0 when there is none. No answer is older."""
    states: NDArray[np.void]
    """One record of the fold's state. Must not be changed."""

    def equals(self, other: CustomerState) -> bool:
        """Whether every feature is the same in both states, at any moment."""
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
    def log(self) -> DatabaseLog:
        """The log whose events the states fold."""
        ...

    @property
    def identity(self) -> object:
        """Differs between the opened store and another put in its place meanwhile."""
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
        """Take a member out of its profile, or, given the profile, all its members. Returns the members taken out.

        All that were in the profile are replayed in the same transaction.
        """
        ...

    def customers_with(self, kind: Kind, after: int) -> list[str]:
        """The customers with an event of `kind` whose offset is above `after`, each once: for rare kinds."""
        ...

    def crowded(self, most: int) -> list[tuple[str, int]]:
        """The full profiles of which more than `most` ids were declared, and how many; they take no further id."""
        ...

    def currencies(self) -> list[str]:
        """The currencies that orders name: three letters each. Reads every order."""
        ...

    def about_people(self) -> int:
        """An offset that rises with every event about identity or consent, and that none of them exceeds.

        These are the kinds from IDENTIFY to CONSENT_GRANT. A call within a transaction costs next to nothing.
        """
        ...

    def heal(self, progress: Progress | None = None) -> int:
        """Replay the profiles whose stored state is missing or does not fit any more. Returns how many."""
        ...

    def rebuild(self, progress: Progress | None = None) -> int:
        """Replay every profile of the log. Returns how many."""
        ...

    def sweep(self, number: int = 8192) -> Iterator[StateChunk]:
        """All stored states of the running fold, by rising customer code, at most `number` at a time.

        A profile has one state, under its own code; its members have none.
        """
        ...

    def highest(self) -> int:
        """The highest code of a customer who has a state; -1 when nobody has one."""
        ...

    def changed(self, after: int, most: int) -> NDArray[np.int32]:
        """The codes of customers with something written at an offset above `after`, rising, at most `most`.

        For an id that is part of a profile it is the code of the profile; a merge or its undoing gives both codes.
        """
        ...

    def load_many(self, profiles: NDArray[np.int32]) -> StateChunk:
        """The states, with every event recorded so far, of those codes that are profiles with events."""
        ...

    def erase(self, customer: str, now: int) -> Erased:
        """Remove the state of a customer's profile and every trace of it in the log."""
        ...

    def refresh(self) -> None:
        """Forget the names kept in memory of customers whom another process has erased."""
        ...

    def check(self) -> None:
        """Check that the store can be written to. Raises a `LogError` if it cannot."""
        ...

    def close(self) -> None:
        """Close the log too; closing twice is harmless."""
        ...
