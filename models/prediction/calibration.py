"""Calibration: from a model's raw probability to one that agrees with the rate observed.

Of the customers given 0.3, three in ten should do what the target asks. Boosted trees are rarely that exact, so a
small monotone curve, fitted on rows that the trees never saw, is applied to their output. Training fits the curve
(`training.fitting.calibration`); here it is only applied, written and read.

There are three curves: the *identity*, *isotonic* (Zadrozny and Elkan, 2002: a non-decreasing step curve, here with
straight lines between its knots) and *Platt* (Platt, 1999: a logistic curve over the log-odds). The last two are kept
inside [`LOWEST`, `HIGHEST`], because a finite sample is no evidence for "never".
"""

from __future__ import annotations

import math
from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

LOWEST = 1e-6
"""Least probability an isotonic or Platt calibration gives."""

HIGHEST = 1.0 - 1e-6
"""Greatest probability an isotonic or Platt calibration gives."""

_MARGIN_EDGE = 1e-15

CalibrationKind = Literal["identity", "isotonic", "platt"]


@dataclass(frozen=True, slots=True)
class Calibration:
    """A non-decreasing curve from raw probability to calibrated probability.

    Make one with `identity()`, `isotonic(knots, values)` or `platt(slope, intercept)`. `apply` (one value)
    and `apply_many` (an array) give the same bits for the same value.
    """

    kind: CalibrationKind
    knots: tuple[float, ...] = ()
    values: tuple[float, ...] = ()
    slope: float = 1.0
    intercept: float = 0.0

    @staticmethod
    def identity() -> Calibration:
        """The raw probability itself, untouched and unclipped."""
        return Calibration("identity")

    @staticmethod
    def isotonic(knots: Sequence[float], values: Sequence[float]) -> Calibration:
        """Straight lines through (`knots`, `values`), constant beyond the first and the last knot.

        `knots` are raw probabilities, strictly increasing; `values` are probabilities, never decreasing.
        ValueError otherwise.
        """
        return Calibration("isotonic", tuple(map(float, knots)), tuple(map(float, values)))

    @staticmethod
    def platt(slope: float, intercept: float) -> Calibration:
        """1 / (1 + exp(-(slope x margin + intercept))), with margin the log-odds of the raw probability.

        `slope` must be positive, so that the order of customers is kept; ValueError otherwise.
        """
        return Calibration("platt", slope=float(slope), intercept=float(intercept))

    def __post_init__(self) -> None:
        if self.kind == "isotonic":
            _check_knots(self.knots, self.values)
        elif self.kind == "platt":
            if not (math.isfinite(self.slope) and self.slope > 0.0 and math.isfinite(self.intercept)):
                raise ValueError(
                    f"Platt calibration has slope {self.slope} and intercept {self.intercept}; "
                    "expected a positive finite slope and a finite intercept."
                )
        elif self.kind != "identity":
            raise ValueError(f"Calibration kind is {self.kind!r}; expected identity, isotonic or platt.")

    def shifted(self, shift: float) -> Calibration:
        """The same curve with `shift` added to its log-odds; the curve itself for a shift of 0.

        Of an isotonic curve only the knots are shifted, with straight lines between them, so that a score costs no
        more time.
        """
        if shift == 0.0:
            return self
        if self.kind == "isotonic":
            return Calibration.isotonic(self.knots, [_moved(value, shift) for value in self.values])
        return Calibration.platt(self.slope, self.intercept + shift)

    def apply(self, raw: float) -> float:
        """Calibrated probability of one raw probability."""
        if self.kind == "isotonic":
            return self._interpolate(raw)
        if self.kind == "platt":
            return self._squash(raw)
        return raw

    def apply_many(self, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        """Calibrated probabilities of an array of raw probabilities: float64 of the same length."""
        if self.kind == "isotonic":
            return self._interpolate_many(raw)
        if self.kind == "platt":
            # numpy's exp and log may differ from math's in the last bit, so a batch uses the function of one value.
            return np.fromiter(map(self._squash, raw.tolist()), np.float64, count=len(raw))
        return raw.copy()

    def to_fields(self) -> dict[str, Any]:
        """JSON values; reading the floats gives back the same bits."""
        fields: dict[str, Any] = {"kind": self.kind}
        if self.kind == "isotonic":
            fields |= {"knots": list(self.knots), "values": list(self.values)}
        elif self.kind == "platt":
            fields |= {"slope": self.slope, "intercept": self.intercept}
        return fields

    @staticmethod
    def from_fields(fields: Mapping[str, Any]) -> Calibration:
        """The calibration of what `to_fields` gave; ValueError for anything else."""
        try:
            parameters = dict(fields)
            return _MAKERS[parameters.pop("kind")](**parameters)
        except (KeyError, TypeError, ValueError) as error:
            raise ValueError(
                f"Not a calibration: {str(fields)[:80]} ({error}); expected a kind and its parameters."
            ) from error

    def _interpolate(self, raw: float) -> float:
        right = bisect_right(self.knots, raw)
        if right == 0:
            value = self.values[0]
        elif right == len(self.knots):
            value = self.values[-1]
        else:
            start, end = self.knots[right - 1], self.knots[right]
            low, high = self.values[right - 1], self.values[right]
            # low + (high - low) may exceed high by one rounding; min keeps the curve non-decreasing.
            value = min(low + (high - low) * ((raw - start) / (end - start)), high)
        return min(max(value, LOWEST), HIGHEST)

    def _interpolate_many(self, raw: NDArray[np.float64]) -> NDArray[np.float64]:
        """The operations of `_interpolate`, in the same order, so that every rounding is the same."""
        knots, values = np.array(self.knots), np.array(self.values)
        right = np.searchsorted(knots, raw, side="right")
        after = np.minimum(right, len(knots) - 1)
        before = np.maximum(after - 1, 0)
        width = np.where(after == before, 1.0, knots[after] - knots[before])
        low, high = values[before], values[after]
        share = (np.clip(raw, knots[0], knots[-1]) - knots[before]) / width
        between = np.minimum(low + (high - low) * share, high)
        curve = np.where(right == 0, values[0], np.where(right == len(knots), values[-1], between))
        bounded: NDArray[np.float64] = np.clip(curve, LOWEST, HIGHEST)
        return bounded

    def _squash(self, raw: float) -> float:
        inside = min(max(raw, _MARGIN_EDGE), 1.0 - _MARGIN_EDGE)
        margin = self.slope * math.log(inside / (1.0 - inside)) + self.intercept
        if margin >= 0.0:
            value = 1.0 / (1.0 + math.exp(-margin))
        else:
            odds = math.exp(margin)
            value = odds / (1.0 + odds)
        return min(max(value, LOWEST), HIGHEST)


def _moved(value: float, shift: float) -> float:
    """A probability with `shift` added to its log-odds; 0 and 1 stay as they are."""
    if not 0.0 < value < 1.0:
        return value
    odds = value / (1.0 - value) * math.exp(min(max(shift, -700.0), 700.0))
    return odds / (1.0 + odds) if odds < math.inf else 1.0


_MAKERS: dict[str, Callable[..., Calibration]] = {
    "identity": Calibration.identity,
    "isotonic": Calibration.isotonic,
    "platt": Calibration.platt,
}


def _check_knots(knots: Sequence[float], values: Sequence[float]) -> None:
    if not knots or len(knots) != len(values):
        raise ValueError(
            f"Isotonic calibration has {len(knots)} knots and {len(values)} values; expected one or more pairs."
        )
    if not all(math.isfinite(knot) for knot in knots) or any(b <= a for a, b in pairwise(knots)):
        raise ValueError("Isotonic calibration's knots are not finite and strictly increasing.")
    if not all(0.0 <= value <= 1.0 for value in values) or any(b < a for a, b in pairwise(values)):
        raise ValueError("Isotonic calibration's values are not probabilities that never decrease.")
