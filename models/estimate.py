"""What a scorer says of a customer: the probability, how sure that is, and where it stands among the others."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BANDS: dict[str, float] = {"low": 0.0, "medium": 50.0, "high": 80.0, "very_high": 95.0}
"""From which percentile on a customer is in a band."""

EVIDENCE: dict[str, str] = {
    "A": "boosted trees that passed every gate of this target",
    "B": "boosted trees",
    "C": "logistic regression, or the closed form of buying",
    "D": "the rate of the customer's stage",
    "E": "one rate for everyone: what is believed before there is data, moved by what there is",
}
"""What stands behind an answer, the strongest first."""

_BY_RUNG = {"lightgbm": "B", "logistic": "C", "buyers": "C", "stage_rate": "D", "prior": "E"}
_STARTS = np.array(list(BANDS.values()))
_NAMES = np.array(list(BANDS))


@dataclass(frozen=True, slots=True)
class Estimate:
    """One answer: `value`, and the 90 % interval from `low` to `high` around it.

    `percentile` (0 to 100) is the share of the newest customers in scope below it, `band` its name.
    """

    value: float
    low: float
    high: float
    percentile: float
    band: str


@dataclass(frozen=True, eq=False)
class Estimates:
    """Answers for n customers: every part an array of n."""

    value: NDArray[np.float64]
    low: NDArray[np.float64]
    high: NDArray[np.float64]
    percentile: NDArray[np.float64]

    @property
    def band(self) -> NDArray[np.str_]:
        """The name of each one's band."""
        named: NDArray[np.str_] = _NAMES[np.searchsorted(_STARTS, self.percentile, side="right") - 1]
        return named


def band_of(percentile: float) -> str:
    """The band of a percentile: low below 50, medium below 80, high below 95, else very_high."""
    return (
        "low" if percentile < 50.0 else "medium" if percentile < 80.0 else "high" if percentile < 95.0 else "very_high"
    )


def evidence_of(rung: str, passed: bool) -> str:
    """A letter of `EVIDENCE`: `passed` tells whether the model passed the gates of its target."""
    letter = _BY_RUNG[rung]
    return "A" if letter == "B" and passed else letter
