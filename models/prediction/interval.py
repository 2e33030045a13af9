"""The interval of a probability, which should hold the rate among its customers, and its rank among all customers.

A calibrated probability is right on average. Among the customers given 0.3 the rate is 0.27 one month and 0.34 the
next, because shops drift and samples are small. `Intervals` say by how much, as a standard deviation in log-odds that
depends on the log-odds; training fits it on slices of time that the model had not seen. The uncertainty of the level
of all customers together (`models.prediction.level`) is added to it.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from models.prediction.calibration import HIGHEST, LOWEST

INTERVAL = 0.9
"""The share of cases in which the rate is inside the interval."""

NORMAL = 1.6448536269514722
"""Standard deviations of a normal distribution to either side that hold `INTERVAL` of it."""

_POINTS = 241
"""The number of probabilities for which the ends of the interval are computed; between them they are interpolated."""


def wilson(share: float, number: float, deviations: float = NORMAL) -> tuple[float, float]:
    """The ends of the interval of a share of a positive `number` of independent cases (Wilson, 1927).

    It reaches as far to either side as so many standard deviations of a normal distribution.
    """
    shrunk = 1.0 + deviations**2 / number
    middle = (share + deviations**2 / (2.0 * number)) / shrunk
    half = deviations * math.sqrt(share * (1.0 - share) / number + deviations**2 / (4.0 * number**2)) / shrunk
    return max(0.0, middle - half), min(1.0, middle + half)


@dataclass(frozen=True, slots=True)
class Intervals:
    """Standard deviations in log-odds, `deviations`, at the log-odds `places`; constant beyond the first and last.

    `interval` (one probability) and `interval_many` (an array) give the same bits for the same probability.
    """

    places: tuple[float, ...]
    deviations: tuple[float, ...]
    _knots: tuple[float, ...] = field(init=False, repr=False, compare=False)
    _ends: tuple[tuple[float, ...], tuple[float, ...]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.places or len(self.places) != len(self.deviations):
            raise ValueError(f"Intervals have {len(self.places)} places and {len(self.deviations)} deviations.")
        if not all(map(math.isfinite, self.places)) or any(after <= before for before, after in pairwise(self.places)):
            raise ValueError("The places of intervals are not finite and strictly increasing.")
        if not all(math.isfinite(deviation) and deviation >= 0.0 for deviation in self.deviations):
            raise ValueError("The deviations of intervals are not finite numbers of at least zero.")
        edge = math.log(HIGHEST / (1.0 - HIGHEST))
        margins = np.linspace(-edge, edge, _POINTS)
        width = NORMAL * self.deviation(margins)
        ends = (np.clip(1.0 / (1.0 + np.exp(-(margins + side * width))), LOWEST, HIGHEST) for side in (-1.0, 1.0))
        object.__setattr__(self, "_knots", tuple((1.0 / (1.0 + np.exp(-margins))).tolist()))
        object.__setattr__(self, "_ends", tuple(tuple(curve.tolist()) for curve in ends))

    @staticmethod
    def constant(deviation: float) -> Intervals:
        """The same deviation at every probability."""
        return Intervals((0.0,), (float(deviation),))

    def widened(self, deviation: float) -> Intervals:
        """The intervals with a further, independent error of this standard deviation at every probability."""
        if deviation == 0.0:
            return self
        return Intervals(self.places, tuple(math.hypot(known, deviation) for known in self.deviations))

    def deviation(self, margins: NDArray[np.float64]) -> NDArray[np.float64]:
        """The standard deviation at these log-odds: float64 of the same shape."""
        return np.interp(margins, self.places, self.deviations)

    def interval(self, probability: float) -> tuple[float, float]:
        """The lowest and the highest rate to expect, in `INTERVAL` of the cases."""
        right = min(max(bisect_right(self._knots, probability), 1), _POINTS - 1)
        start, end = self._knots[right - 1], self._knots[right]
        share = min(max((probability - start) / (end - start), 0.0), 1.0)
        low, high = (curve[right - 1] + (curve[right] - curve[right - 1]) * share for curve in self._ends)
        return min(low, probability), max(high, probability)

    def interval_many(self, probabilities: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """The operations of `interval` on an array, in the same order, so that every rounding is the same."""
        knots = np.array(self._knots)
        right = np.clip(np.searchsorted(knots, probabilities, side="right"), 1, _POINTS - 1)
        start, end = knots[right - 1], knots[right]
        share = np.clip((probabilities - start) / (end - start), 0.0, 1.0)
        low, high = (
            curve[right - 1] + (curve[right] - curve[right - 1]) * share for curve in map(np.array, self._ends)
        )
        return np.minimum(low, probabilities), np.maximum(high, probabilities)

    def to_fields(self) -> dict[str, list[float]]:
        """The intervals as JSON values."""
        return {"places": list(self.places), "deviations": list(self.deviations)}


CERTAIN = Intervals.constant(0.0)
"""No uncertainty: the interval is the probability alone."""


@dataclass(frozen=True, slots=True)
class Ranks:
    """`quantiles` of a score among customers, at equal steps from the least to the greatest."""

    quantiles: tuple[float, ...]

    def __post_init__(self) -> None:
        if len(self.quantiles) < 2 or not all(map(math.isfinite, self.quantiles)):
            raise ValueError(f"Ranks have {len(self.quantiles)} quantiles; expected two or more finite numbers.")
        if any(after < before for before, after in pairwise(self.quantiles)):
            raise ValueError("The quantiles of ranks decrease.")

    @staticmethod
    def of(scores: NDArray[np.float64], number: int = 101) -> Ranks:
        """The ranks of these customers' scores, float64[n]; `EVEN` when there is none."""
        if not len(scores):
            return EVEN
        quantiles = np.quantile(scores, np.linspace(0.0, 1.0, number))
        return Ranks(tuple(np.maximum.accumulate(quantiles).tolist()))

    def percentile(self, score: float) -> float:
        """The share of customers with a lower score, in percent; customers with the same score count half."""
        left, right = bisect_left(self.quantiles, score), bisect_right(self.quantiles, score)
        if left < right:
            place = 0.5 * (left + right - 1)
        elif 0 < left < len(self.quantiles):
            start, end = self.quantiles[left - 1], self.quantiles[left]
            place = left - 1 + (score - start) / (end - start)
        else:
            place = float(min(left, len(self.quantiles) - 1))
        return 100.0 * place / (len(self.quantiles) - 1)

    def percentile_many(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """The operations of `percentile` on an array, in the same order."""
        quantiles, last = np.array(self.quantiles), len(self.quantiles) - 1
        left, right = (np.searchsorted(quantiles, scores, side=side) for side in ("left", "right"))
        after = np.clip(left, 1, last)
        start, width = quantiles[after - 1], quantiles[after] - quantiles[after - 1]
        between = after - 1 + np.clip(scores - start, 0.0, width) / np.where(width > 0.0, width, 1.0)
        outside = np.minimum(left, last).astype(np.float64)
        inside = (left > 0) & (left <= last)
        place = np.where(left < right, 0.5 * (left + right - 1), np.where(inside, between, outside))
        percentiles: NDArray[np.float64] = 100.0 * place / last
        return percentiles


EVEN = Ranks((0.0, 1.0))
"""For use where no other customers are known: the percentile is the probability in percent."""
