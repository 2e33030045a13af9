"""Counts, totals, means and deviations over a customer's whole history."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from features.aggregates.base import Aggregate, Row, Slots
from features.aggregates.kernels import NAN


@dataclass(frozen=True)
class Count(Aggregate):
    """How many events there were; at most 65,535 are counted."""

    commutes: ClassVar[bool] = True

    def empty(self) -> Slots:
        """No event yet."""
        return {"number": np.uint16(0)}

    @staticmethod
    def update(number: int) -> int:
        return number + 1 if number < 65_535 else number

    @staticmethod
    def read(number: int) -> float:
        return float(number)

    def meaning(self, history: Sequence[Row], now: int) -> float:
        """The length of the selected history, at most 65,535."""
        return float(min(len(self.selected(history)), 65_535))

    def __str__(self) -> str:
        return f"number of {self.selection}"


@dataclass(frozen=True)
class Total(Aggregate):
    """The sum of a column."""

    commutes: ClassVar[bool] = True

    def empty(self) -> Slots:
        """Nothing summed yet."""
        return {"sum": np.float64(0)}

    @staticmethod
    def update(sum: float, value: float) -> float:
        return sum + value

    @staticmethod
    def read(sum: float) -> float:
        return sum

    def meaning(self, history: Sequence[Row], now: int) -> float:
        """The sum over the selected history."""
        return math.fsum(self.value_of(row) for row in self.selected(history))

    def __str__(self) -> str:
        return f"total {self.selection}"


@dataclass(frozen=True)
class Moments(Aggregate):
    """Running mean and standard deviation of a column (Welford 1962), over its first 65,535 values."""

    texts: ClassVar[dict[str, str]] = {"mean": "mean {0}", "deviation": "deviation of {0}"}
    commutes: ClassVar[bool] = True

    def empty(self) -> Slots:
        """No value yet."""
        return {"mean": np.float32(0), "spread": np.float32(0), "number": np.uint16(0)}

    @staticmethod
    def update(mean: float, spread: float, number: int, value: float) -> tuple[float, float, int]:
        if number == 65_535:
            return mean, spread, number
        moved = mean + (value - mean) / (number + 1)
        return moved, spread + (value - mean) * (value - moved), number + 1

    @staticmethod
    def read_mean(number: int, mean: float) -> float:
        return mean if number > 0 else NAN

    @staticmethod
    def read_deviation(number: int, spread: float) -> float:
        return math.sqrt(spread / (number - 1)) if number > 1 else NAN

    def meaning_mean(self, history: Sequence[Row], now: int) -> float:
        """The arithmetic mean; unknown without a value."""
        values = [self.value_of(row) for row in self.selected(history)[:65_535]]
        return math.fsum(values) / len(values) if values else NAN

    def meaning_deviation(self, history: Sequence[Row], now: int) -> float:
        """The sample standard deviation; unknown with fewer than two values."""
        values = [self.value_of(row) for row in self.selected(history)[:65_535]]
        if len(values) < 2:
            return NAN
        mean = math.fsum(values) / len(values)
        return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))

    def __str__(self) -> str:
        return str(self.selection)
