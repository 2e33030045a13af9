"""The engine: take, score, recommend, decide and reward, without HTTP."""

from __future__ import annotations

import shutil
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from features.events import DAY, HOUR, Channel, Event, Kind, Stage
from features.journey import JOURNEY
from models.bundle.loaded import Champions, ModelMissing
from serving.engine.batch import Batch, Outcome
from serving.engine.decisions import DecisionConflict
from serving.engine.engine import Engine, UnknownDecision
from tests.serving.conftest import NOW, Place
from tests.serving.shop import ITEMS, bundle, customer


def event(message: str, who: str, kind: Kind, at: int = NOW, item: str | None = None, amount: float = 20.0) -> Event:
    """A live event."""
    return Event(message, who, kind, at, at, Channel.WEB, item, amount=amount)


def take(engine: Engine, *events: Event) -> list[Outcome]:
    """Have the engine take events in; what became of each."""
    return engine.take([Batch(list(events))])[0].outcomes


def test_an_event_is_in_the_next_score(engine: Engine) -> None:
    before = engine.score("new-customer", NOW)
    assert (before.known, before.stage) == (False, None)
    take(engine, event("a", "new-customer", Kind.ITEM_VIEW))
    viewed = engine.score("new-customer", NOW)
    assert (viewed.known, viewed.stage) == (True, Stage.CONSIDERATION)
    take(engine, event("b", "new-customer", Kind.PURCHASE))
    bought = engine.score("new-customer", NOW)
    assert bought.stage is Stage.RETENTION
    assert set(viewed.probabilities) == {"conversion_7d"}
    assert set(bought.probabilities) == {"conversion_7d", "churn_28d"}


def test_an_unknown_customer_gets_the_base_rates(engine: Engine) -> None:
    champion = engine.champions.require()
    assert engine.score("nobody", NOW).probabilities == champion.base_rates == {"conversion_7d": 0.35, "churn_28d": 0.2}


def test_a_score_is_the_scorer_over_the_features_of_a_replay(engine: Engine) -> None:
    champion = engine.champions.require()
    for number in range(0, 60, 7):
        scores = engine.score(customer(number), NOW)
        states = JOURNEY.empty()
        JOURNEY.step(states, 0, engine.states.log.history(customer(number)))
        row = JOURNEY.read(states, 0, NOW)
        assert scores.features.tobytes() == row.tobytes()
        for target, score in scores.probabilities.items():
            assert score == champion.bundle.scorers[target].score(row)


def test_several_scores_are_as_each_alone(engine: Engine) -> None:
    customers = [customer(number) for number in range(30)] + ["nobody"]
    alone = [engine.score(each, NOW) for each in customers]
    together = engine.score_many(customers, NOW)
    assert [each.probabilities for each in together] == [each.probabilities for each in alone]
    champion = engine.champions.require()
    matrix = np.stack([each.features for each in alone[:30]])
    for target, scores in champion.score_many(matrix).items():
        expected = [each.probabilities.get(target, np.nan) for each in alone[:30]]
        assert np.array_equal(scores, expected, equal_nan=True)


def test_no_answer_is_older_than_its_newest_event(engine: Engine) -> None:
    take(engine, event("a", "early", Kind.PURCHASE, at=NOW + HOUR))
    scores = engine.score("early", NOW)
    assert scores.as_of == NOW + HOUR
    assert scores.features[JOURNEY.index["days_since_purchase"]] == 0


def test_recommendations_follow_what_was_looked_at_and_leave_out_what_is_excluded(engine: Engine) -> None:
    take(engine, event("a", "looker", Kind.ITEM_VIEW, item=ITEMS[4]))
    found = engine.recommend("looker", 3, NOW)
    assert (found.items[0].item, found.items[0].reason) == (ITEMS[5], f"because of {ITEMS[4]}")
    assert ITEMS[5] not in [each.item for each in engine.recommend("looker", 3, NOW, exclude=[ITEMS[5]]).items]


def test_a_stranger_is_recommended_what_is_popular(engine: Engine) -> None:
    found = engine.recommend("nobody", 3, NOW)
    assert not found.known
    assert [(each.item, each.reason) for each in found.items] == [(item, "popular") for item in ITEMS[:3]]


def test_a_decision_is_an_event_with_its_probabilities(engine: Engine) -> None:
    decided = engine.decide(customer(3), "d-1", NOW)
    (newest, *_) = engine.states.log.events(customer(3), 1)
    decision = decided.decision
    assert (newest.kind, newest.message_id, newest.category) == (Kind.DECISION, "d-1", decision.action)
    assert newest.channel == decision.channel
    assert newest.properties["propensities"] == decision.propensities
    assert newest.properties["model_version"] == engine.champions.require().bundle.version
    assert sum(decision.propensities.values()) == pytest.approx(1)
    assert decision.probability == decision.propensities[decision.action] > 0
    assert all(each.reasons for each in decision.considered)


def test_a_decision_asked_again_is_the_same_decision(engine: Engine) -> None:
    first = engine.decide(customer(3), "d-1", NOW)
    take(engine, event("p", customer(3), Kind.PURCHASE))
    again = engine.decide(customer(3), "d-1", NOW + DAY)
    assert (first.repeated, again.repeated) == (False, True)
    for name in ("action", "channel", "stage", "mode", "probability", "propensities"):
        assert getattr(again.decision, name) == getattr(first.decision, name)
    assert again.as_of == first.as_of
    assert Counter(each.kind for each in engine.states.log.events(customer(3), 100))[Kind.DECISION] == 1


def test_an_id_that_is_taken_is_a_conflict_and_changes_nothing(engine: Engine) -> None:
    engine.decide(customer(3), "d-1", NOW)
    take(engine, event("e-1", customer(4), Kind.PAGE_VIEW))
    count = engine.states.log.count()
    for taken in ("d-1", "e-1"):
        with pytest.raises(DecisionConflict):
            engine.decide(customer(4), taken, NOW)
    assert engine.states.log.count() == count


def test_a_decision_is_possible_for_a_stranger_and_leaves_him_unknown(engine: Engine) -> None:
    decided = engine.decide("nobody", "d-2", NOW)
    assert (decided.known, decided.decision.stage) == (False, Stage.AWARENESS)
    engine.reward("nobody", "d-2", 1.0, NOW, money=False, reward_id=None)
    assert not engine.score("nobody", NOW).known and not engine.recommend("nobody", 3, NOW).known
    assert not engine.decide("nobody", "d-3", NOW).known
    take(engine, event("v-1", "nobody", Kind.PAGE_VIEW))
    assert engine.score("nobody", NOW).known and engine.recommend("nobody", 3, NOW).known


def test_contacts_are_capped_by_what_was_decided(engine: Engine) -> None:
    """Whatever is drawn, decisions on outbound channels count as contacts and end at the cap."""
    contacts = 0
    for number in range(60):
        decided = engine.decide(customer(12), f"cap-{number}", NOW + number * HOUR)
        contacts += decided.decision.channel in (Channel.EMAIL, Channel.PUSH, Channel.SMS)
    features = engine.score(customer(12), NOW + 60 * HOUR).features
    assert features[JOURNEY.index["contacts_7d"]] == contacts <= 3


def test_only_channels_at_hand_are_chosen(engine: Engine) -> None:
    for number in range(20):
        decided = engine.decide(customer(number), f"on-{number}", NOW, {Channel.ONSITE})
        assert decided.decision.channel in (Channel.ONSITE, Channel.UNKNOWN)


def test_a_reward_is_taken_once_and_names_the_action(engine: Engine) -> None:
    action = engine.decide(customer(3), "d-1", NOW).decision.action
    first = engine.reward(customer(3), "d-1", 12.5, NOW, money=True, reward_id=None)
    again = engine.reward(customer(3), "d-1", 99.0, NOW, money=True, reward_id=None)
    more = engine.reward(customer(3), "d-1", 1.0, NOW, money=False, reward_id="second")
    assert (first, again, more) == ((action, NOW, True), (action, NOW, False), (action, NOW, True))
    newest = engine.states.log.events(customer(3), 2)
    assert [(each.kind, each.category, each.properties["value"]) for each in newest] == [
        (Kind.REWARD, action, 1.0),
        (Kind.REWARD, action, 12.5),
    ]
    assert newest[1].amount == 12.5


def test_only_a_decision_of_the_customer_can_be_rewarded(engine: Engine) -> None:
    engine.decide(customer(3), "d-1", NOW)
    for who, decision in ((customer(4), "d-1"), (customer(3), "d-2"), ("nobody", "d-1")):
        with pytest.raises(UnknownDecision):
            engine.reward(who, decision, 1.0, NOW, money=False, reward_id=None)


def test_an_earlier_decision_is_found_behind_many_events(engine: Engine) -> None:
    engine.decide("busy", "d-1", NOW)
    take(engine, *(event(f"v-{number}", "busy", Kind.PAGE_VIEW) for number in range(10_100)))
    assert engine.reward("busy", "d-1", 1.0, NOW, money=False, reward_id=None)[2]
    assert engine.decide("busy", "d-1", NOW).repeated


def test_a_decision_is_that_of_all_ids_of_a_profile(engine: Engine) -> None:
    engine.decide("visitor", "d-1", NOW)
    joins = event("i-1", "anna", Kind.IDENTIFY)
    take(engine, replace(joins, properties={"anonymous_id": "visitor"}))
    assert engine.decide("anna", "d-1", NOW).repeated
    assert engine.reward("anna", "d-1", 1.0, NOW, money=False, reward_id=None)[2]
    engine.states.unmerge("visitor", NOW)
    assert not engine.reward("visitor", "d-1", 1.0, NOW, money=False, reward_id=None)[2]
    with pytest.raises(UnknownDecision):
        engine.reward("anna", "d-1", 1.0, NOW, money=False, reward_id=None)


def test_without_a_model_events_are_taken_and_answers_say_what_to_run(place: Place) -> None:
    place.champion = place.folder / "none"
    engine = place.engine()
    assert take(engine, event("a", "anna", Kind.PURCHASE)) == ["accepted"]
    assert engine.profile("anna", NOW).stage is Stage.RETENTION
    asked = (
        lambda: engine.score("anna", NOW),
        lambda: engine.recommend("anna", 3, NOW),
        lambda: engine.decide("anna", "d-1", NOW),
    )
    for ask in asked:
        with pytest.raises(ModelMissing, match="waypost train"):
            ask()
    engine.states.close()


def test_a_new_bundle_takes_over_and_a_broken_one_does_not(place: Place) -> None:
    place.champion = Path(shutil.copytree(place.champion, place.folder / "champion"))
    champions = Champions(place.champion, JOURNEY)
    assert champions.refresh() and not champions.refresh()
    first = champions.require().bundle.version
    bundle(JOURNEY, rounds=3).save(place.champion)
    assert champions.refresh()
    second = champions.require().bundle.version
    assert second != first
    (place.champion / "bundle.json").write_text("{")
    assert not champions.refresh()
    assert champions.require().bundle.version == second
    assert "damaged" in champions.problem


def test_a_bundle_of_other_features_is_refused_with_the_command(place: Place) -> None:
    text = (place.champion / "bundle.json").read_text()
    place.champion = Path(shutil.copytree(place.champion, place.folder / "champion"))
    (place.champion / "bundle.json").write_text(text.replace(JOURNEY.fingerprint, "0" * 16))
    champions = Champions(place.champion, JOURNEY)
    assert not champions.refresh()
    with pytest.raises(ModelMissing, match="waypost train"):
        champions.require()


def test_each_request_is_told_of_its_own_events(engine: Engine) -> None:
    first = Batch([event("a", "anna", Kind.PAGE_VIEW), event("b", "ben", Kind.PAGE_VIEW)])
    second = Batch([event("a", "anna", Kind.PAGE_VIEW)])
    join = Event("i", "anna", Kind.IDENTIFY, NOW, NOW, properties={"anonymous_id": "visitor"})
    third = Batch([event("v", "visitor", Kind.ITEM_VIEW), join, event("c", "anna", Kind.PURCHASE)])
    taken = engine.take([first, Batch(), second, third])
    assert [each.outcomes for each in taken] == [["accepted"] * 2, [], ["duplicate"], ["accepted"] * 3]
    assert [each.merges for each in taken] == [0, 0, 0, 1]
    assert engine.score("visitor", NOW).stage is Stage.RETENTION
