"""Slope, intercept and shift beside an unregularised fit of another library, and their intervals beside the truth."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from training.fitting.intervals import log_odds
from training.monitoring.realised import losses
from training.monitoring.recalibration import mean_of, ratio_of_means, recalibrated


def drawn(seed: int, customers: int, each: int, slope: float, intercept: float) -> tuple[np.ndarray, ...]:
    """Probabilities, answers and customers: the truth is a line over the log-odds and a whim of the customer."""
    draw = np.random.default_rng(seed)
    customer = np.repeat(np.arange(customers, dtype=np.int32), each)
    margins = np.repeat(draw.normal(-1.0, 1.2, customers), each) + draw.normal(0.0, 0.3, customers * each)
    whim = np.repeat(draw.normal(0.0, 0.5, customers), each)
    labels = (draw.random(len(margins)) < 1.0 / (1.0 + np.exp(-(slope * margins + intercept + whim)))).astype(np.int8)
    return 1.0 / (1.0 + np.exp(-margins)), labels, customer


def test_the_line_is_that_of_an_unregularised_fit() -> None:
    probabilities, labels, customer = drawn(1, 400, 4, 0.7, 0.4)
    found = recalibrated(probabilities, labels, customer)
    fit = LogisticRegression(C=np.inf).fit(log_odds(probabilities)[:, None], labels)
    assert found.slope.value == pytest.approx(fit.coef_[0, 0], abs=2e-3)
    assert found.intercept.value == pytest.approx(fit.intercept_[0], abs=2e-3)
    moved = 1.0 / (1.0 + np.exp(-(log_odds(probabilities) + found.shift.value)))
    assert moved.mean() == pytest.approx(labels.mean(), abs=1e-4)


def test_intervals_hold_the_truth_although_rows_of_a_customer_are_alike() -> None:
    """Ten rows of a customer with one whim: an interval that took them for independent would hold it too rarely."""
    many = recalibrated(*drawn(0, 40_000, 10, 1.0, 0.0))
    truth = {name: getattr(many, name).value for name in ("slope", "intercept", "shift")}
    held = dict.fromkeys(truth, 0)
    for seed in range(1, 201):
        found = recalibrated(*drawn(seed, 150, 10, 1.0, 0.0))
        for name, value in truth.items():
            figure = getattr(found, name)
            held[name] += figure.low <= value <= figure.high
    assert all(181 <= number <= 198 for number in held.values()), held


def test_rows_that_are_parted_without_error_and_rows_of_one_probability_have_finite_lines() -> None:
    labels, customer = np.repeat(np.array([0, 1], np.int8), 50), np.arange(100, dtype=np.int32)
    parted = recalibrated(np.repeat([0.2, 0.8], 50), labels, customer)
    assert 1.0 < parted.slope.value < 100.0 and math.isfinite(parted.slope.high)
    level = recalibrated(np.full(100, 0.25), labels, customer)
    assert level.shift.value == pytest.approx(math.log(3.0), abs=0.01) and math.isfinite(level.slope.value)


def test_a_mean_of_independent_rows_has_the_error_that_books_give_it() -> None:
    values = np.random.default_rng(2).normal(3.0, 2.0, 400)
    found = mean_of(values, np.arange(400, dtype=np.int32))
    assert found.value == pytest.approx(values.mean())
    assert found.high - found.value == pytest.approx(1.96 * values.std(ddof=1) / 20.0, rel=1e-3)
    twice = mean_of(np.repeat(values, 2), np.repeat(np.arange(400, dtype=np.int32), 2))
    assert (twice.high, twice.low) == pytest.approx((found.high, found.low))


def test_a_ratio_is_of_means() -> None:
    above, below = np.array([1.0, 2.0, 3.0]), np.array([2.0, 2.0, 4.0])
    assert ratio_of_means(above, below, np.arange(3, dtype=np.int32)).value == pytest.approx(6.0 / 8.0)


def test_losses_are_minus_the_logarithm_of_what_was_given_to_what_happened() -> None:
    found = losses(np.array([0.9, 0.9, 0.25]), np.array([1, 0, 1], np.int8))
    assert found == pytest.approx([-math.log(0.9), -math.log(0.1), -math.log(0.25)])
