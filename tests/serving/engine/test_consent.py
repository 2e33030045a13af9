"""Consent withdrawn: nothing more is recorded, scored or decided, from the next event on, whichever worker wrote it."""

from __future__ import annotations

import pytest

from features.events import HOUR, SECOND, Event, Kind
from serving.engine.batch import Batch
from serving.engine.consent import Consents
from serving.engine.engine import Engine
from tests.serving.conftest import NOW, Place

_numbers = iter(range(1_000_000))


def event(kind: Kind, who: str = "anna", at: int = NOW, **properties: str) -> Event:
    """An event with an id of its own."""
    return Event(f"e-{next(_numbers)}", who, kind, at, at, amount=5.0, properties=properties)


def take(engine: Engine, *events: Event) -> str:
    """What becomes of events taken in together: the first letters of their outcomes."""
    return "".join(outcome[0] for outcome in engine.take([Batch(list(events))])[0].outcomes)


def purchases(engine: Engine, who: str = "anna") -> float:
    """How often the customer bought, by the state itself."""
    features = engine.fold.read(engine.states.load(who).states, 0, NOW + HOUR)
    return float(features[engine.fold.index["purchases_ever"]])


def test_a_withdrawal_acts_on_the_events_after_it_in_the_same_batch(engine: Engine) -> None:
    events = (event(Kind.PURCHASE), event(Kind.CONSENT_WITHDRAW), event(Kind.PURCHASE), event(Kind.PURCHASE, "ben"))
    assert take(engine, *events) == "aawa"
    assert (purchases(engine), purchases(engine, "ben")) == (1, 1)
    assert take(engine, event(Kind.PURCHASE)) == "w"
    assert take(engine, event(Kind.CONSENT_GRANT, at=NOW + SECOND), event(Kind.PURCHASE, at=NOW + SECOND)) == "aa"
    assert purchases(engine) == 2
    assert take(engine, event(Kind.CONSENT_WITHDRAW, at=NOW + 2 * SECOND), event(Kind.CONSENT_WITHDRAW)) == "aa"


def test_a_withdrawal_written_by_another_worker_acts_at_once(place: Place) -> None:
    one, other = place.engine(), place.engine()
    assert take(one, event(Kind.PAGE_VIEW)) == take(other, event(Kind.PAGE_VIEW)) == "a"
    for turn in range(3):
        later = NOW + turn * HOUR
        assert take(one, event(Kind.CONSENT_WITHDRAW, at=later)) == "a"
        assert take(other, event(Kind.PURCHASE, at=later), event(Kind.PAGE_VIEW, "ben")) == "wa"
        assert take(other, event(Kind.CONSENT_GRANT, at=later + SECOND)) == "a"
        assert take(one, event(Kind.PAGE_VIEW, at=later + SECOND)) == "a"
    for each in (one, other):
        each.states.close()


@pytest.mark.parametrize(("withdrawn", "strangers"), [(1, 5), (5, 1)])
def test_ids_that_join_while_one_does_not_look_are_found(place: Place, withdrawn: int, strangers: int) -> None:
    one, other = place.engine(), place.engine()
    silent = [f"silent-{number}" for number in range(withdrawn)]
    assert set(take(one, *(event(Kind.CONSENT_WITHDRAW, who) for who in silent))) == {"a"}
    one.consents.refresh()
    take(
        other, *(event(Kind.IDENTIFY, f"stranger-{number}", anonymous_id=f"x-{number}") for number in range(strangers))
    )
    take(other, event(Kind.IDENTIFY, anonymous_id=silent[0]))
    assert take(one, event(Kind.PAGE_VIEW), event(Kind.PAGE_VIEW, "stranger-0")) == "wa"
    assert one.consents.suspects == {*silent, "anna"}
    for each in (one, other):
        each.states.close()


def test_a_withdrawal_is_of_the_whole_profile(engine: Engine, place: Place) -> None:
    other = place.engine()
    assert take(engine, event(Kind.CONSENT_WITHDRAW, "visitor")) == "a"
    assert take(other, event(Kind.PAGE_VIEW)) == "a"
    # From the merge on, within the same batch, by either id, and for a worker that did not see the merge.
    merged = (event(Kind.IDENTIFY, anonymous_id="visitor"), event(Kind.PURCHASE), event(Kind.PURCHASE, "visitor"))
    assert take(engine, *merged) == "aww"
    assert take(other, event(Kind.PURCHASE), event(Kind.PURCHASE, "visitor")) == "ww"
    engine.states.unmerge("visitor", NOW)
    assert take(other, event(Kind.PURCHASE), event(Kind.PURCHASE, "visitor")) == "aw"
    other.states.close()


def test_who_withdrew_is_a_stranger_and_left_in_peace(engine: Engine) -> None:
    take(engine, event(Kind.PURCHASE), event(Kind.ITEM_VIEW))
    earlier = engine.decide("anna", "d-0", NOW)
    assert engine.score("anna", NOW).known and earlier.known
    take(engine, event(Kind.CONSENT_WITHDRAW))
    count = engine.states.log.count()
    unknown = engine.score("nobody", NOW)
    for scores in (engine.score("anna", NOW), engine.profile("anna", NOW), *engine.score_many(["anna"], NOW)):
        assert (scores.known, scores.stage, scores.probabilities) == (False, None, unknown.probabilities)
        assert scores.features.tobytes() == unknown.features.tobytes()
    assert engine.recommend("anna", 5, NOW)[2] == engine.recommend("nobody", 5, NOW)[2]
    for decision_id in ("d-0", "d-1", "d-2"):
        decided = engine.decide("anna", decision_id, NOW)
        assert (decided.decision.action, decided.decision.probability) == ("do_nothing", 1.0)
        assert (decided.known, decided.repeated, decided.items) == (False, False, [])
    assert not engine.reward("anna", "d-0", 1.0, NOW, money=False, reward_id=None)[2]
    assert engine.states.log.count() == count


def test_a_group_that_is_undone_leaves_no_wrong_verdict(engine: Engine) -> None:
    class Undone(Exception):
        pass

    with pytest.raises(Undone), engine.states.transaction():
        assert take(engine, event(Kind.CONSENT_WITHDRAW), event(Kind.PURCHASE)) == "aw"
        raise Undone
    assert take(engine, event(Kind.PURCHASE)) == "a"
    assert take(engine, event(Kind.CONSENT_WITHDRAW, "ben"), event(Kind.PURCHASE, "ben")) == "aw"


def test_only_the_few_who_may_have_withdrawn_are_looked_at(engine: Engine) -> None:
    take(engine, *(event(Kind.CONSENT_GRANT, f"c-{number}") for number in range(20)), event(Kind.CONSENT_WITHDRAW))
    take(engine, event(Kind.PAGE_VIEW, "c-1"))
    assert engine.consents.suspects == {"anna"}
    afresh = Consents(engine.states)
    afresh.refresh()
    assert afresh.suspects == {"anna"}
