"""The level that is served follows a shop whose orders halve or double, before one horizon of it is known."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from features.events import DAY, PURCHASE
from features.journey import JOURNEY
from features.log.contract import MERGE
from features.outcomes import Happens
from features.replay.snapshots import Past, past_of
from models.prediction.level import UNMOVED, Level
from tests.worlds import OPENING, shop
from training.fitting.levels import of_latest, settled
from training.fitting.tier_selection import select_tier
from training.rows.dataset import gathered, rows_at, short_question
from training.rows.residuals import SHORT, Residuals, _mean_within, ahead, level_of
from training.rows.schedule import Schedule
from training.run.recalibration import Recalibrated
from training.targets import TARGETS

JUMP = OPENING + 200 * DAY
NOW = OPENING + 224 * DAY
"""Less than a horizon after the jump: no answer is known that lies wholly after it."""


@cache
def jumped(factor: float) -> tuple[Past, int]:
    """A shop of 400 customers whose orders come at `factor` times the pace from `JUMP` on, and when its log ends."""
    world = shop(customers=400, days=270, seed=3)
    events = world.events
    order = np.cumsum(events["kind"] == int(PURCHASE)) - (events["kind"] == int(PURCHASE))
    thinned = events["at"] >= JUMP if factor < 1.0 else events["at"] < JUMP
    kept = np.random.default_rng(1).random(int(order.max()) + 1) < min(factor, 1.0 / factor)
    events = events[~thinned | kept[order]]
    return past_of([events], np.empty(0, MERGE)), world.end


@pytest.mark.parametrize("factor", [0.5, 2.0])
def test_the_level_follows_a_jump_before_a_horizon_of_it_is_known(factor: float) -> None:
    target = TARGETS["conversion_30d"]
    past, end = jumped(factor)
    found = gathered(target, JOURNEY, past, OPENING, NOW, seed=1)
    assert found.rows.cutoff.max() < JUMP and found.short is not None and found.short.cutoff.max() > JUMP
    scorer = select_tier(found, seed=1, tiers=("logistic",)).scorer
    asked = rows_at(target, JOURNEY, past, np.array([NOW]), end)
    came, said = asked.labels.mean(), scorer.score_many(asked.features).mean()
    unmoved = scorer.at(UNMOVED).score_many(asked.features).mean()
    assert scorer.level.shift * np.log(factor) > 0.0
    assert abs(said - came) < 0.75 * abs(unmoved - came)
    assert scorer.level.deviation > 0.1
    judged = select_tier(found, seed=1, tiers=("logistic",)).judged
    assert judged is not None and judged.level != scorer.level


def test_the_short_question_is_the_same_question_about_the_next_days() -> None:
    for name, target in TARGETS.items():
        short = short_question(target)
        if isinstance(target.outcome, Happens) and target.horizon > 7 * DAY:
            assert short is not None and short.horizon == 6 * DAY and short.scope is target.scope, name
            assert isinstance(short.outcome, Happens) and short.outcome.expected == target.outcome.expected
        else:
            assert short is None, name


def test_what_moved_most_is_said_from_where_to_where() -> None:
    before = {"churn_28d": Level(0.1, 0.2), "conversion_7d": Level(-0.1, 0.2)}
    assert Recalibrated({}, {}).reason == "No target of the champion is answered with a probability."
    assert Recalibrated(before, before).reason == "No level moved."
    doubted = Recalibrated(before, {**before, "conversion_7d": Level(-0.1, 0.5)}).reason
    assert doubted == "The level of conversion_7d moved most, from -0.10 ± 0.20 to -0.10 ± 0.50 in log-odds."


def test_a_residual_of_hardly_an_answer_counts_for_little() -> None:
    """Of 40 customers with no yes the residual is far below, and says next to nothing beside one that is known."""
    short = Residuals(np.array([0, 6, 12]) * DAY, np.array([-0.2, -6.6, -0.4]), np.array([0.1, 130.0, 0.1]), SHORT)
    assert _mean_within(short, 0, 18 * DAY) == pytest.approx(-0.3, abs=0.02)


def test_a_rate_follows_who_is_asked_now() -> None:
    """A shop's early customers came back, its late ones do not: no feature of a rate tells, its newest answers do."""
    cutoffs = np.arange(40) * 6 * DAY
    early = Residuals(cutoffs, np.linspace(2.0, -2.0, 40), np.full(40, 0.05), 30 * DAY)
    level = level_of(early, None, int(cutoffs[-1]) + 30 * DAY, 30 * DAY, 1.0, 0)
    assert -3.0 < level.shift < -1.0


def test_a_rate_does_not_take_what_it_has_forgotten_for_a_season() -> None:
    """A year ago, in a young log, nearly all came back; the rate is that of the latest months, and their level is 0."""
    cutoffs = np.arange(60) * 6 * DAY
    old = Residuals(cutoffs, np.where(cutoffs < 60 * DAY, 2.0, 0.0), np.full(60, 0.02), 30 * DAY)
    now = int(cutoffs[-1]) + 30 * DAY
    whole, latest = (level_of(each, None, now, 30 * DAY, 1.0, 0) for each in (old, of_latest(old)))
    assert abs(latest.shift) < 0.05 < whole.shift
    assert of_latest(old).variances[[0, -1]] == pytest.approx([0.02 * 2.0**5.9, 0.02])
    assert len(of_latest(Residuals(cutoffs[:0], old.shifts[:0], old.variances[:0], SHORT))) == 0


def test_a_level_that_moves_with_the_age_of_the_log_goes_on_moving() -> None:
    """Those who stay among a young log's customers are ever fewer: the share falls with every doubling of its age."""
    moments = np.arange(10, 50, dtype=np.int64) * SHORT
    falling = -0.8 * np.log((moments / DAY + 30.0) / 90.0)
    own = Residuals(moments, falling, np.full(40, 0.02), 60 * DAY)
    flat = Residuals(moments, np.zeros(40), np.full(40, 0.02), SHORT)
    now = int(moments[-1]) + 60 * DAY
    level = level_of(own, flat, now, 60 * DAY, 1.0, 0)
    came = -0.8 * np.log((now / DAY + 30.0) / 90.0)
    assert level.shift == pytest.approx(came, abs=0.1) and level.shift < falling[-1]


def test_what_the_warm_up_of_a_log_leaves_is_no_season_of_the_shop() -> None:
    cutoffs = OPENING + SHORT * np.arange(1, 31, dtype=np.int64)
    new = Residuals(cutoffs, np.where(cutoffs < OPENING + Schedule.warm_up, -1.0, 0.1), np.full(30, 0.005), SHORT)
    kept = settled(new, OPENING)
    assert kept.times[0] == OPENING + Schedule.warm_up and (kept.shifts == 0.1).all() and len(kept.variances) == 24
    assert settled(kept, OPENING).times.tolist() == kept.times.tolist()
    now = int(cutoffs[-1]) + SHORT
    assert abs(ahead(kept, now, SHORT).shift - 0.1) < 0.02 < ahead(new, now, SHORT).deviation
    young = Residuals(cutoffs[:11], new.shifts[:11], new.variances[:11], SHORT)
    assert len(settled(young, OPENING)) == 11
    assert len(settled(Residuals(cutoffs[:0], new.shifts[:0], new.variances[:0], SHORT), OPENING)) == 0
