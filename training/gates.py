"""Gates: what a bundle has to pass before it may become the champion. A gate is a number and the line it must cross.

Some gates *hold back*: a bundle that fails one is not promoted. The others have to be *earned*: a target that passes
all of them is answered with the evidence A, and one that does not says so on its card, because a shop's first hundred
customers deserve the answer that there is.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import pi, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from features.events import Stage
from models.rungs import Rung, Trees
from training.evaluation import Evaluation, Figure
from training.metrics import BINS
from training.ranking import RankingEvaluation
from training.scorers import row_losses

CALIBRATION_ERROR = 0.03
"""Most that the probabilities may be off on average, in a test of `ENOUGH_ROWS` or more."""

ENOUGH_ROWS = 2_000
"""In smaller tests the error is allowed more, because noise alone makes one."""

BEATEN = ("rfm_logistic", "recency_rule", "base_rate")
"""Baselines that a scorer has to beat in ROC-AUC, beyond what chance explains."""

CHAMPION = "champion"
"""The name of the champion's scorer among the models of a test."""

NEGLIGIBLE = 0.002
"""Log loss that a scorer may lose for sure: log-odds off by 0.2 for one in ten. Of two rates that differ in the third
digit, or of a model and the same trained anew, one is surely worse by next to nothing, and holds nothing back."""

SLOWER = 2.0
"""How many times as long as the champion's one score may take. Time is in proportion to the trees."""

FEW_TREES = 50
"""A champion of fewer trees counts as one of so many: they take no longer than reading the question does."""

CERTAINTY = 0.99
"""How sure it has to be, over all stages together, that a scorer is worse in one of them."""


@dataclass(frozen=True, slots=True)
class Gate:
    """One condition on one model: `value` must be above `threshold`, or not above it when `at_most`.

    `holds` tells whether failing it holds the bundle back.
    """

    subject: str
    condition: str
    value: float
    threshold: float
    at_most: bool = False
    holds: bool = True

    @property
    def passed(self) -> bool:
        """Whether the condition holds; never for a value that is not a number."""
        return self.value <= self.threshold if self.at_most else self.value > self.threshold


def scorer_gates(target: str, test: Evaluation) -> list[Gate]:
    """To be earned: to rank and to fit better than the baselines. Held back is what fits worse or is off on average."""

    def beats(baseline: str) -> Gate:
        difference: Figure = test.over[baseline]["roc_auc"]
        return Gate(target, f"ROC-AUC over {baseline}, lower end of the interval", difference.low, 0.0, holds=False)

    loss = test.over["base_rate"]["log_loss"]
    error = next(iter(test.figures.values()))["calibration_error"].value
    return [
        *(beats(baseline) for baseline in BEATEN),
        Gate(target, "log loss over base_rate, upper end of the interval", loss.high, 0.0, at_most=True, holds=False),
        Gate(target, "log loss over base_rate, lower end of the interval", loss.low, NEGLIGIBLE, at_most=True),
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


def champion_gates(target: str, test: Evaluation, own: Rung, champion: Rung, stages: dict[str, float]) -> list[Gate]:
    """No worse than the champion's scorer on the same rows, in all and in each stage, and no slower than twice it.

    `stages` are the lower ends of `worse_by_stage`. Trees are held against trees alone: what climbs from a lower rung
    of the ladder, where a score takes next to no time, is slower by nature.
    """
    loss, before = test.over[CHAMPION]["log_loss"].low, trees(champion)
    speed = Gate(
        target, "trees, at most twice the champion's", float(trees(own)), SLOWER * max(before, FEW_TREES), at_most=True
    )
    return [
        Gate(target, "log loss over the champion, lower end of the interval", loss, NEGLIGIBLE, at_most=True),
        *(
            Gate(target, f"log loss over the champion in {stage}, lower end", low, NEGLIGIBLE, at_most=True)
            for stage, low in stages.items()
        ),
        *([speed] if before else []),
    ]


def trees(rung: Rung) -> int:
    """The number of trees that a score takes; none below the highest rung."""
    return rung.text.count("\nTree=") if isinstance(rung, Trees) else 0


def worse_by_stage(
    given: NDArray[np.float64], champion: NDArray[np.float64], labels: NDArray[np.int8],
    customer: NDArray[np.int32], stage: NDArray[np.float32],
) -> dict[str, float]:  # fmt: skip
    """The least that `given` may be worse than `champion` in log loss, by stage; above zero it is worse for sure.

    The lower end of an interval that holds, with the chance `CERTAINTY`, in all stages at once (Bonferroni); rows of
    one customer count as one.
    """
    worse, far = row_losses(given, labels) - row_losses(champion, labels), norm.isf((1.0 - CERTAINTY) / len(Stage))
    found = {}
    for each in Stage:
        rows = np.flatnonzero(stage == float(each))
        people = np.unique(customer[rows], return_inverse=True)[1]
        if len(rows) and people.max() > 0:
            mean = float(worse[rows].mean())
            error = sqrt(float((np.bincount(people, worse[rows] - mean) ** 2).sum())) / len(rows)
            found[each.name.lower()] = mean - float(far) * error
    return found


def amount_gates(target: str, over: Mapping[str, Mapping[str, Figure]]) -> list[Gate]:
    """To be earned: to be nearer than every baseline. Held back is what is worse than the mean, or than the champion.

    `over` are the own errors less those of the others, by model and metric.
    """
    gates: list[Gate] = []
    for other, errors in over.items():
        for kind, more in errors.items():
            if other != CHAMPION:
                condition = f"{kind} over {other}, upper end of the interval"
                gates.append(Gate(target, condition, more.high, 0.0, at_most=True, holds=False))
            if other in {CHAMPION, "mean"}:
                gates.append(
                    Gate(target, f"{kind} over {other}, lower end of the interval", more.low, 0.0, at_most=True)
                )
    return gates


def recommender_gates(test: RankingEvaluation) -> list[Gate]:
    """To be earned: to rank better than what is popular with everybody. Held back is what ranks worse."""
    difference = test.over["popularity"]["ndcg_at_20"]
    return [
        Gate("recommender", "NDCG@20 over popularity, lower end of the interval", difference.low, 0.0, holds=False),
        Gate("recommender", "NDCG@20 under popularity, lower end of the interval", -difference.high, 0.0, at_most=True),
    ]


def passed(gates: Sequence[Gate]) -> bool:
    """Whether no gate holds the bundle back."""
    return all(gate.passed for gate in gates if gate.holds)


def earned(gates: Sequence[Gate]) -> bool:
    """Whether there are gates, and all are passed."""
    return bool(gates) and all(gate.passed for gate in gates)
