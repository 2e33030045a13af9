"""The whole log: events, identity, dead letters and trainings in one store, and an erasure from all of them."""

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
    """When the first removed event was received; 0 when there was none. Models trained later may have seen it."""

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
        """Remove every trace of a customer's profile: events, merges, dead letters about it, and its names.

        A dead letter that names its customer is matched by that name; another is removed when it contains a name of
        the profile as a whole word. Erasing an unknown customer removes such letters alone. Afterwards no file of the
        log holds a name of the customer, in used space or unused. What stays is a salted digest of each name and
        `now`, so that an import does not bring back what was received earlier.
        """
        ...

    def close(self) -> None:
        """Give up files and memory; closing twice is harmless."""
        ...
