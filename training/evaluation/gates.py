"""Gates: the conditions that a model has to pass before it may answer. A gate is a number and its threshold.

Some gates *hold back*: a model that fails one does not answer, and the tier below is tried in its place
(`training.run.promotion`). Below the lowest tier is the base rate of the latest period (`training.fitting.base_rate`),
with which these gates compare; no gate holds it back, so that there always is an answer. The other gates have to be
*earned*: they decide the evidence of an answer.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import pi, sqrt

import numpy as np
from numpy.typing import NDArray
from scipy.stats import norm

from features.events import Stage
from models.prediction.interval import INTERVAL
from models.prediction.tiers import Tier, Trees
from training.evaluation.evaluation import Evaluation, Figure
from training.evaluation.metrics import BINS
from training.fitting.calibration import row_losses
from training.fitting.intervals import GROUP

CALIBRATION_ERROR = 0.03
"""The largest calibration error of calibrated probabilities, in a test of `ENOUGH_ROWS` or more."""

ENOUGH_ROWS = 2_000
"""In tests with fewer rows a larger error is allowed, because noise adds to it."""

WIDE = 0.05
"""How far the coverage of an interval may be below its nominal share, besides what chance explains."""

BEATEN = ("rfm_logistic", "recency_rule", "base_rate")
"""Baselines that a scorer has to beat in ROC-AUC by more than chance explains."""

CHAMPION, MEAN = "champion", "mean"
"""The names of the champion's model and of the mean among the models of a test."""

DEVIANCE = "deviance"
"""The metric of an amount that is least for the true mean."""

NEGLIGIBLE = 0.002
"""The significant loss in log loss that is tolerated, as much as log-odds off by 0.2 cost at a rate of one in ten. Two
nearly equal models, such as the same model trained again, may differ significantly but by next to nothing."""

SLOWER = 2.0
"""How many times the time of the champion's a score may take. Time is proportional to the number of trees."""

LOWEST = "base_rate"
"""The tier name of the rate, the mean or the shares of the latest period, which no gate holds back."""

FITS = "log loss over the base rate, upper end of the interval"
NO_WORSE = "log loss over the base rate, lower end of the interval"
CALIBRATED = "calibration error"
NEARER = "deviance over mean, upper end of the interval"
"""Conditions of gates that decide the evidence."""

FEW_TREES = 50
"""A champion with fewer trees counts as one with so many: so few take no longer than reading the request."""

CERTAINTY = 0.99
"""The confidence, over all stages together, with which a scorer has to be worse in one of them to be held back."""


@dataclass(frozen=True, slots=True)
class Gate:
    """One condition on the model of a target: `value` must be above `threshold`, or not above it when `at_most`.

    `tier` is the tier that was tested; `holds` says whether failing the gate holds it back.
    """

    subject: str
    tier: str
    condition: str
    value: float
    threshold: float
    at_most: bool = False
    holds: bool = True

    @property
    def passed(self) -> bool:
        """Whether the condition holds; never for a value that is not a number."""
        return self.value <= self.threshold if self.at_most else self.value > self.threshold

    @property
    def sentence(self) -> str:
        """The value and the threshold in words."""
        wanted = "at most" if self.at_most else "above"
        return f"{self.condition} was {self.value:.4g}, {wanted} {self.threshold:.4g} was expected"


def scorer_gates(target: str, tier: str, test: Evaluation) -> list[Gate]:
    """To be earned: ranking and fitting significantly better than the baselines, and a small calibration error.

    Held back is a model that fits significantly worse than the base rate of the latest period, or whose calibration
    error is above both the allowed one and that of the base rate: no model is replaced by a rate that is further off.
    """

    def beats(baseline: str) -> Gate:
        difference: Figure = test.over[baseline]["roc_auc"]
        return Gate(
            target, tier, f"ROC-AUC over {baseline}, lower end of the interval", difference.low, 0.0, holds=False
        )

    loss, holds = test.over["base_rate"]["log_loss"], tier != LOWEST
    error = next(iter(test.figures.values()))["calibration_error"].value
    allowed = calibration_threshold(test)
    most = max(allowed, test.figures["base_rate"]["calibration_error"].value)
    return [
        *(beats(baseline) for baseline in BEATEN),
        Gate(target, tier, FITS, loss.high, 0.0, at_most=True, holds=False),
        Gate(target, tier, NO_WORSE, loss.low, NEGLIGIBLE, at_most=True, holds=holds),
        Gate(target, tier, CALIBRATED, error, allowed, at_most=True, holds=False),
        Gate(target, tier, "calibration error beside the base rate's", error, most, at_most=True, holds=holds),
    ]


def interval_gate(target: str, tier: str, coverage: float, rows: int) -> Gate:
    """To be earned: the coverage of the 90 % interval, over groups of customers, is no lower than chance explains."""
    groups = max(1, rows // GROUP)
    least = INTERVAL - WIDE - 2.0 * sqrt(INTERVAL * (1.0 - INTERVAL) / groups)
    return Gate(target, tier, "share of groups inside their interval", coverage, least, holds=False)


def calibration_threshold(test: Evaluation) -> float:
    """The largest calibration error allowed in this test: `CALIBRATION_ERROR` from `ENOUGH_ROWS` rows on.

    With fewer rows, twice the noise is added. The noise is the expected error of true probabilities: in each of the
    `BINS` bins, the mean of rows / `BINS` outcomes is off by sqrt(2 / pi) standard deviations on average, where each
    outcome has at most the variance of the base rate.
    """
    if test.rows >= ENOUGH_ROWS:
        return CALIBRATION_ERROR
    variance = test.base_rate * (1.0 - test.base_rate)
    return CALIBRATION_ERROR + 2.0 * sqrt(2.0 / pi * variance * BINS / test.rows)


def champion_gates(target: str, test: Evaluation, own: Tier, champion: Tier, stages: dict[str, float]) -> list[Gate]:
    """Not significantly worse than the champion's scorer on the same rows, overall and by stage, at most twice as slow.

    `stages` are the lower ends of `worse_by_stage`. The time is only compared where the champion has trees: a score of
    a lower tier takes next to no time, so any trees would be slower.
    """
    loss, before = test.over[CHAMPION]["log_loss"].low, trees(champion)
    most, tier = SLOWER * max(before, FEW_TREES), own.name
    speed = Gate(target, tier, "trees beside twice the champion's", float(trees(own)), most, at_most=True)
    return [
        Gate(target, tier, "log loss over the champion, lower end of the interval", loss, NEGLIGIBLE, at_most=True),
        *(
            Gate(target, tier, f"log loss over the champion in {stage}, lower end", low, NEGLIGIBLE, at_most=True)
            for stage, low in stages.items()
        ),
        *([speed] if before else []),
    ]


def trees(tier: Tier) -> int:
    """The number of trees of a tier; 0 below the highest tier."""
    return tier.text.count("\nTree=") if isinstance(tier, Trees) else 0


def worse_by_stage(
    given: NDArray[np.float64], champion: NDArray[np.float64], labels: NDArray[np.int8],
    customer: NDArray[np.int32], stage: NDArray[np.float32],
) -> dict[str, float]:  # fmt: skip
    """The lower end of the interval of how much worse `given` is than `champion` in log loss, by stage.

    Above zero it is significantly worse. The intervals hold in all stages at once with probability `CERTAINTY`
    (Bonferroni); the rows of a customer count as one observation.
    """
    worse, far = row_losses(given, labels) - row_losses(champion, labels), norm.isf((1.0 - CERTAINTY) / len(Stage))
    lowest = {}
    for value in Stage:
        rows = np.flatnonzero(stage == float(value))
        people = np.unique(customer[rows], return_inverse=True)[1]
        if len(rows) and people.max() > 0:
            mean = float(worse[rows].mean())
            error = sqrt(float((np.bincount(people, worse[rows] - mean) ** 2).sum())) / len(rows)
            lowest[value.name.lower()] = mean - float(far) * error
    return lowest


def amount_gates(target: str, tier: str, over: Mapping[str, Mapping[str, Figure]]) -> list[Gate]:
    """To be earned: smaller errors than every baseline. A significantly worse fit than the latest mean is held back.

    `over` are the model's errors less those of the others, by model and metric. The fit is measured by the deviance,
    which is least for the true mean; the absolute error would be least for the median.
    """
    gates = [
        Gate(target, tier, f"{kind} over {other}, upper end of the interval", more.high, 0.0, at_most=True, holds=False)
        for other, errors in over.items()
        for kind, more in errors.items()
        if other != CHAMPION
    ]
    low, holds = over[MEAN][DEVIANCE].low, tier != LOWEST
    gates.append(
        Gate(target, tier, "deviance over mean, lower end of the interval", low, 0.0, at_most=True, holds=holds)
    )
    return gates


def amount_champion_gates(target: str, tier: str, over: Mapping[str, Mapping[str, Figure]]) -> list[Gate]:
    """Not significantly worse than the champion's amount on the same rows."""
    return [
        Gate(target, tier, f"{kind} over the champion, lower end of the interval", more.low, 0.0, at_most=True)
        for kind, more in over.get(CHAMPION, {}).items()
        if kind == DEVIANCE
    ]


def stage_gates(target: str, tier: str, worse: Figure) -> list[Gate]:
    """To be earned: a significantly better fit than the latest shares. A significantly worse one is held back.

    `worse` is the log loss less that of the shares.
    """
    return [
        Gate(target, tier, FITS, worse.high, 0.0, at_most=True, holds=False),
        Gate(target, tier, NO_WORSE, worse.low, NEGLIGIBLE, at_most=True, holds=tier != LOWEST),
    ]


def stage_champion_gates(target: str, tier: str, worse: Figure) -> list[Gate]:
    """Not significantly worse than the champion's model on the same rows."""
    condition = "log loss over the champion, lower end of the interval"
    return [Gate(target, tier, condition, worse.low, NEGLIGIBLE, at_most=True)]


def held_back(gates: Sequence[Gate]) -> list[Gate]:
    """The gates that hold a model back."""
    return [gate for gate in gates if gate.holds and not gate.passed]


def passed(gates: Sequence[Gate]) -> bool:
    """Whether no gate holds the model back."""
    return not held_back(gates)


def earned(gates: Sequence[Gate], conditions: Sequence[str] = ()) -> bool:
    """Whether there are gates (of these conditions, where some are named) and all of them are passed."""
    asked = [gate for gate in gates if not conditions or gate.condition in conditions]
    return bool(asked) and all(gate.passed for gate in asked)
