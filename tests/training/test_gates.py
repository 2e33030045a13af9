"""Gates hold back what does not beat its baselines, and say by how much."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.rungs import Prior
from training.evaluation import Evaluation, evaluate, plain_figures
from training.gates import (
    Gate,
    calibration_threshold,
    champion_gates,
    earned,
    passed,
    scorer_gates,
    untested_gates,
    worse_by_stage,
)

NAMES = ("rfm_logistic", "recency_rule", "base_rate")


def judged(sharpness: float, shift: float = 0.0) -> Evaluation:
    """A model that sees the truth through so much fog, beside baselines that see little."""
    draw = np.random.default_rng(3)
    truth = draw.uniform(0.02, 0.98, 3_000)
    labels = (draw.random(3_000) < truth).astype(np.int8)
    fog = np.full(3_000, labels.mean())
    predictions = {"model": np.clip(sharpness * truth + (1 - sharpness) * fog + shift, 0.001, 0.999)}
    predictions |= {name: fog + 0.1 * (truth - fog) + draw.normal(0, 0.1, 3_000) for name in NAMES[:2]}
    predictions["base_rate"] = fog
    return evaluate(predictions, labels, np.arange(3_000, dtype=np.int32), seed=1, replicates=100)


def test_a_good_scorer_passes_every_gate() -> None:
    gates = scorer_gates("conversion_7d", judged(1.0))
    assert passed(gates) and earned(gates) and len(gates) == 6
    assert {gate.subject for gate in gates} == {"conversion_7d"}


def test_a_scorer_that_does_not_mean_its_numbers_is_held_back() -> None:
    failed = [gate.condition for gate in scorer_gates("conversion_7d", judged(1.0, shift=0.1)) if not gate.passed]
    assert failed == ["calibration error"]


@pytest.mark.parametrize("shift", [0.05, -0.05])
def test_off_by_five_points_everywhere_is_too_much_for_three_thousand_rows(shift: float) -> None:
    (failed,) = [gate for gate in scorer_gates("conversion_7d", judged(1.0, shift)) if not gate.passed]
    assert failed.condition == "calibration error" and failed.value > failed.threshold == 0.03


def test_a_small_test_allows_for_the_noise_of_true_probabilities() -> None:
    thresholds = [calibration_threshold(replace(judged(1.0), rows=rows)) for rows in (300, 1_000, 1_999, 2_000, 50_000)]
    assert thresholds == sorted(thresholds, reverse=True) and thresholds[3:] == [0.03, 0.03]
    draw, rows = np.random.default_rng(4), 1_000
    errors = [
        plain_figures(np.full(rows, 0.5) + 1e-9 * np.arange(rows), labels, ("calibration_error",))["calibration_error"]
        for labels in (draw.random((200, rows)) < 0.5).astype(np.int8)
    ]
    noise = (calibration_threshold(Evaluation(rows, rows, 0.5, {}, {})) - 0.03) / 2
    assert np.mean(errors) == pytest.approx(noise, rel=0.1)


def test_a_scorer_that_ranks_no_better_earns_nothing_and_is_not_held_back() -> None:
    gates = scorer_gates("conversion_7d", judged(0.0))
    failed = {gate.condition for gate in gates if not gate.passed}
    assert failed >= {f"ROC-AUC over {name}, lower end of the interval" for name in NAMES}
    assert not earned(gates) and passed(gates)


def champion(own: float, other: float) -> list[Gate]:
    """The gates of a scorer of one sharpness beside a champion of another, each customer at one of two stages."""
    draw = np.random.default_rng(6)
    truth = draw.uniform(0.02, 0.98, 3_000)
    labels = (draw.random(3_000) < truth).astype(np.int8)
    customer, stage = np.arange(3_000, dtype=np.int32), np.where(np.arange(3_000) % 2, 1.0, 3.0).astype(np.float32)
    given, beside = (np.clip(each * truth + (1 - each) * 0.5, 0.001, 0.999) for each in (own, other))
    test = evaluate({"model": given, "champion": beside}, labels, customer, seed=1, replicates=100)
    prior = Prior(0.5, ("stage",))
    return champion_gates("t", test, prior, prior, worse_by_stage(given, beside, labels, customer, stage))


def test_a_worse_scorer_does_not_replace_the_champion() -> None:
    assert [gate.passed for gate in champion(0.2, 1.0)] == [False, False, False, True]
    assert [gate.passed for gate in champion(1.0, 0.2)] == [True] * 4
    assert [gate.passed for gate in champion(0.6, 0.6)] == [True] * 4


def test_what_cannot_be_tested_does_not_replace_what_was() -> None:
    assert passed(untested_gates("t", judged=False)) and not passed(untested_gates("t", judged=True))


@pytest.mark.parametrize(
    ("gate", "verdict"),
    [
        (Gate("t", "c", 0.1, 0.0), True),
        (Gate("t", "c", 0.0, 0.0), False),
        (Gate("t", "c", 0.03, 0.03, at_most=True), True),
        (Gate("t", "c", 0.031, 0.03, at_most=True), False),
        (Gate("t", "c", float("nan"), 0.03, at_most=True), False),
        (Gate("t", "c", float("nan"), 0.0), False),
    ],
)
def test_a_gate_is_a_number_and_a_line(gate: Gate, verdict: bool) -> None:
    assert gate.passed is verdict
    assert passed([gate]) is earned([gate]) is verdict
    assert passed([replace(gate, holds=False)])


def test_what_nothing_speaks_for_earns_nothing() -> None:
    assert not earned([]) and passed([])
