"""Metrics against plain Python and scikit-learn; a weight of n is the row n times over."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from tests.examples import examples
from training.evaluation.metrics import METRICS, Ranked, calibration_error, lift_at_10

Rows = list[tuple[float, int]]

rows_of_both_answers = st.lists(
    st.tuples(st.sampled_from([0.0, 0.1, 0.25, 0.5, 0.75, 0.9]), st.integers(0, 1)), min_size=2, max_size=40
).filter(lambda rows: 0 < sum(label for _, label in rows) < len(rows))


def split(rows: Rows) -> tuple[NDArray[np.float64], NDArray[np.int8]]:
    return np.array([given for given, _ in rows]), np.array([label for _, label in rows], np.int8)


def figure(name: str, rows: Rows) -> float:
    probabilities, labels = split(rows)
    ranked = Ranked.of(probabilities, labels)
    return float(METRICS[name](ranked, np.ones((1, len(rows))))[0])


def pairs_won(rows: Rows) -> float:
    """ROC-AUC by its meaning: the share of pairs of a positive and a negative in the right order."""
    won = [
        1.0 if high > low else 0.5 if high == low else 0.0
        for high, positive in rows if positive
        for low, negative in rows if not negative
    ]  # fmt: skip
    return sum(won) / len(won)


def surprise(rows: Rows) -> float:
    given_to_truth = [given if label else 1 - given for given, label in rows]
    return -sum(math.log(max(each, 1e-15)) for each in given_to_truth) / len(rows)


@given(rows_of_both_answers)
def test_metrics_mean_what_they_say(rows: Rows) -> None:
    probabilities, labels = split(rows)
    assert figure("roc_auc", rows) == pytest.approx(pairs_won(rows))
    assert figure("roc_auc", rows) == pytest.approx(roc_auc_score(labels, probabilities))
    assert figure("pr_auc", rows) == pytest.approx(average_precision_score(labels, probabilities))
    assert figure("brier", rows) == pytest.approx(brier_score_loss(labels, probabilities))
    assert figure("log_loss", rows) == pytest.approx(surprise(rows))


@settings(max_examples=examples(60))
@given(rows_of_both_answers, st.data())
def test_a_weight_is_a_number_of_copies(rows: Rows, data: st.DataObject) -> None:
    copies = data.draw(st.lists(st.integers(0, 3), min_size=len(rows), max_size=len(rows)))
    repeated = [row for row, number in zip(rows, copies, strict=True) for _ in range(number)]
    if len({label for _, label in repeated}) < 2:
        return
    probabilities, labels = split(rows)
    ranked = Ranked.of(probabilities, labels)
    weights = np.array([copies, copies], float)[:, ranked.order]
    for name in sorted(set(METRICS) - {"calibration_error"}):
        found = METRICS[name](ranked, weights)
        assert found[0] == found[1] == pytest.approx(figure(name, repeated))


def test_calibration_error_is_the_mean_gap_of_ten_equal_bins() -> None:
    probabilities = np.linspace(0.005, 0.995, 100)
    labels = (np.arange(100) % 3 == 0).astype(np.int8)
    gaps = [abs(probabilities[k : k + 10].mean() - labels[k : k + 10].mean()) for k in range(0, 100, 10)]
    found = calibration_error(Ranked.of(probabilities, labels), np.ones((1, 100)))
    assert found[0] == pytest.approx(sum(gaps) / 10)


def test_calibration_error_does_not_part_equals() -> None:
    labels = np.array([1, 1, 1, 0, 0, 0, 0, 0, 0, 0] * 5, np.int8)
    found = calibration_error(Ranked.of(np.full(50, 0.3), np.sort(labels)), np.ones((1, 50)))
    assert found[0] == pytest.approx(0.0)


def test_lift_counts_the_first_tenth() -> None:
    labels = np.array([1] * 5 + [0] * 5 + [1] * 5 + [0] * 85, np.int8)
    ranked = Ranked.of(np.linspace(1, 0, 100), labels)
    assert lift_at_10(ranked, np.ones((1, 100)))[0] == pytest.approx((5 / 10) / (10 / 100))


def test_rows_that_cannot_be_told_apart_give_no_lift() -> None:
    labels = np.array([1] * 10 + [0] * 90, np.int8)
    assert lift_at_10(Ranked.of(np.full(100, 0.1), labels), np.ones((1, 100)))[0] == pytest.approx(1.0)
