"""Any target is a word of the grammar: an action or a segment that names it is one entry, and nothing else changes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from features.events import Channel, Stage
from features.grammar import Column
from features.journey import JOURNEY, Journey
from insights.segments import SEGMENTS, Segment
from models.bundle.bundle import Model
from models.bundle.loaded import Champion, Champions
from models.decisions.actions import DO_NOTHING, Action
from models.decisions.policy import Policy
from models.prediction.amount import AmountScorer, MeanAmount
from models.prediction.interval import Ranks
from serving.engine.customer import segments_of
from serving.engine.engine import Engine
from serving.engine.scoreboard import Scoreboard, sweep
from tests.serving.conftest import NOW, Place
from tests.serving.shop import bundle, customer

VALUE = Column("lifetime_value_90d")

LOYALTY = Action(
    name="offer_membership",
    stages=tuple(Stage),
    channel=Channel.WEB,
    cost=1.0,
    value=0.1 * VALUE,
    conditions=(VALUE > 50.0,),
    every=0,
    doc="Invite into the club whoever will be worth it.",
    assumption="A tenth of the money to come.",
)

VALUABLE = Segment("valuable", "Valuable", "Worth 50 or more.", VALUE > 50.0, VALUE, "the most money to come")


@pytest.fixture
def valued(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> Engine:
    """The engine, with a bundle that foretells an amount of 80 and with the action that asks for it."""
    told = bundle(JOURNEY)
    amount = AmountScorer("lifetime_value_90d", MeanAmount(80.0, 0.0, 240.0, JOURNEY.names), Ranks((0.0, 160.0)))
    models: dict[str, Model] = {**told.models, "lifetime_value_90d": amount}
    card = replace(told.manifest.targets["churn_28d"], form="amount", tier="prior", base_rate=80.0, prior=80.0)
    cards = {**told.manifest.targets, "lifetime_value_90d": card}
    whole = Champion.of(told.changed(replace(told.manifest, targets=cards), models))
    asking = replace(whole, policy=Policy(actions=(LOYALTY, DO_NOTHING)))
    monkeypatch.setattr(Champions, "current", property(lambda self: asking))
    monkeypatch.setattr(Champions, "require", lambda self: asking)
    return engine


def _of_whom_it_speaks(engine: Engine) -> str:
    known = map(customer, range(60))
    return next(who for who in known if "lifetime_value_90d" in engine.score(who, NOW).values)


def test_the_targets_of_declarations_are_what_is_no_feature() -> None:
    assert LOYALTY.targets == VALUABLE.targets == {"lifetime_value_90d"}
    assert Policy(actions=(LOYALTY, DO_NOTHING)).targets == {"lifetime_value_90d"}
    for segment in SEGMENTS.values():
        assert segment.columns() <= Journey.features.keys() | segment.targets


def test_an_action_on_an_amount_is_one_entry(valued: Engine) -> None:
    who = _of_whom_it_speaks(valued)
    decided = valued.decide(who, "first", NOW).decision
    club = decided.considered[0]
    assert (club.action, club.eligible) == ("offer_membership", True)
    assert club.score == pytest.approx(7.0)
    assert decided.propensities["offer_membership"] > decided.propensities["do_nothing"]


def test_a_customer_of_whom_the_target_does_not_speak_is_not_offered_it(valued: Engine) -> None:
    decided = valued.decide("nobody", "second", NOW).decision
    assert decided.action == "do_nothing" and not decided.considered[0].eligible


def test_a_segment_on_an_amount_is_one_entry(
    valued: Engine, place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(SEGMENTS, "valuable", VALUABLE)
    generation = sweep(valued, Scoreboard(tmp_path / "board", JOURNEY.fingerprint), NOW)
    amounts = generation.columns["lifetime_value_90d"]
    places = generation.members("valuable")
    assert 0 < len(places) == np.count_nonzero(amounts == np.float32(80.0)) < len(amounts)
    assert "lifetime_value_90d" in generation.report["targets"]
    who = _of_whom_it_speaks(valued)
    assert "valuable" in segments_of(valued.fold, valued.score(who, NOW), generation)
