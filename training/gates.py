"""Gates: what a bundle has to pass before it may become the champion. A gate is a number and the line it must cross."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import pi, sqrt

from training.evaluation import Evaluation, Figure
from training.metrics import BINS
from training.ranking import RankingEvaluation

CALIBRATION_ERROR = 0.03
"""Most that the probabilities may be off on average, in a test of `ENOUGH_ROWS` or more."""

ENOUGH_ROWS = 2_000
"""In smaller tests the error is allowed more, because noise alone makes one."""

BEATEN = ("rfm_logistic", "recency_rule", "base_rate")
"""Baselines that a scorer has to beat in ROC-AUC, beyond what chance explains."""


@dataclass(frozen=True, slots=True)
class Gate:
    """One condition on one model: `value` must be above `threshold`, or below it when `at_most`."""

    subject: str
    condition: str
    value: float
    threshold: float
    at_most: bool = False

    @property
    def passed(self) -> bool:
        """Whether the condition holds; never for a value that is not a number."""
        return self.value <= self.threshold if self.at_most else self.value > self.threshold


def scorer_gates(target: str, test: Evaluation) -> list[Gate]:
    """A scorer ranks better than each baseline, fits better than the rate alone, and means its numbers."""

    def beats(baseline: str) -> Gate:
        difference: Figure = test.over[baseline]["roc_auc"]
        return Gate(target, f"ROC-AUC over {baseline}, lower end of the interval", difference.low, 0.0)

    loss = test.over["base_rate"]["log_loss"].high
    error = next(iter(test.figures.values()))["calibration_error"].value
    return [
        *(beats(baseline) for baseline in BEATEN),
        Gate(target, "log loss over base_rate, upper end of the interval", loss, 0.0, at_most=True),
        Gate(target, "calibration error", error, calibration_threshold(test), at_most=True),
    ]


def calibration_threshold(test: Evaluation) -> float:
    """Most that the calibration error may be in this test: `CALIBRATION_ERROR` from `ENOUGH_ROWS` rows on.

    With fewer, twice the noise is added. The noise is the error expected of true probabilities: in each of the `BINS`
    the mean of rows / `BINS` outcomes is off by sqrt(2 / pi) standard deviations on average, where each outcome has at
    most the variance of the base rate.
    """
    if test.rows >= ENOUGH_ROWS:
        return CALIBRATION_ERROR
    variance = test.base_rate * (1.0 - test.base_rate)
    return CALIBRATION_ERROR + 2.0 * sqrt(2.0 / pi * variance * BINS / test.rows)


def recommender_gates(test: RankingEvaluation) -> list[Gate]:
    """The recommender ranks better than what is popular with everybody."""
    difference = test.over["popularity"]["ndcg_at_20"]
    return [Gate("recommender", "NDCG@20 over popularity, lower end of the interval", difference.low, 0.0)]


def passed(gates: Sequence[Gate]) -> bool:
    """Whether there are gates, and all are passed: what nothing speaks for is not promoted."""
    return bool(gates) and all(gate.passed for gate in gates)
