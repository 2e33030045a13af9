"""Decisions as plain data: judged on a customer's state, then written to the log.

The chosen action depends on the customer's state, the request and the champion alone. So a decision that was judged
without the write lock may be written as long as the state is, to the byte, the one that it was judged on: judged again
under the lock it would be the same. This is optimistic concurrency control (Kung and
Robinson, On Optimistic Methods for Concurrency Control, ACM TODS 6, 1981), with the state as the read set.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from features.events import Event
from models.bundle.loaded import Champion
from models.decisions.policy import Decision
from models.recommenders.contract import Recommendation
from serving.engine.state import CustomerState

Settled = Literal["written", "changed", "taken"]
"""The outcome of writing a decision: it is in the log; its customer's state has changed, so that it must be judged
again; its id was in the log already."""


class DecisionConflict(ValueError):
    """The id of a decision belongs to another event."""


@dataclass(frozen=True, slots=True)
class Decided:
    """A decision in the log. `repeated` when it was made earlier; then `decision` has no considered actions.

    The decision to do nothing for a customer who withdrew the consent to be profiled is not in the log.
    """

    decision: Decision
    known: bool
    as_of: int
    repeated: bool
    items: Sequence[Recommendation]
    version: str
    """The model that decided."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A decision that is not in the log yet, and the state that it was judged on."""

    decision: Decision
    state: CustomerState
    known: bool
    as_of: int
    items: Sequence[Recommendation]
    champion: Champion
    event: Event | None
    """The event to write; None for a customer who withdrew the consent to be profiled."""

    @property
    def decided(self) -> Decided:
        """The answer, once the event is in the log."""
        return Decided(self.decision, self.known, self.as_of, False, self.items, self.champion.bundle.version)
