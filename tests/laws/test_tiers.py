"""Laws of the tiers: a batch is its rows, bytes keep every bit, contributions are the log-odds, nothing is certain."""

from __future__ import annotations

import json
from functools import cache

import lightgbm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from features.events import Stage
from models.prediction.calibration import Calibration
from models.prediction.estimate import BANDS
from models.prediction.interval import Intervals, Ranks
from models.prediction.scorer import Scorer
from models.prediction.tiers import TIERS, Logistic, Prior, StageRates, Term, Tier, Trees, read_tier
from tests.examples import examples
from training.fitting.intervals import log_odds

NAMES = ("stage", "days_since_last", "spend_net_90d")

cells = st.one_of(st.just(float("nan")), st.floats(width=32), st.integers(-1, 6).map(float))
matrices = st.lists(st.tuples(cells, cells, cells), max_size=12).map(
    lambda rows: np.array(rows, np.float32).reshape(-1, len(NAMES))
)
rates = st.floats(1e-6, 1.0 - 1e-6)
numbers = st.floats(-3.0, 3.0)
terms = st.lists(
    st.builds(
        Term,
        st.sampled_from(NAMES),
        st.floats(0, 4000),
        st.floats(-5, 9),
        st.floats(0.1, 4),
        numbers,
        st.floats(0, 400),
    ),
    max_size=4,
)


@cache
def trees() -> Trees:
    draw = np.random.default_rng(7)
    rows = draw.normal(size=(1_000, len(NAMES))).astype(np.float32)
    labels = draw.random(1_000) < 1.0 / (1.0 + np.exp(-rows[:, 0]))
    data = lightgbm.Dataset(rows, labels.astype(np.int64), feature_name=list(NAMES))
    parameters = {"objective": "binary", "verbosity": -1, "num_threads": 1}
    return Trees("churn_28d", lightgbm.train(parameters, data, 10).model_to_string(), NAMES)


RULES: dict[str, st.SearchStrategy[Tier]] = {
    Prior.name: st.builds(Prior, rates, st.just(NAMES)),
    StageRates.name: st.builds(
        StageRates, rates, st.lists(rates, min_size=len(Stage), max_size=len(Stage)), st.just(NAMES)
    ),
    Logistic.name: st.builds(Logistic, terms, numbers, st.just(NAMES)),
    Trees.name: st.builds(trees),
}

every_tier = pytest.mark.parametrize("name", TIERS)


@every_tier
@settings(max_examples=examples(25))
@given(data=st.data(), rows=matrices)
def test_a_batch_is_its_rows(name: str, data: st.DataObject, rows: NDArray[np.float32]) -> None:
    tier = data.draw(RULES[name])
    batch = tier.raw_many(rows)
    assert batch.tobytes() == np.array([tier.raw(row) for row in rows]).tobytes()
    assert ((batch > 0.0) & (batch < 1.0)).all()


@every_tier
@settings(max_examples=examples(25))
@given(data=st.data(), rows=matrices)
def test_contributions_sum_to_the_log_odds(name: str, data: st.DataObject, rows: NDArray[np.float32]) -> None:
    tier = data.draw(RULES[name])
    given_ = tier.raw_many(rows)
    added = tier.contributions(rows)
    assert added.shape == (len(rows), len(NAMES) + 1)
    sums = np.clip(added.sum(axis=1), -30.0, 30.0)
    assert 1.0 / (1.0 + np.exp(-sums)) == pytest.approx(given_, rel=1e-6)


@every_tier
@settings(max_examples=examples(25))
@given(data=st.data(), rows=matrices)
def test_bytes_keep_every_bit(name: str, data: st.DataObject, rows: NDArray[np.float32]) -> None:
    tier = data.draw(RULES[name])
    again = read_tier(name, tier.to_bytes(), "churn_28d", NAMES)
    assert again.raw_many(rows).tobytes() == tier.raw_many(rows).tobytes()
    assert again.contributions(rows).tobytes() == tier.contributions(rows).tobytes()
    assert again.to_bytes() == tier.to_bytes()


@every_tier
def test_rows_of_another_shape_are_refused(name: str) -> None:
    tier = trees() if name == Trees.name else read_tier(name, SAMPLES[name], "churn_28d", NAMES)
    with pytest.raises(ValueError, match=r"shape \(2,\); expected \(3,\)"):
        tier.raw(np.zeros(2, np.float32))
    with pytest.raises(ValueError, match=r"shape \(1, 2\); expected \(n, 3\)"):
        tier.raw_many(np.zeros((1, 2), np.float32))


SAMPLES = {
    Prior.name: Prior(0.25, NAMES).to_bytes(),
    StageRates.name: StageRates(0.25, [0.2] * len(Stage), NAMES).to_bytes(),
    Logistic.name: Logistic([Term("spend_net_90d", 0.0, 1.0, 1.0, 0.5, 28.0)], 0.1, NAMES).to_bytes(),
}


def test_terms_of_one_feature_bend_its_line_at_their_knots() -> None:
    values = np.array([[np.nan, 0.0, each] for each in (0.0, 6.0, 27.0, 28.0, 50.0)], np.float32)
    bent = Logistic(
        [Term(NAMES[2], 0.0, 0.0, 1.0, weight, knot) for weight, knot in ((0.5, 0.0), (-2.0, 27.0))], 0.1, NAMES
    )
    logarithms = np.log1p(values[:, 2].astype(np.float64))
    expected = 0.1 + 0.5 * logarithms - 2.0 * np.maximum(logarithms - np.log(28.0), 0.0)
    assert log_odds(bent.raw_many(values)) == pytest.approx(expected)
    assert bent.contributions(values).sum(axis=1) == pytest.approx(expected)


def test_a_bundle_from_before_there_were_knots_is_read() -> None:
    fields = json.loads(SAMPLES[Logistic.name])
    for term in fields["terms"]:
        del term["knot"]
    read = read_tier(Logistic.name, json.dumps(fields).encode(), "churn_28d", NAMES)
    assert isinstance(read, Logistic) and [term.knot for term in read.terms] == [0.0]
    fields["terms"][0]["bend"] = 1.0
    with pytest.raises(ValueError, match="expected terms of"):
        read_tier(Logistic.name, json.dumps(fields).encode(), "churn_28d", NAMES)


@pytest.mark.parametrize("name", SAMPLES)
@given(content=st.binary(max_size=40) | st.sampled_from([b"[]", b"{}", b'{"rate": 2}', b'{"rate": "x", "rates": 3}']))
def test_anything_else_is_refused(name: str, content: bytes) -> None:
    with pytest.raises(ValueError):
        read_tier(name, content, "churn_28d", NAMES)


margins = st.lists(st.floats(-8, 8), min_size=1, max_size=4, unique=True).map(sorted)


@st.composite
def intervals_of(draw: st.DrawFn) -> Intervals:
    places = draw(margins)
    return Intervals(tuple(places), tuple(draw(st.floats(0, 3)) for _ in places))


quantiles = st.lists(st.floats(0, 1), min_size=2, max_size=12).map(lambda found: Ranks(tuple(sorted(found))))


@given(intervals_of(), quantiles, st.lists(st.floats(0, 1), max_size=20))
def test_an_estimate_in_a_batch_is_the_estimate(intervals: Intervals, ranks: Ranks, values: list[float]) -> None:
    scorer = Scorer("churn_28d", Prior(0.5, NAMES), Calibration.identity(), intervals, ranks)
    many = scorer.estimates_of(np.array(values))
    for place, value in enumerate(values):
        one = scorer.estimate_of(value)
        batch = (
            many.value[place],
            many.low[place],
            many.high[place],
            many.rank_percentile[place],
            many.rank_band[place],
        )
        assert batch == (one.value, one.low, one.high, one.rank_percentile, one.rank_band)
        assert 0.0 <= one.low <= one.value <= one.high <= 1.0
        assert 0.0 <= one.rank_percentile <= 100.0 and one.rank_band in BANDS


@given(quantiles, st.lists(st.floats(0, 1), min_size=2, max_size=20))
def test_more_probable_is_never_ranked_lower(ranks: Ranks, values: list[float]) -> None:
    ranked = [ranks.percentile(value) for value in sorted(values)]
    assert ranked == sorted(ranked)


@given(st.floats(0, 3), st.floats(-6, 6))
def test_the_interval_is_of_the_deviation_in_log_odds(deviation: float, margin: float) -> None:
    low, high = Intervals.constant(deviation).interval(float(1.0 / (1.0 + np.exp(-margin))))
    width = 1.6448536 * deviation
    for end, expected in ((low, margin - width), (high, margin + width)):
        assert end == pytest.approx(1.0 / (1.0 + np.exp(-expected)), abs=1e-3)
