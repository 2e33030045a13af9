"""Laws of the level: without outcomes no shift, with many the level seen last, and more doubt is a wider interval."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.events import DAY, days
from models.prediction.calibration import Calibration
from models.prediction.interval import Intervals
from models.prediction.level import UNMOVED, Level
from models.prediction.scorer import Scorer
from models.prediction.tiers import Prior
from tests.examples import examples
from tests.histories import START
from tests.laws.test_scorers import calibrations, probabilities
from training.rows.residuals import SHORT, Residuals, ahead, level_of, residuals_of, shift_of, steepness

NAMES = ("stage", "days_since_last", "spend_90d")
EXAMPLES = settings(max_examples=examples(20), deadline=None)
NOTHING = Residuals(np.empty(0, np.int64), np.empty(0), np.empty(0), days(28))

shifts = st.floats(-1.0, 1.0)
horizons = st.sampled_from([days(1), days(7), days(28), days(60)])


def steady(shift: float, variance: float, number: int = 40, width: int = SHORT) -> Residuals:
    """The same residual at so many cutoffs, six days apart."""
    moments = START + SHORT * np.arange(number, dtype=np.int64)
    return Residuals(moments, np.full(number, shift), np.full(number, variance), width)


@given(horizons, st.floats(0.2, 3.0))
def test_without_outcomes_there_is_no_shift(horizon: int, slope: float) -> None:
    for short in (None, NOTHING):
        found = level_of(NOTHING, short, START, horizon, slope, START)
        assert found.shift == 0.0 and 0.1 < found.deviation < 2.0


@EXAMPLES
@given(shifts, horizons)
def test_with_many_outcomes_the_level_is_the_one_seen_last(shift: float, horizon: int) -> None:
    known = steady(shift, 1e-6)
    now = int(known.times[-1]) + SHORT
    assert ahead(known, now, horizon).shift == pytest.approx(shift, abs=0.1 * abs(shift) + 0.01)
    own = steady(shift, 1e-6, width=horizon)
    assert level_of(own, known, now, horizon, 1.0, START).shift == pytest.approx(shift, abs=0.15 * abs(shift) + 0.02)


@EXAMPLES
@given(shifts)
def test_the_less_outcomes_say_the_nearer_the_level_is_to_none(shift: float) -> None:
    found = [
        abs(ahead(steady(shift, variance, 6), START + 7 * SHORT, days(28)).shift) for variance in (1e-4, 0.1, 10.0)
    ]
    assert all(less <= more + 1e-9 for more, less in pairwise(found)) and found[-1] <= 0.5 * abs(shift) + 1e-9


@EXAMPLES
@given(st.floats(0.0, 0.6), horizons)
def test_the_further_a_level_wandered_the_less_sure_is_the_next(size: float, horizon: int) -> None:
    steps = np.random.default_rng(1).normal(size=40).cumsum() * 0.2
    calm, wild = (
        ahead(Residuals(steady(0.0, 1e-3).times, steps * each, np.full(40, 1e-3), SHORT), START + 41 * SHORT, horizon)
        for each in (size, size + 0.4)
    )
    assert calm.deviation < wild.deviation


def test_a_season_counts_once_it_was_seen_twice() -> None:
    number = 125
    moments = START + SHORT * np.arange(number, dtype=np.int64)
    year = np.array([(moment - START) / DAY / 365.25 for moment in moments.tolist()])
    season = 0.8 * np.exp(-0.5 * (((year % 1.0) - 0.2) / 0.04) ** 2)
    seen = year < 2.0
    now = int(moments[seen][-1]) + SHORT
    peak = START + round(2.2 * 365.25) * DAY
    known = Residuals(moments[seen], season[seen], np.full(int(seen.sum()), 1e-3), SHORT)
    assert ahead(known, peak - days(14), days(28)).shift > ahead(known, now, days(28)).shift + 0.1


@given(calibrations, probabilities, st.floats(-3.0, 3.0))
def test_a_shift_moves_every_probability_the_same_way(curve: Calibration, raw: float, shift: float) -> None:
    before, after = curve.apply(raw), curve.shifted(shift).apply(raw)
    # A curve that was the identity is kept from 0 and 1 once it is moved.
    assert (after - before) * shift >= -1e-5
    assert curve.shifted(0.0) is curve


@given(st.floats(0.001, 0.999), st.floats(-2.0, 2.0))
def test_a_shift_is_of_the_log_odds(rate: float, shift: float) -> None:
    scorer = Scorer("churn_28d", Prior(rate, NAMES), Calibration.identity()).at(Level(shift, 0.1))
    said = scorer.score(np.zeros(len(NAMES), np.float32))
    assert np.log(said / (1 - said)) - np.log(rate / (1 - rate)) == pytest.approx(shift, abs=1e-6)


@given(st.floats(0.01, 0.99), st.floats(0.0, 1.0), st.floats(0.0, 1.0), st.floats(0.0, 1.0))
def test_more_doubt_about_the_level_never_narrows_the_interval(
    rate: float, within: float, less: float, more: float
) -> None:
    less, more = sorted((less, more))
    ends = [
        Scorer("t", Prior(rate, NAMES), Calibration.identity(), Intervals.constant(within), level=Level(0.0, each))
        .estimate_of(rate)
        for each in (less, more)
    ]  # fmt: skip
    assert ends[1].low <= ends[0].low + 1e-9 and ends[0].high <= ends[1].high + 1e-9


@given(st.lists(st.floats(-4.0, 4.0), min_size=1, max_size=30), st.data())
def test_a_residual_gives_the_mean_that_came(margins: list[float], data: st.DataObject) -> None:
    labels = np.array([data.draw(st.integers(0, 1)) for _ in margins], np.int8)
    shift, variance = shift_of(np.array(margins), labels)
    given_ = 1.0 / (1.0 + np.exp(-(np.array(margins) + shift)))
    assert np.isfinite(shift) and variance > 0.0
    assert given_.mean() == pytest.approx(labels.mean(), abs=0.01)


def test_residuals_are_by_cutoff() -> None:
    cutoff = np.array([2, 1, 2, 1], np.int64) * DAY
    found = residuals_of(np.zeros(4), np.array([1, 0, 1, 1], np.int8), cutoff, DAY)
    assert found.times.tolist() == [DAY, 2 * DAY]
    assert found.shifts[0] == pytest.approx(0.0, abs=1e-6) and found.shifts[1] > 1.0
    assert found.variances[1] > found.variances[0] == pytest.approx(2.0, rel=0.01)


@given(st.floats(0.05, 0.9), st.floats(0.05, 0.9))
def test_the_longer_question_moves_more(one: float, other: float) -> None:
    short, long = sorted((one, other))
    assert steepness(long, short) >= 1.0


def test_fields_keep_every_bit_and_nonsense_is_refused() -> None:
    assert Level.from_fields(Level(0.1, 0.2).to_fields()) == Level(0.1, 0.2) and Level(0.0, 0.0) == UNMOVED
    for shift, deviation in ((float("nan"), 0.1), (0.1, -0.1), (0.1, float("inf"))):
        with pytest.raises(ValueError, match="expected finite numbers"):
            Level(shift, deviation)
