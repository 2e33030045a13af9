"""Recency, tenure, latest and earliest values, and fading sums.

States keep times to the second.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from features.aggregates.base import Aggregate, Row, Slots
from features.aggregates.kernels import NAN, NEVER, elapsed, second
from features.grammar import duration_text


@dataclass(frozen=True)
class Since(Aggregate):
    """Microseconds since the latest event."""

    commutes: ClassVar[bool] = True

    def empty(self) -> Slots:
        """Never."""
        return {"moment": np.uint32(NEVER)}

    @staticmethod
    def update(moment: int, at: int) -> int:
        happened = second(at)
        return happened if happened > moment else moment

    @staticmethod
    def read(moment: int, now: int) -> float:
        return elapsed(moment, now) if moment != NEVER else NAN

    def meaning(self, history: Sequence[Row], now: int) -> float:
        """`now` less the largest `at`, in whole seconds; unknown when it never happened."""
        seconds = [row.at // 1_000_000 for row in self.selected(history)]
        return max(0, now // 1_000_000 - max(seconds)) * 1e6 if seconds else NAN

    def __str__(self) -> str:
        return f"time since the latest {self.selection}"


@dataclass(frozen=True)
class Age(Aggregate):
    """Microseconds since the first event."""

    commutes: ClassVar[bool] = True

    def empty(self) -> Slots:
        """Never."""
        return {"moment": np.uint32(NEVER)}

    @staticmethod
    def update(moment: int, at: int) -> int:
        happened = second(at)
        return happened if moment == NEVER or happened < moment else moment

    @staticmethod
    def read(moment: int, now: int) -> float:
        return elapsed(moment, now) if moment != NEVER else NAN

    def meaning(self, history: Sequence[Row], now: int) -> float:
        """`now` less the smallest `at`, in whole seconds; unknown when it never happened."""
        seconds = [row.at // 1_000_000 for row in self.selected(history)]
        return max(0, now // 1_000_000 - min(seconds)) * 1e6 if seconds else NAN

    def __str__(self) -> str:
        return f"time since the first {self.selection}"


@dataclass(frozen=True)
class Latest(Aggregate):
    """A column of the latest event; of two in the same second, the later in the log."""

    def empty(self) -> Slots:
        """Unknown."""
        return {"latest": np.float32(math.nan), "moment": np.uint32(NEVER)}

    @staticmethod
    def update(latest: float, moment: int, at: int, value: float) -> tuple[float, int]:
        happened = second(at)
        if happened >= moment:
            return float(value), happened
        return latest, moment

    @staticmethod
    def read(latest: float) -> float:
        return latest

    def meaning(self, history: Sequence[Row], now: int) -> float:
        """The value with the largest (second, place in the log)."""
        rows = self.selected(history)
        return (
            self.value_of(max(enumerate(rows), key=lambda pair: (pair[1].at // 1_000_000, pair[0]))[1]) if rows else NAN
        )

    def __str__(self) -> str:
        return f"latest {self.selection}"


@dataclass(frozen=True)
class Earliest(Aggregate):
    """A column of the first event; of two in the same second, the earlier in the log."""

    def empty(self) -> Slots:
        """Unknown."""
        return {"earliest": np.float32(math.nan), "moment": np.uint32(NEVER)}

    @staticmethod
    def update(earliest: float, moment: int, at: int, value: float) -> tuple[float, int]:
        happened = second(at)
        if moment == NEVER or happened < moment:
            return float(value), happened
        return earliest, moment

    @staticmethod
    def read(earliest: float) -> float:
        return earliest

    def meaning(self, history: Sequence[Row], now: int) -> float:
        """The value with the smallest (second, place in the log)."""
        rows = self.selected(history)
        return (
            self.value_of(min(enumerate(rows), key=lambda pair: (pair[1].at // 1_000_000, pair[0]))[1]) if rows else NAN
        )

    def __str__(self) -> str:
        return f"first {self.selection}"


@dataclass(frozen=True)
class Fading(Aggregate):
    """A sum in which each event's weight halves every `half_life` microseconds; exact, for any order."""

    half_life: int
    commutes: ClassVar[bool] = True

    def parameters(self) -> dict[str, float | int]:
        """The decay per second."""
        return {"rate": math.log(2.0) * 1e6 / self.half_life}

    def empty(self) -> Slots:
        """Nothing."""
        return {"weight": np.float32(0), "moment": np.uint32(NEVER)}

    @staticmethod
    def update(weight: float, moment: int, at: int, value: float, rate: float) -> tuple[float, int]:
        happened = second(at)
        if happened == moment:
            return weight + value, moment
        if happened > moment:
            return weight * math.exp((moment - happened) * rate) + value, happened
        return weight + value * math.exp((happened - moment) * rate), moment

    @staticmethod
    def read(weight: float, moment: int, now: int, rate: float) -> float:
        return weight * math.exp(-1e-6 * elapsed(moment, now) * rate)

    def meaning(self, history: Sequence[Row], now: int) -> float:
        """The sum of value x 2^(-age / half_life)."""
        return math.fsum(
            self.value_of(row) * 2.0 ** -((now // 1_000_000 - row.at // 1_000_000) * 1e6 / self.half_life)
            for row in self.selected(history)
        )

    def __str__(self) -> str:
        return f"{self.selection}, fading by half every {duration_text(self.half_life)}"
