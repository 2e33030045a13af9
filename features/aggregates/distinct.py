"""The number of different items or categories: an estimate from a small bitmap."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from features.aggregates.base import Aggregate, Row, Slots


def scatter_bit(value: int, bits: int) -> int:
    """A well-mixed position in [0, bits) for a code; `bits` is a power of two."""
    mixed = (int(value) * 2654435761) & 0xFFFFFFFF
    mixed = ((mixed ^ (mixed >> 15)) * 739982445) & 0xFFFFFFFF
    return (mixed ^ (mixed >> 12)) & (bits - 1)


@dataclass(frozen=True)
class Distinct(Aggregate):
    """How many different codes occurred, estimated by linear counting (Whang et al. 1990).

    Within about 5 % up to as many codes as there are bits; it never exceeds bits x ln(2 x bits).
    """

    bits: int
    commutes: ClassVar[bool] = True
    uses: ClassVar[tuple[Callable[..., Any], ...]] = (scatter_bit,)

    def __post_init__(self) -> None:
        if self.bits < 8 or self.bits & (self.bits - 1):
            raise ValueError(f"bits must be a power of two, at least 8, got {self.bits}")

    def empty(self) -> Slots:
        """An empty bitmap."""
        return {"ones": np.uint16(0), "bitmap": np.zeros(self.bits // 8, np.uint8)}

    @staticmethod
    def update(ones: int, bitmap: Any, value: int, bits: int) -> int:
        bit = scatter_bit(value, bits)
        mask = 1 << (bit & 7)
        if bitmap[bit >> 3] & mask:
            return ones
        bitmap[bit >> 3] |= mask
        return ones + 1

    @staticmethod
    def read(ones: int, bits: int) -> float:
        return bits * math.log(bits / (bits - ones)) if ones < bits else bits * math.log(2.0 * bits)

    def meaning(self, history: Sequence[Row], now: int) -> float:
        """Linear counting over the set of positions that the selected codes take."""
        zeros = self.bits - len({scatter_bit(int(self.value_of(row)), self.bits) for row in self.selected(history)})
        return self.bits * math.log(self.bits / (zeros or 0.5))

    def __str__(self) -> str:
        return f"number of different {self.selection}"
