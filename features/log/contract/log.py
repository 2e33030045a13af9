"""The whole log: events, identity, dead letters and trainings in one store, and the erasure that goes through all."""

from __future__ import annotations

from typing import NamedTuple, Protocol

from features.log.contract.dead_letters import DeadLetterStore
from features.log.contract.events import EventStore
from features.log.contract.identity import IdentityStore
from features.log.contract.trainings import TrainingStore


class Erased(NamedTuple):
    """What an erasure removed: how many events, dead letters and merges, and the ids of the profile."""

    customers: list[str]
    events: int
    dead_letters: int
    merges: int
    first_received: int
    """When the first removed event was learnt; 0 when there was none. Whatever was trained later may have seen it."""

    @property
    def rows(self) -> int:
        """All rows removed."""
        return self.events + self.dead_letters + self.merges


class EventLog(EventStore, IdentityStore, DeadLetterStore, TrainingStore, Protocol):
    """An append-only log of events, each in it exactly once by `message_id`, with all that belongs to it.

    A log object belongs to the thread that opened it; other threads and processes open the same place again.
    Every method may raise a `LogError`.
    """

    def erase(self, customer: str, now: int) -> Erased:
        """Remove every trace of a customer's profile: events, merges, dead letters that speak of it, and its names.

        Dead letters that name their customer are matched by it; the others are removed when their raw bytes contain
        a name as a whole word. Erasing an unknown customer removes such letters alone. Afterwards no file of the
        log holds a name of the customer, in used space or unused; what stays is a salted digest of each name and
        `now`, so that what was received earlier does not come back by an import.
        """
        ...

    def close(self) -> None:
        """Give up files and memory; closing twice is harmless."""
        ...
