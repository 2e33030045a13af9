"""Gates: what a bundle has to pass before it may become the champion. A gate is a number and the line it must cross."""

from __future__ import annotations

from dataclasses import dataclass

from training.evaluation import Evaluation, Figure
from training.ranking import RankingEvaluation

CALIBRATION_ERROR = 0.03
"""Most that the probabilities may be off on average, beyond what chance explains: few customers make much noise."""

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
    error = next(iter(test.figures.values()))["calibration_error"].at_least
    return [
        *(beats(baseline) for baseline in BEATEN),
        Gate(target, "log loss over base_rate, upper end of the interval", loss, 0.0, at_most=True),
        Gate(target, "calibration error, lower end of the interval", error, CALIBRATION_ERROR, at_most=True),
    ]


def recommender_gates(test: RankingEvaluation) -> list[Gate]:
    """The recommender ranks better than what is popular with everybody."""
    difference = test.over["popularity"]["ndcg_at_20"]
    return [Gate("recommender", "NDCG@20 over popularity, lower end of the interval", difference.low, 0.0)]


def passed(gates: list[Gate]) -> bool:
    """Whether there are gates, and all are passed: what nothing speaks for is not promoted."""
    return bool(gates) and all(gate.passed for gate in gates)
