"""What every store of states promises: a customer's state is always the fold of all its events in the log.

A state is a cache of the log and nothing more. It carries the fingerprint of the fold that made it and the newest
offset of the log it has seen; when either does not fit any more (another release, an import of the past), it is not
migrated but replayed from the customer's own events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple, Protocol

import numpy as np
from numpy.typing import NDArray

from features.events import Event
from features.log.contract import Appended, EventLog

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

    def transaction(self) -> AbstractContextManager[object]:
        """All or nothing: what is loaded and recorded within is not touched by another writer meanwhile."""
        ...

    def load(self, customer: str) -> CustomerState:
        """The state of a customer with every event recorded so far, by whichever process."""
        ...

    def record(self, events: Sequence[Event]) -> Appended:
        """Append events and fold them into their customers' states: one transaction, on disk when it returns."""
        ...

    def heal(self, progress: Progress | None = None) -> int:
        """Replay the customers whose stored state is missing or does not fit any more. How many there were."""
        ...

    def rebuild(self, progress: Progress | None = None) -> int:
        """Replay every customer of the log. How many there are."""
        ...

    def sweep(self, number: int = 8192) -> Iterator[StateChunk]:
        """All stored states of the running fold, by rising customer code, at most `number` at a time."""
        ...

    def erase(self, customer: str) -> int:
        """Remove a customer's state and every trace of it in the log. The rows removed."""
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
