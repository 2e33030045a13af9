"""The selection at every size, held to worlds whose probabilities are known."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from features.events import DAY
from features.journey import JOURNEY, Journey
from models.prediction.interval import Intervals
from models.prediction.scorer import Scorer
from models.prediction.tiers import TIERS
from tests.training.shop import found, rows, world
from training.fitting.calibration import ROUNDS, constraints, log_loss
from training.fitting.candidates import CANDIDATES
from training.fitting.intervals import coverage, fit_intervals, groups
from training.fitting.tier_selection import LEAST, FittedScorer, needed, select_tier
from training.fitting.tiers import believed, fit_prior, fit_stage_rates, weights
from training.rows.dataset import Counts, Dataset, Gathered, Slice, joined
from training.targets import TARGETS


@cache
def fitted(target: str) -> FittedScorer:
    return select_tier(found(target), seed=3)


def judged(found: Gathered, tiers: tuple[str, ...] = tuple(TIERS)) -> Scorer:
    """What the test may judge; what is served, where there is no test."""
    one = select_tier(found, seed=1, tiers=tiers)
    return one.judged or one.scorer


def truth(data: Dataset) -> NDArray[np.float64]:
    """The true probabilities of the test rows."""
    silent = data.column(data.test, "days_since_purchase")
    buys = world().buys_within(data.test.customer, silent, data.target.horizon / DAY)
    return 1.0 - buys if data.target.name == "churn_28d" else buys


@pytest.mark.parametrize("target", ["conversion_7d", "churn_28d"])
def test_a_scorer_comes_near_the_truth(target: str) -> None:
    data = rows(target)
    scorer = fitted(target).judged
    assert scorer is not None
    given_, true = scorer.score_many(data.test.features), truth(data)
    rate = np.full(len(true), data.fit.labels.mean())
    least = log_loss(true, data.test.labels)
    gained = (log_loss(rate, data.test.labels) - log_loss(given_, data.test.labels)) / (
        log_loss(rate, data.test.labels) - least
    )
    assert gained > 0.6
    assert np.corrcoef(given_, true)[0, 1] > 0.85
    # The level is learnt from 500 customers in one month, and no better than they let it be.
    assert abs(given_.mean() - true.mean()) < 0.07
    parts = np.array_split(np.argsort(given_), 5)
    assert max(abs(given_[part].mean() - true[part].mean()) for part in parts) < 0.13


def test_the_same_seed_gives_the_same_scorer() -> None:
    assert select_tier(found("churn_28d"), seed=3).scorer.files() == fitted("churn_28d").scorer.files()


def test_a_scorer_is_small_and_says_how_it_came_about() -> None:
    one = fitted("conversion_7d")
    assert one.scorer.tier.name == "lightgbm" and 1 <= one.rounds <= ROUNDS
    assert one.importance.keys() == set(JOURNEY.names)
    assert sum(one.importance.values()) == pytest.approx(1.0)
    assert one.scorer.shape.kind == min(one.calibration_losses, key=one.calibration_losses.__getitem__)
    assert list(one.losses) == list(TIERS)


@pytest.mark.parametrize("target", ["conversion_7d", "churn_28d"])
@given(data=st.data())
def test_more_engagement_alone_never_counts_against_a_customer(target: str, data: st.DataObject) -> None:
    tier, test = fitted(target).scorer.tier, rows(target).test
    place = data.draw(st.integers(0, len(test) - 1))
    name = data.draw(st.sampled_from(sorted(Journey.engaging)))
    values = np.sort(np.array(data.draw(st.lists(st.floats(0.0, 60.0, width=32), min_size=2, max_size=20)), np.float32))
    same = np.repeat(test.features[[place]], len(values), axis=0)
    same[:, JOURNEY.index[name]] = values
    assert (np.diff(tier.raw_many(same)) * TARGETS[target].engagement >= 0.0).all()


def test_a_target_says_which_way_engagement_works_or_is_left_free() -> None:
    names = JOURNEY.names
    moved = constraints(TARGETS["churn_28d"], names)["monotone_constraints"]
    assert isinstance(moved, list)
    assert {name for name, each in zip(names, moved, strict=True) if each == -1} == Journey.engaging
    assert {name for name, each in zip(names, moved, strict=True) if each == 0} == set(names) - Journey.engaging
    assert constraints(TARGETS["unsubscribe_30d"], names) == {}
    assert {each.engagement for each in TARGETS.values()} == {-1, 0, 1}


@pytest.mark.parametrize("customers", [5, 60, 200])
def test_at_every_size_the_selected_is_as_good_as_the_best_tier_within_noise(customers: int) -> None:
    gathered = found("conversion_7d", customers)
    test = gathered.dataset.test if gathered.split is not None else gathered.rows
    taken = judged(gathered)
    losses = {name: log_loss(judged(gathered, (name,)).score_many(test.features), test.labels) for name in TIERS}
    assert log_loss(taken.score_many(test.features), test.labels) < min(losses.values()) + 0.02


@pytest.mark.parametrize(("customers", "days"), [(1, 60), (5, 100), (50, 100), (50, 280), (300, 60)])
@pytest.mark.parametrize("target", ["conversion_7d", "churn_28d", "repeat_purchase_60d", "unsubscribe_30d"])
def test_every_target_has_an_answer_of_the_same_form(target: str, customers: int, days: int) -> None:
    gathered = found(target, customers, days)
    one = select_tier(gathered, seed=1)
    features = np.vstack([gathered.rows.features[:20], np.full((1, len(JOURNEY.names)), np.nan, np.float32)])
    said = one.scorer.estimate_many(features)
    assert ((said.low > 0.0) & (said.low < said.value) & (said.value < said.high) & (said.high < 1.0)).all()
    assert ((said.rank_percentile >= 0.0) & (said.rank_percentile <= 100.0)).all()
    assert 0.0 < one.rate < 1.0
    for name, least in needed(gathered.target).items():
        if name in one.losses:
            assert all(getattr(gathered.counts, what) >= number for what, number in least.items())


def test_without_rows_the_prior_is_the_answer() -> None:
    target = TARGETS["churn_28d"]
    nothing = Slice(
        np.empty((0, len(JOURNEY.names)), np.float32),
        np.empty(0, np.int8),
        np.empty(0, np.int32),
        np.empty(0, np.int64),
    )
    one = select_tier(Gathered(target, JOURNEY.names, nothing, None, "nobody came", Counts(0, 0, 0, 0.0), 0), seed=1)
    said = one.scorer.estimate(np.full(len(JOURNEY.names), np.nan, np.float32))
    assert [said.value, one.rate] == pytest.approx([target.prior, target.prior]) and not one.losses
    assert said.low < 0.5 * target.prior and said.high > 1.0 - 0.5 * (1.0 - target.prior)


def test_what_a_tier_needs_grows_with_the_horizon() -> None:
    week, month = needed(TARGETS["conversion_7d"]), needed(TARGETS["conversion_30d"])
    assert list(week) == list(TIERS) and set(week) < set(LEAST)
    assert week["lightgbm"]["history_days"] < month["lightgbm"]["history_days"]
    assert found("conversion_7d", 60, int(week["lightgbm"]["history_days"]) - 41).split is None


def counted(yes: int, number: int, stage: int) -> Slice:
    """So many customers of one stage, so many of them yes."""
    features = np.full((number, len(JOURNEY.names)), np.nan, np.float32)
    features[:, JOURNEY.index["stage"]] = stage
    labels = (np.arange(number) < yes).astype(np.int8)
    return Slice(features, labels, np.arange(number, dtype=np.int32) + 1_000 * stage, np.zeros(number, np.int64))


def test_rates_are_shrunk_to_the_shop_and_the_shop_to_the_prior() -> None:
    few = counted(1, 2, stage=3)
    assert fit_prior(few, JOURNEY.names, DAY, 0.1).rate == pytest.approx(
        (1 + believed(0.1) * 0.1) / (2 + believed(0.1))
    )
    many = Slice(
        *(
            np.concatenate([getattr(each, part) for each in (counted(50, 500, 0), counted(450, 500, 3), few)])
            for part in ("features", "labels", "customer", "cutoff")
        )
    )
    rates = fit_stage_rates(many, JOURNEY.names, DAY, 0.1)
    assert rates.rates[0] == pytest.approx(0.1, abs=0.01) and rates.rates[3] == pytest.approx(0.9, abs=0.01)
    assert rates.rates[1] == rates.rate == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize(("before", "rate"), [(0.9, "of the latest period"), (0.3, "of all rows")])
def test_a_rate_forgets_what_was_before_the_latest_period_where_that_is_nearer(before: float, rate: str) -> None:
    draw = np.random.default_rng(2)
    shares = {0: before, 6: before, 12: before, 18: 0.35, 24: 0.3, 36: 0.3, 60: 0.3}

    def of(*moments: int) -> Slice:
        each = [counted(round(100 * shares[day] * draw.uniform(0.99, 1.01)), 100, stage=3) for day in moments]
        parts = [replace(one, cutoff=one.cutoff + day * DAY) for one, day in zip(each, moments, strict=True)]
        return joined(parts)

    fit, stop = of(0, 6, 12, 18), of(36)
    data = Dataset(TARGETS["conversion_7d"], JOURNEY.names, fit, stop, of(60), of(60), of(0, 6, 12, 18, 36, 60))
    for name in ("prior", "stage_rate"):
        way = CANDIDATES[name](data, 1, {})
        assert way.parameters == {"rate": rate}
        assert way.fit(data.every).raw_many(data.test.features)[0] == pytest.approx(0.3, abs=0.06)


def test_rows_whose_horizons_overlap_count_as_one_and_old_ones_for_less() -> None:
    one = counted(3, 3, stage=3)
    same = replace(one, customer=np.zeros(3, np.int32), cutoff=np.array([0, 6, 12]) * DAY)
    assert weights(same, 10 * DAY) == pytest.approx([0.5 * 0.5 ** (12 / 60), 0.5 * 0.5 ** (6 / 60), 1.0])
    assert weights(one, 10 * DAY).tolist() == [1.0] * 3


def drifting(deviation: float, number: int, seed: int) -> tuple[NDArray[np.float64], NDArray[np.int8]]:
    """Probabilities whose groups of 50 are off by a known deviation in log-odds."""
    draw = np.random.default_rng(seed)
    margins = np.sort(draw.uniform(-3.0, 1.0, number * 50))
    off = np.repeat(draw.normal(0.0, deviation, number), 50)
    labels = draw.random(len(margins)) < 1.0 / (1.0 + np.exp(-(margins + off)))
    return 1.0 / (1.0 + np.exp(-margins)), labels.astype(np.int8)


@pytest.mark.parametrize("deviation", [0.1, 0.4, 0.8])
def test_a_spread_is_found_and_covers_what_it_should(deviation: float) -> None:
    intervals = fit_intervals(*groups(*drifting(deviation, 400, seed=1)))
    assert intervals.deviation(np.array([-2.0, 0.0])) == pytest.approx(deviation, rel=0.3, abs=0.06)
    assert coverage(*drifting(deviation, 2_000, seed=2), intervals, seed=3) == pytest.approx(0.9, abs=0.03)


def test_certainty_that_is_not_there_covers_too_little() -> None:
    assert coverage(*drifting(0.6, 1_000, seed=2), Intervals.constant(0.0), seed=3) < 0.7
    assert coverage(*drifting(0.0, 2_000, seed=2), Intervals.constant(0.0), seed=3) == pytest.approx(0.9, abs=0.02)
    assert coverage(*drifting(0.2, 1_000, seed=2), Intervals.constant(1.5), seed=3) > 0.97
