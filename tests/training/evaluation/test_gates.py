"""Gates hold back what does not beat its baselines, and say by how much."""

from __future__ import annotations

from dataclasses import replace

import lightgbm
import numpy as np
import pytest

from models.prediction.tiers import Prior, Trees
from training.evaluation.evaluation import Evaluation, Figure, evaluate, plain_figures
from training.evaluation.gates import (
    CALIBRATED,
    FITS,
    LOWEST,
    NO_WORSE,
    Gate,
    calibration_threshold,
    champion_gates,
    earned,
    held_back,
    interval_gate,
    passed,
    scorer_gates,
    stage_champion_gates,
    stage_gates,
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
    gates = scorer_gates("conversion_7d", "lightgbm", judged(1.0))
    assert passed(gates) and earned(gates) and earned(gates, [FITS, CALIBRATED]) and len(gates) == 7
    assert {(gate.subject, gate.tier) for gate in gates} == {("conversion_7d", "lightgbm")}


def test_a_scorer_that_does_not_mean_its_numbers_is_held_back_and_the_base_rate_is_not() -> None:
    off = judged(1.0, shift=0.1)
    failed = [gate for gate in scorer_gates("conversion_7d", "lightgbm", off) if not gate.passed]
    assert [gate.condition for gate in failed] == [CALIBRATED, "calibration error beside the base rate's"]
    assert held_back(failed) == failed[1:] and passed(scorer_gates("conversion_7d", LOWEST, off))
    assert failed[1].sentence.startswith("calibration error beside the base rate's was 0.0")


def test_what_is_off_by_less_than_the_base_rate_is_not_held_back() -> None:
    """A season moved the level by 0.12, and the model followed half of it: the rate of before would be worse."""
    draw = np.random.default_rng(8)
    truth = np.clip(draw.uniform(0.02, 0.98, 6_000) * 0.6 + 0.12, 0.0, 1.0)
    labels = (draw.random(6_000) < truth).astype(np.int8)
    fog = np.full(6_000, labels.mean() - 0.12)
    predictions = {"model": truth - 0.06, **dict.fromkeys(NAMES, fog)}
    gates = scorer_gates("t", "logistic", evaluate(predictions, labels, np.arange(6_000, dtype=np.int32), 1, 100))
    assert passed(gates) and earned(gates, [FITS]) and not earned(gates, [CALIBRATED])


def test_an_interval_that_holds_too_few_groups_is_not_earned() -> None:
    enough, few, small = (
        interval_gate("t", "lightgbm", *each) for each in ((0.84, 50_000), (0.83, 50_000), (0.6, 200))
    )
    assert enough.passed and not few.passed and small.passed and not few.holds


def test_shares_of_stages_are_held_back_by_nothing_and_trees_by_better_shares() -> None:
    worse, better = Figure(0.1, 0.05, 0.15), Figure(-0.1, -0.15, -0.05)
    assert passed(stage_gates("t", LOWEST, worse)) and not passed(stage_gates("t", "lightgbm", worse))
    assert earned(stage_gates("t", "lightgbm", better), [FITS]) and not earned(stage_gates("t", LOWEST, worse))
    assert not passed(stage_champion_gates("t", "lightgbm", worse))
    assert passed(stage_champion_gates("t", "prior", better))


@pytest.mark.parametrize("shift", [0.05, -0.05])
def test_off_by_five_points_everywhere_is_too_much_for_three_thousand_rows(shift: float) -> None:
    (failed,) = held_back(scorer_gates("conversion_7d", "lightgbm", judged(1.0, shift)))
    assert failed.condition.startswith(CALIBRATED) and failed.value > failed.threshold == 0.03


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
    gates = scorer_gates("conversion_7d", "lightgbm", judged(0.0))
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
    assert [gate.passed for gate in champion(0.2, 1.0)] == [False] * 3
    assert [gate.passed for gate in champion(1.0, 0.2)] == [True] * 3
    assert [gate.passed for gate in champion(0.6, 0.6)] == [True] * 3


def test_a_shop_climbs_to_trees_and_to_twice_as_many_of_them() -> None:
    test = evaluate({"model": np.full(4, 0.5), "champion": np.full(4, 0.5)}, np.array([0, 1, 0, 1], np.int8),
                    np.arange(4, dtype=np.int32), seed=1, replicates=50)  # fmt: skip
    few, many, most = (forest(number) for number in (10, 100, 101))
    assert not any("trees" in gate.condition for gate in champion_gates("t", test, many, Prior(0.5, NAMES), {}))
    assert passed(champion_gates("t", test, many, few, {})) and passed(champion_gates("t", test, most, many, {}))
    assert not passed(champion_gates("t", test, most, few, {}))


@pytest.mark.parametrize(("given", "held"), [(0.101, False), (0.115, False), (0.15, True)])
def test_a_rate_is_held_back_by_a_better_one_only_where_that_matters(given: float, held: bool) -> None:
    draw = np.random.default_rng(5)
    labels = (draw.random(20_000) < 0.1).astype(np.int8)
    predictions = dict.fromkeys(("model", *NAMES, "champion"), np.full(len(labels), labels.mean()))
    predictions["model"] = np.full(len(labels), given * labels.mean() / 0.1)
    test = evaluate(predictions, labels, np.arange(20_000, dtype=np.int32), seed=1, replicates=100)
    prior = Prior(0.1, NAMES)
    losses = [gate for gate in scorer_gates("t", "lightgbm", test) if gate.condition == NO_WORSE]
    assert [passed(losses), passed(champion_gates("t", test, prior, prior, {}))] == [not held] * 2


def forest(number: int) -> Trees:
    """So many trees of one split each."""
    draw = np.random.default_rng(0)
    rows, labels = draw.random((400, len(NAMES))).astype(np.float32), draw.integers(0, 2, 400)
    data = lightgbm.Dataset(rows, labels, feature_name=list(NAMES))
    shape = {"objective": "binary", "num_leaves": 2, "verbosity": -1, "num_threads": 1, "learning_rate": 0.01}
    return Trees("t", lightgbm.train(shape, data, number).model_to_string(), NAMES)


@pytest.mark.parametrize(
    ("gate", "verdict"),
    [
        (Gate("t", "logistic", "c", 0.1, 0.0), True),
        (Gate("t", "logistic", "c", 0.0, 0.0), False),
        (Gate("t", "logistic", "c", 0.03, 0.03, at_most=True), True),
        (Gate("t", "logistic", "c", 0.031, 0.03, at_most=True), False),
        (Gate("t", "logistic", "c", float("nan"), 0.03, at_most=True), False),
        (Gate("t", "logistic", "c", float("nan"), 0.0), False),
    ],
)
def test_a_gate_is_a_number_and_a_line(gate: Gate, verdict: bool) -> None:
    assert gate.passed is verdict
    assert passed([gate]) is earned([gate]) is verdict
    assert passed([replace(gate, holds=False)])


def test_what_nothing_speaks_for_earns_nothing() -> None:
    assert not earned([]) and passed([])
