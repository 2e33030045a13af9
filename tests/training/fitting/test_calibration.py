"""Settings of trees, and calibrations held to worlds whose probabilities are known."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from training.fitting.calibration import fit_calibration, fit_isotonic, fit_platt, log_loss, settings


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
    true = np.where(raw < 0.5, 0.1, 0.9) if kind == "isotonic" else raw**2 / (raw**2 + (1 - raw) ** 2)
    rows_used = slice(None) if kind == "isotonic" else slice(0, 300)
    labels = (draw.random(12_000) < true).astype(np.int8)
    customers = np.arange(12_000, dtype=np.int32)
    curve, losses, unseen = fit_calibration(raw[rows_used], labels[rows_used], customers[rows_used])
    assert curve.kind == kind == min(losses, key=losses.__getitem__)
    assert log_loss(unseen, labels[rows_used]) == losses[kind]


def test_probabilities_that_are_right_are_left_alone() -> None:
    draw = np.random.default_rng(9)
    raw = draw.uniform(0.01, 0.99, 300)
    labels = (draw.random(300) < raw).astype(np.int8)
    curve, _, _ = fit_calibration(raw, labels, np.arange(300, dtype=np.int32))
    assert curve.kind in {"identity", "platt"}
