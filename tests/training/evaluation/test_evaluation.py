"""Intervals: drawn by customer, the same for every model, reproducible, and as wide as theory says."""

from __future__ import annotations

import numpy as np
import pytest

from training.evaluation.evaluation import Figure, evaluate, lift_curve, reliability, resamplings


def test_whole_customers_are_drawn() -> None:
    customers = np.array([7, 7, 9, 9, 9, 4], np.int32)
    weights = np.concatenate(list(resamplings(customers, seed=3, replicates=500)))
    assert weights.shape == (500, 6)
    assert (weights[:, 0] == weights[:, 1]).all() and (weights[:, 2] == weights[:, 4]).all()
    assert (weights[:, [0, 2, 5]].sum(axis=1) == 3).all()
    assert weights[:, 5].mean() == pytest.approx(1.0, abs=0.1)


def test_the_seed_decides() -> None:
    customers = np.arange(50, dtype=np.int32)
    first, again, other = (next(resamplings(customers, seed, 20)) for seed in (1, 1, 2))
    assert first.tobytes() == again.tobytes() != other.tobytes()


def test_an_interval_is_as_wide_as_theory_says() -> None:
    draw = np.random.default_rng(5)
    number = 2_000
    labels = (draw.random(number) < 0.5).astype(np.int8)
    found = evaluate({"model": np.full(number, 0.4)}, labels, np.arange(number, dtype=np.int32), seed=1)
    brier = found.figures["model"]["brier"]
    deviation = np.std((0.4 - labels) ** 2) / np.sqrt(number)
    assert brier.high - brier.low == pytest.approx(2 * 1.96 * deviation, rel=0.15)
    assert brier.low < brier.value < brier.high


def test_rows_of_one_customer_do_not_count_as_many() -> None:
    draw = np.random.default_rng(6)
    whose = np.repeat(np.arange(100, dtype=np.int32), 20)
    labels = np.repeat(draw.random(100) < 0.5, 20).astype(np.int8)
    given = {"model": np.full(2_000, 0.4)}
    by_customer = evaluate(given, labels, whose, seed=1, replicates=300).figures["model"]["brier"]
    by_row = evaluate(given, labels, np.arange(2_000, dtype=np.int32), seed=1, replicates=300).figures["model"]["brier"]
    assert by_customer.high - by_customer.low > 3 * (by_row.high - by_row.low)


def width(figure: Figure) -> float:
    return figure.high - figure.low


def test_a_difference_is_paired() -> None:
    draw = np.random.default_rng(7)
    truth = draw.random(1_000)
    labels = (draw.random(1_000) < truth).astype(np.int8)
    worse = np.clip(truth + draw.normal(0, 0.3, 1_000), 0.01, 0.99)
    found = evaluate({"model": truth, "worse": worse}, labels, np.arange(1_000, dtype=np.int32), seed=1, replicates=300)
    over, own = found.over["worse"]["roc_auc"], found.figures["model"]["roc_auc"]
    assert over.low > 0
    assert over.value == pytest.approx(own.value - found.figures["worse"]["roc_auc"].value)
    unpaired = np.hypot(width(own), width(found.figures["worse"]["roc_auc"]))
    assert width(over) < 0.85 * unpaired
    assert found.rows == found.customers == 1_000 and found.base_rate == pytest.approx(labels.mean())


def test_a_replicate_without_both_answers_is_left_out() -> None:
    labels = np.array([1, 0, 0], np.int8)
    found = evaluate({"model": np.array([0.9, 0.2, 0.1])}, labels, np.arange(3, dtype=np.int32), seed=1, replicates=200)
    assert found.figures["model"]["roc_auc"] == Figure(1.0, 1.0, 1.0)


def test_reliability_and_lift_of_a_perfect_model() -> None:
    labels = np.repeat(np.array([0, 1], np.int8), 50)
    given, found = reliability(labels.astype(np.float64), labels, bins=4)
    assert given.tolist() == found.tolist() == [0.0, 0.0, 1.0, 1.0]
    taken, lift = lift_curve(labels.astype(np.float64), labels)
    assert lift[0] == lift[49] == 2.0 and lift[-1] == 1.0 and taken[-1] == 1.0
