"""The answer of a scorer about a customer: the value, its interval, and its rank among all customers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BANDS: dict[str, float] = {"lower half": 0.0, "upper half": 50.0, "top fifth": 80.0, "top twentieth": 95.0}
"""Names of ranks among the customers, and the percentile from which each holds. A rank says nothing about the value
itself: a probability of 0.7 is in the lower half where most are higher."""

EVIDENCE: dict[str, str] = {
    "A": "tested on later outcomes: ranks and fits significantly better than every baseline, and is calibrated",
    "B": "tested on later outcomes: fits significantly better than the base rate, and is calibrated",
    "C": "tested on later outcomes: is calibrated, but fits not significantly better than the base rate",
    "D": "a rate of many customers, a model without a test on later outcomes, or one not calibrated in its test",
    "E": "the prior, adjusted by the little data there is",
}
"""What the answer of a target rests on, as measured, the strongest first; the kind of model does not matter."""

WITHOUT_MEASUREMENT = "D"
"""The best evidence of an answer about a kind of customer for which nothing was measured."""

_STARTS = np.array(list(BANDS.values()))
_NAMES = np.array(list(BANDS))


@dataclass(frozen=True, slots=True)
class Estimate:
    """One answer: `value`, and the 90 % interval from `low` to `high` around it.

    `rank_percentile` (0 to 100) is the share of the newest customers in scope below it, `rank_band` its name.
    """

    value: float
    low: float
    high: float
    rank_percentile: float
    rank_band: str


@dataclass(frozen=True, eq=False)
class Estimates:
    """Answers for n customers: every part an array of n."""

    value: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    rank_percentile: NDArray[np.float64]

    @property
    def rank_band(self) -> NDArray[np.str_]:
        """The names of the ranks."""
        named: NDArray[np.str_] = _NAMES[np.searchsorted(_STARTS, self.rank_percentile, side="right") - 1]
        return named


def band_of(percentile: float) -> str:
    """The name of a rank: the one of `BANDS` that the percentile has reached."""
    if percentile < 80.0:
        return "lower half" if percentile < 50.0 else "upper half"
    return "top fifth" if percentile < 95.0 else "top twentieth"


def evidence_of(*, tested: bool, ranks: bool, fits: bool, calibrated: bool, learnt: bool) -> str:
    """A letter of `EVIDENCE`, from what was measured.

    `tested`: on later outcomes. `ranks`: significantly better than every baseline. `fits`: significantly better than
    the base rate. `calibrated`: the rates observed agree with the probabilities. `learnt`: the model distinguishes
    customers; this counts only without a test.
    """
    if not tested:
        return "D" if learnt else "E"
    if not calibrated:
        return "D"
    return ("A" if ranks else "B") if fits else "C"
