"""Scorers and calibrations, held to worlds whose probabilities are known."""

from __future__ import annotations

from fractions import Fraction
from functools import cache

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from features.events import DAY
from tests.training.shop import rows, world
from training import scorers
from training.dataset import Dataset
from training.scorers import FittedScorer, fit_calibration, fit_isotonic, fit_platt, fit_scorer, log_loss, settings


@cache
def fitted(target: str) -> FittedScorer:
    return fit_scorer(rows(target), seed=3)


def truth(data: Dataset) -> NDArray[np.float64]:
    """The true probabilities of the test rows."""
    silent = data.column(data.test, "days_since_purchase")
    buys = world().buys_within(data.test.customer, silent, data.target.horizon / DAY)
    return buys if data.target.event.expected else 1.0 - buys


@pytest.mark.parametrize("target", ["conversion_7d", "churn_28d"])
def test_a_scorer_comes_near_the_truth(target: str) -> None:
    data = rows(target)
    given_, true = fitted(target).scorer.score_many(data.test.features), truth(data)
    rate = np.full(len(true), data.fit.labels.mean())
    least = log_loss(true, data.test.labels)
    gained = (log_loss(rate, data.test.labels) - log_loss(given_, data.test.labels)) / (
        log_loss(rate, data.test.labels) - least
    )
    assert gained > 0.6
    assert np.corrcoef(given_, true)[0, 1] > 0.85
    # The level is learnt from 500 customers in one month, and no better than they let it be.
    assert abs(given_.mean() - true.mean()) < 0.07
    groups = np.array_split(np.argsort(given_), 5)
    assert max(abs(given_[group].mean() - true[group].mean()) for group in groups) < 0.13


def test_the_same_seed_gives_the_same_trees() -> None:
    again = fit_scorer(rows("churn_28d"), seed=3)
    assert again.scorer.text == fitted("churn_28d").scorer.text
    assert again.scorer.calibration == fitted("churn_28d").scorer.calibration


def test_a_scorer_is_small_and_says_what_it_uses() -> None:
    found = fitted("conversion_7d")
    assert 1 <= found.rounds <= scorers.ROUNDS
    assert found.importance.keys() == set(rows("conversion_7d").names)
    assert sum(found.importance.values()) == pytest.approx(1.0)
    assert found.scorer.calibration.kind == min(found.calibration_losses, key=found.calibration_losses.__getitem__)


def test_settings_do_not_depend_on_the_machine() -> None:
    assert settings(1_000, 7)["num_threads"] == 1
    assert settings(1_000, 7) == {**settings(1_000_000, 7), "num_threads": 1}


def pooled(pairs: list[tuple[float, int]]) -> list[tuple[float, float]]:
    """Isotonic regression by hand: one row of the mean at either end, then merge neighbours in the wrong order."""
    rate = Fraction(sum(label for _, label in pairs), len(pairs))
    rows = [(Fraction(raw), Fraction(label)) for raw, label in pairs]
    rows += [(min(rows)[0], rate), (max(rows)[0], rate)]
    pools = [[row for row in rows if row[0] == raw] for raw in sorted({raw for raw, _ in rows})]
    start = 0
    while start + 1 < len(pools):
        if level(pools[start]) >= level(pools[start + 1]):
            pools[start : start + 2] = [pools[start] + pools[start + 1]]
            start = max(start - 1, 0)
        else:
            start += 1
    return [(float(sum(raw for raw, _ in pool) / len(pool)), float(level(pool))) for pool in pools]


def level(pool: list[tuple[Fraction, Fraction]]) -> Fraction:
    return sum((label for _, label in pool), Fraction(0)) / len(pool)


@given(st.lists(st.tuples(st.integers(0, 12).map(lambda raw: raw / 16), st.integers(0, 1)), min_size=1, max_size=30))
@example([(0.0, 0), (0.0, 0), (0.0, 1), *[(0.0625, 0)] * 4, *[(0.0625, 1)] * 2])
def test_isotonic_is_pool_adjacent_violators(pairs: list[tuple[float, int]]) -> None:
    raw, labels = np.array([each for each, _ in pairs]), np.array([label for _, label in pairs], np.int8)
    curve = fit_isotonic(raw, labels)
    expected = pooled(pairs)
    assert curve.knots == pytest.approx([place for place, _ in expected])
    assert curve.values == pytest.approx([level for _, level in expected])


def test_platt_undoes_a_distortion() -> None:
    draw = np.random.default_rng(2)
    true = draw.uniform(0.02, 0.98, 20_000)
    labels = (draw.random(20_000) < true).astype(np.int8)
    margin = (np.log(true / (1 - true)) + 1.0) / 0.5
    curve = fit_platt(1 / (1 + np.exp(-margin)), labels)
    assert curve.slope == pytest.approx(0.5, abs=0.03) and curve.intercept == pytest.approx(-1.0, abs=0.06)


def test_platt_never_turns_the_order_round() -> None:
    labels = np.array([1, 1, 0, 0], np.int8)
    assert fit_platt(np.array([0.1, 0.2, 0.8, 0.9]), labels).kind == "identity"
    assert fit_platt(np.array([0.1, 0.2]), np.array([1, 1], np.int8)).kind == "identity"


@pytest.mark.parametrize("kind", ["platt", "isotonic"])
def test_the_calibration_that_fits_unseen_customers_better_is_taken(kind: str) -> None:
    draw = np.random.default_rng(8)
    raw = draw.uniform(0.01, 0.99, 12_000)
    # A staircase is no logistic curve; a logistic curve from few rows is better drawn by two numbers than by many.
    true = np.where(raw < 0.5, 0.1, 0.9) if kind == "isotonic" else raw
    rows_used = slice(None) if kind == "isotonic" else slice(0, 300)
    labels = (draw.random(12_000) < true).astype(np.int8)
    customers = np.arange(12_000, dtype=np.int32)
    curve, losses = fit_calibration(raw[rows_used], labels[rows_used], customers[rows_used])
    assert curve.kind == kind == min(losses, key=losses.__getitem__)
