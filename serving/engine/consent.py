"""Who withdrew the consent to be profiled. Nothing is recorded, scored or decided for such a profile any more.

The state holds the answer: consent is withdrawn when no grant is later than the latest withdrawal (the feature
`profiling_withdrawn`). Reading the state of every customer of every batch would cost too much, so the few who may have
withdrawn are kept in memory, and before each batch the log is asked only which ids were merged with theirs since.
"""

from __future__ import annotations

from collections.abc import Sequence

from features.aggregates import since
from features.aggregates.base import Reading
from features.events import CONSENT_GRANT, CONSENT_WITHDRAW, IDENTIFY, Event, Kind
from features.fold.fold import Fold
from features.identity.rules import joined
from serving.engine.state import CustomerState, StateStore

CONSENTS = frozenset((CONSENT_WITHDRAW, CONSENT_GRANT))
"""Kinds that are recorded even after a withdrawal: otherwise the consent could not be given again."""

_TURNING = CONSENTS | {IDENTIFY}


def _moment(kind: Kind) -> str:
    """The slot of the state that holds the latest moment of a kind."""
    reading = since(kind)
    assert isinstance(reading, Reading)
    return f"{reading.aggregate.name}__moment"


_WITHDRAWN, _GRANTED = _moment(CONSENT_WITHDRAW), _moment(CONSENT_GRANT)


def withdrawn(state: CustomerState) -> bool:
    """Whether the state says that profiling is withdrawn: a withdrawal, and no grant in a later second."""
    latest = state.states[_WITHDRAWN][0]
    return bool(latest and state.states[_GRANTED][0] <= latest)


def unknown_customer(customer: str, fold: Fold) -> CustomerState:
    """The state of a customer without events."""
    return CustomerState(customer, False, 0, fold.empty())


class Consents:
    """The customers of one store who may have withdrawn: none is missing, whichever process wrote last."""

    def __init__(self, states: StateStore) -> None:
        self._states = states
        self._seen = 0
        self.suspects: set[str] = set()
        """All ids of the profiles in which profiling was ever withdrawn."""

    def refresh(self) -> None:
        """Read what was committed since the last call. To be called at the start of a transaction."""
        newest = self._states.about_people()
        if newest != self._seen:
            self.look()
            self._seen = newest

    def look(self) -> None:
        """Read what the running transaction has recorded too; if it is rolled back, no suspect is missing."""
        for customer in self._states.customers_with(CONSENT_WITHDRAW, self._seen):
            self.suspects.update(self._states.log.profile(customer))
        if self.suspects and self._seen:
            joining = self._states.customers_with(IDENTIFY, self._seen)
            # A shop's customers log in all day, so after a long time the suspects may be the fewer to look up.
            for customer in joining if len(joining) < len(self.suspects) else tuple(self.suspects):
                profile = self._states.log.profile(customer)
                if not self.suspects.isdisjoint(profile):
                    self.suspects.update(profile)

    def turn(self, events: Sequence[Event], start: int) -> int:
        """The place of the first event, from `start` on, that may change who has withdrawn; else of the last."""
        for place in range(start, len(events)):
            if events[place].kind in _TURNING and self._turns(events[place]):
                return place
        return len(events) - 1

    def _turns(self, event: Event) -> bool:
        return event.kind is CONSENT_WITHDRAW or event.customer in self.suspects or joined(event) in self.suspects

    def withdrawn(self, events: Sequence[Event]) -> set[str]:
        """The customers among those of `events` whose profiling is withdrawn."""
        if not self.suspects:
            return set()
        suspects = self.suspects.intersection(event.customer for event in events)
        return {customer for customer in suspects if withdrawn(self._states.load(customer))}
