"""What the server does, without HTTP: record events, score, recommend, decide, and reward decisions.

The caller gives the time as `now`. No answer is older than the newest event that went into it: where the clock is
behind, `as_of` is the moment at which that event was received.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import NamedTuple

from features.events import Channel, Event, Kind, Stage
from features.fold.fold import Fold
from features.identity.rules import joined
from models.bundle.loaded import Champion, Champions
from models.decisions.actions import DO_NOTHING
from models.decisions.policy import Decision, Policy, decision_event, reward_event
from models.recommenders.contract import Recommendation
from models.recommenders.history import recent_items
from serving.engine.batch import Batch, BatchResult, Outcome
from serving.engine.consent import CONSENTS, Consents, unknown_customer, withdrawn
from serving.engine.decisions import Decided, DecisionConflict, Judged, Settled
from serving.engine.scores import CustomerScores, UnknownTargets, is_known, score
from serving.engine.state import CustomerState, StateStore, open_states

SHOWN = 10
"""Products that go with a decision whose action shows some."""

DO_NOTHING_POLICY = Policy(actions=(DO_NOTHING,))
"""The policy for those who withdrew the consent to be profiled."""


class UnknownDecision(LookupError):
    """The customer has no decision with this id."""


class Recommended(NamedTuple):
    """The best items for one customer at one moment."""

    known: bool
    as_of: int
    items: list[Recommendation]
    version: str
    why: str | None
    """Why all customers get the same items, or none; None where the items are personal."""


def open_engine(store: str, bundle: Path, fold: Fold, busy_seconds: float = 30.0) -> Engine:
    """An engine over the store at a URL, with the bundle in a directory if it can be used: for the command line."""
    champions = Champions(bundle, fold)
    champions.refresh()
    return Engine(open_states(store, fold, busy_seconds), fold, champions)


class Engine:
    """Records events of a store and answers about its customers. Belongs to the thread that opened the store."""

    def __init__(self, states: StateStore, fold: Fold, champions: Champions) -> None:
        self.states = states
        self.fold = fold
        self.champions = champions
        self.consents = Consents(states)

    def take(self, batches: Sequence[Batch]) -> list[BatchResult]:
        """Write and fold the batches of several requests in one transaction; one result per batch, in their order.

        Events of customers who withdrew the consent to be profiled are withheld. When this returns outside of a
        transaction, the others are on disk and in every later answer.
        """
        with self.states.transaction():
            dead_letters = [letter for batch in batches for letter in batch.dead_letters]
            if dead_letters:
                self.states.log.reject(dead_letters)
            outcomes, joining = self._record([event for batch in batches for event in batch.events])
        results = []
        start = 0
        for batch in batches:
            stop = start + len(batch.events)
            results.append(BatchResult(outcomes[start:stop], sum(start <= place < stop for place in joining)))
            start = stop
        return results

    def _record(self, events: Sequence[Event]) -> tuple[list[Outcome], list[int]]:
        """Append and fold the events that may be; the outcome of each, and the places of those that merged two ids.

        An event that may change who has withdrawn ends a run, and the consent is looked up again for those after it.
        """
        self.consents.refresh()
        outcomes: list[Outcome] = []
        joining: list[int] = []
        while len(outcomes) < len(events):
            start = len(outcomes)
            run = events[start : self.consents.turn(events, start) + 1]
            run_outcomes, merged = self._record_run(run)
            outcomes += run_outcomes
            joining += (start + place for place in merged)
            if len(outcomes) < len(events):
                self.consents.look()
        return outcomes, joining

    def _record_run(self, events: Sequence[Event]) -> tuple[list[Outcome], list[int]]:
        silent = self.consents.withdrawn(events)
        places: Sequence[int] = range(len(events))
        if silent:
            places = [
                place for place in places if events[place].customer not in silent or events[place].kind in CONSENTS
            ]
        appended = self.states.record([events[place] for place in places])
        outcomes: list[Outcome] = ["withheld"] * len(events)
        for place, accepted in zip(places, appended.accepted, strict=True):
            outcomes[place] = "accepted" if accepted else "duplicate"
        if not len(appended.merges):
            return outcomes, []
        first = {joined(events[place]): place for place in reversed(places) if outcomes[place] == "accepted"}
        names = map(self.states.log.customers.name, appended.merges["member"].tolist())
        return outcomes, [first[name] for name in names if name in first]

    def score(self, customer: str, now: int) -> CustomerScores:
        """What is known and expected of one customer. Raises `ModelMissing` when there is no model."""
        champion = self.champions.require()
        return score(self.fold, self._load(customer), now, champion)

    def score_many(
        self, customers: Sequence[str], now: int, wanted: Collection[str] | None = None, *, explain: bool = False
    ) -> list[CustomerScores]:
        """The `score` of several customers, in the order given, all by one champion.

        `wanted` limits the targets; `explain` adds reasons, which takes milliseconds. Raises `UnknownTargets` for
        targets that the champion does not have.
        """
        champion = self.champions.require()
        if wanted is not None:
            unknown = set(wanted) - champion.card_fields.keys()
            if unknown:
                raise UnknownTargets(sorted(unknown), list(champion.card_fields))
        return [
            score(self.fold, self._load(customer), now, champion, wanted, explain=explain) for customer in customers
        ]

    def profile(self, customer: str, now: int) -> CustomerScores:
        """As `score`, but when there is no model the answer lacks scores instead of raising."""
        return score(self.fold, self._load(customer), now, self.champions.current)

    def recommend(self, customer: str, limit: int, now: int, exclude: Collection[str] = ()) -> Recommended:
        """The best `limit` items, none of them in `exclude`. Raises `ModelMissing` when there is no model."""
        champion = self.champions.require()
        state = self._load(customer)
        as_of = max(now, state.received)
        items = self._recommend(champion, state, limit, as_of, exclude)
        known = is_known(self.fold, state, self.fold.read(state.states, 0, as_of))
        manifest = champion.bundle.manifest
        return Recommended(known, as_of, items, manifest.version, manifest.recommender_why or None)

    def decide(self, customer: str, decision_id: str, now: int, channels: Collection[Channel] | None = None) -> Decided:
        """Choose the next best action and append the decision to the log, with all its probabilities.

        Unlike `judge`, it chooses in the transaction that writes, so that nobody else writes meanwhile. The id alone
        is the seed of the draw. Raises `DecisionConflict` when the id belongs to an event that is not a decision for
        `customer`.
        """
        with self.states.transaction():
            judged = self.judge(customer, decision_id, now, channels)
            settled = self.settle(judged)
        return self.repeat(judged) if settled == "taken" else judged.decided

    def judge(self, customer: str, decision_id: str, now: int, channels: Collection[Channel] | None = None) -> Judged:
        """Choose the next best action by the customer's state as it is now; nothing is written."""
        champion = self.champions.require()
        state = self.states.load(customer)
        if withdrawn(state):
            return self._judge_withdrawn(state, decision_id, now, champion)
        scores = score(self.fold, state, now, champion, champion.policy.targets)
        row = self._row(scores)
        if scores.known:  # base rates of known customers say nothing about an unknown one
            row.update(scores.values)
        as_of = scores.as_of
        decision = champion.policy.decide(row, self._recent_actions(state), as_of, decision_id, channels)
        items = self._shown(decision, champion, state, as_of)
        event = decision_event(decision, customer, as_of, model_version=champion.bundle.version)
        return Judged(decision, state, scores.known, as_of, items, champion, event)

    def settle(self, judged: Judged) -> Settled:
        """Append a decision to the log if its customer's state is still the one that it was judged on.

        One transaction, so that two decisions at once cannot both use up the same contact.
        """
        if judged.event is None:
            return "written"
        with self.states.transaction():
            if not self.states.load(judged.event.customer).equals(judged.state):
                return "changed"
            return "written" if self.states.record([judged.event]).accepted[0] else "taken"

    def repeat(self, judged: Judged) -> Decided:
        """The decision made earlier under the id of `judged`, which could therefore not be written.

        Raises `DecisionConflict` when the id belongs to an event that is not a decision for the customer.
        """
        decision, as_of, version = self._repeat(judged.state.customer, judged.decision.decision_id, judged.champion)
        items = self._shown(decision, judged.champion, judged.state, as_of)
        return Decided(decision, judged.known, as_of, True, items, version)

    def _shown(
        self, decision: Decision, champion: Champion, state: CustomerState, as_of: int
    ) -> Sequence[Recommendation]:
        """The products that go with a decision."""
        return self._recommend(champion, state, SHOWN, as_of) if decision.needs_content == "items" else []

    def reward(
        self, customer: str, decision_id: str, value: float, now: int, *, money: bool, reward_id: str | None
    ) -> tuple[str, int, bool]:
        """Append the reward of a decision. Returns the action rewarded, the moment, and whether the reward is new.

        No reward is kept of a customer who withdrew the consent to be profiled. Raises `UnknownDecision` when the
        customer has no such decision.
        """
        decided = self._find_decision(customer, decision_id)
        if decided is None or decided.category is None:
            raise UnknownDecision(decision_id)
        as_of = max(now, decided.received)
        if withdrawn(self.states.load(customer)):
            return decided.category, as_of, False
        identity = reward_id or f"{decision_id}:reward"
        event = reward_event(identity, decision_id, decided.category, customer, value, as_of, money=money)
        return decided.category, as_of, self.states.record([event]).accepted[0]

    def _load(self, customer: str) -> CustomerState:
        """The state to answer from; for a customer who withdrew the consent it is that of an unknown customer."""
        state = self.states.load(customer)
        return unknown_customer(customer, self.fold) if withdrawn(state) else state

    def _judge_withdrawn(self, state: CustomerState, decision_id: str, now: int, champion: Champion) -> Judged:
        """The decision to do nothing for a customer who withdrew the consent; it is not recorded."""
        scores = score(self.fold, unknown_customer(state.customer, self.fold), now, champion, ())
        decision = DO_NOTHING_POLICY.decide(self._row(scores), {}, scores.as_of, decision_id)
        return Judged(decision, state, False, scores.as_of, [], champion, None)

    def _row(self, scores: CustomerScores) -> dict[str, float]:
        """A customer's features as a policy reads them; an unknown customer is at the first stage."""
        row = dict(zip(self.fold.names, scores.features.tolist(), strict=True))
        return row if scores.stage is not None else row | {"stage": float(Stage.AWARENESS)}

    def _recommend(
        self, champion: Champion, state: CustomerState, limit: int, as_of: int, exclude: Collection[str] = ()
    ) -> list[Recommendation]:
        recommender = champion.bundle.recommender
        recent = recent_items(self.fold, state.states, 0, self.states.log.items.name, as_of) if state.known else []
        return recommender.recommend(recent, limit, exclude)

    def _recent_actions(self, state: CustomerState) -> dict[str, int]:
        name = self.states.log.categories.name
        return {name(code): at for code, at in self.fold.memory(state.states, 0, "recent_actions")}

    def _repeat(self, customer: str, decision_id: str, champion: Champion) -> tuple[Decision, int, str]:
        """The decision that the log has under this id, when it was made, and by which model."""
        event = self._find_decision(customer, decision_id)
        if event is None or event.category is None:
            raise DecisionConflict(decision_id)
        properties = event.properties
        needs = {action.name: action.needs_content for action in champion.policy.actions}
        decision = Decision(
            decision_id=decision_id,
            action=event.category,
            channel=event.channel,
            stage=Stage[properties["stage"].upper()],
            mode=properties["mode"],
            probability=properties["probability"],
            propensities=dict(properties["propensities"]),
            needs_content=needs.get(event.category, ""),
            considered=(),
        )
        return decision, event.received, str(properties["model_version"])

    def _find_decision(self, customer: str, decision_id: str) -> Event | None:
        """The decision of this id, if it was made for an id of the customer's profile."""
        log = self.states.log
        event = log.find(decision_id)
        if event is None or event.kind != Kind.DECISION:
            return None
        return event if event.customer == customer or customer in log.profile(event.customer) else None
