"""The difference of two shares of customers, with its interval, and which of many differences are clear.

Both shares may be of the same customers, at another time or in part: what they have in common is counted customer by
customer, so a customer who is alike on both sides does not make the difference look less certain than it is.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.prediction.interval import NORMAL, wilson

LEAST = 30
"""The least number of customers for a share; with fewer, its interval would be too wide to be of use."""

FALSE = 0.1
"""The share of the clear differences of a table that may be false."""

Members = NDArray[np.bool_]


@dataclass(frozen=True)
class Share:
    """The customers of `part` among those of `whole`, which holds them all."""

    whole: Members
    part: Members

    @property
    def counts(self) -> tuple[int, int]:
        """How many customers `part` and `whole` are."""
        return int(np.count_nonzero(self.part)), int(np.count_nonzero(self.whole))

    def among(self, members: Members) -> Share:
        """The share among these customers."""
        return Share(self.whole & members, self.part & members)


@dataclass(frozen=True)
class Difference:
    """One share less another, its 90 % interval, and the probability of one as far from 0 where there is none."""

    value: float
    low: float
    high: float
    chance: float


def share_of(part: int, whole: int) -> tuple[float | None, float | None, float | None]:
    """A share and its 90 % interval; unknown for fewer than `LEAST`."""
    return (None, None, None) if whole < LEAST else (part / whole, *wilson(part / whole, whole))


def difference(one: Share, other: Share) -> Difference | None:
    """The difference of two shares; None where either is of fewer than `LEAST` customers.

    The interval is that of Zou and Donner (Statistics in Medicine, 2008) from the Wilson intervals of both shares and
    the correlation of the two, which is estimated with the customers as the sample.
    """
    (part, whole), (other_part, other_whole) = one.counts, other.counts
    if min(whole, other_whole) < LEAST:
        return None
    p, q = part / whole, other_part / other_whole
    low, high, other_low, other_high = *wilson(p, whole), *wilson(q, other_whole)
    correlation = _correlation(one, other)
    down = _length(p - low, other_high - q, correlation)
    up = _length(high - p, q - other_low, correlation)
    value = p - q
    toward = down if value > 0 else up
    deviations = NORMAL * abs(value) / max(toward, 1e-12)
    return Difference(value, value - down, value + up, math.erfc(deviations / math.sqrt(2.0)))


def _length(a: float, b: float, correlation: float) -> float:
    return math.sqrt(max(a * a - 2.0 * correlation * a * b + b * b, 0.0))


def _correlation(one: Share, other: Share) -> float:
    """The correlation of both estimates: what a customer of both sides adds to one, times what it adds to the other."""
    (part, whole), (other_part, other_whole) = one.counts, other.counts
    p, q = part / whole, other_part / other_whole
    scale = math.sqrt(p * (1 - p) * q * (1 - q) * whole * other_whole)
    if scale == 0.0:
        return 0.0
    both = [int(np.count_nonzero(a & b)) for a in (one.part, one.whole) for b in (other.part, other.whole)]
    covariance = both[0] - q * both[1] - p * both[2] + p * q * both[3]
    return min(max(covariance / scale, -1.0), 1.0)


def clear(chances: Sequence[float | None]) -> list[bool]:
    """Which differences of a table are clear, so that `FALSE` of them are expected to be false (Benjamini, Hochberg).

    A clear difference has an interval without 0, and more than that where a table has many rows.
    """
    known = sorted(chance for chance in chances if chance is not None)
    number = len(known)
    limit = max((c for rank, c in enumerate(known, start=1) if c <= FALSE * rank / number), default=-1.0)
    return [chance is not None and chance <= limit for chance in chances]
