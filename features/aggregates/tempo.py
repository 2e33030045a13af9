"""Tempo: the gaps between events, and how long ago the second, third and fifth latest were."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from features.aggregates.base import Aggregate, Row, Slots
from features.aggregates.kernels import NAN, NEVER, elapsed, second
from features.grammar import duration_text

RECENT_SHARE = 0.3
"""Weight of the newest gap in the recent gap."""


def sample_deviation(spread: float, number: int) -> float:
    """Standard deviation from a sum of squared differences."""
    return math.sqrt(spread / (number - 1)) if number > 1 else NAN


@dataclass(frozen=True)
class Gaps(Aggregate):
    """The days between consecutive events: mean, deviation, longest, recent, and mean and deviation of their logarithm.

    Gaps are measured in log order. An event no later than the latest so far ends no gap, nor does one that follows
    within `least` microseconds. Means are running ones (Welford 1962); the recent gap weighs each new gap with 0.3.
    """

    texts: ClassVar[dict[str, str]] = {
        "number": "number of gaps between one {0} and the next",
        "mean": "mean days from one {0} to the next",
        "deviation": "deviation of the days from one {0} to the next",
        "longest": "longest pause between one {0} and the next, in days",
        "recent": "recent days from one {0} to the next",
        "log_mean": "mean log(1 + days) from one {0} to the next",
        "log_deviation": "deviation of log(1 + days) from one {0} to the next",
    }
    least: int
    uses: ClassVar[tuple[Callable[..., Any], ...]] = (sample_deviation,)

    def parameters(self) -> dict[str, float | int]:
        """The least pause in whole seconds."""
        return {"least": self.least // 1_000_000}

    def empty(self) -> Slots:
        """No gap yet."""
        zero = np.float32(0)
        return {
            "moment": np.uint32(NEVER), "mean": zero, "spread": zero, "log_mean": zero, "log_spread": zero,
            "longest": zero, "recent": zero, "number": np.uint16(0),
        }  # fmt: skip

    @staticmethod
    def update(
        moment: int, mean: float, spread: float, log_mean: float, log_spread: float, longest: float, recent: float,
        number: int, at: int, least: int,
    ) -> tuple[int, float, float, float, float, float, float, int]:  # fmt: skip
        happened = second(at)
        if moment == NEVER or happened <= moment or happened - moment < least or number == 65_535:
            moment = happened if happened > moment else moment
            return moment, mean, spread, log_mean, log_spread, longest, recent, number
        gap = (happened - moment) / 86_400.0
        logarithm = math.log1p(gap)
        number += 1
        moved = mean + (gap - mean) / number
        log_moved = log_mean + (logarithm - log_mean) / number
        spread += (gap - mean) * (gap - moved)
        log_spread += (logarithm - log_mean) * (logarithm - log_moved)
        recent = gap if number == 1 else recent + 0.3 * (gap - recent)
        return happened, moved, spread, log_moved, log_spread, gap if gap > longest else longest, recent, number

    @staticmethod
    def read_number(number: int) -> float:
        return float(number)

    @staticmethod
    def read_mean(number: int, mean: float) -> float:
        return mean if number > 0 else NAN

    @staticmethod
    def read_deviation(number: int, spread: float) -> float:
        return sample_deviation(spread, number)

    @staticmethod
    def read_log_mean(number: int, log_mean: float) -> float:
        return log_mean if number > 0 else NAN

    @staticmethod
    def read_log_deviation(number: int, log_spread: float) -> float:
        return sample_deviation(log_spread, number)

    @staticmethod
    def read_longest(number: int, longest: float) -> float:
        return longest if number > 0 else NAN

    @staticmethod
    def read_recent(number: int, recent: float) -> float:
        return recent if number > 0 else NAN

    def _gaps(self, history: Sequence[Row]) -> list[float]:
        gaps: list[float] = []
        moment = None
        for row in self.selected(history):
            happened = row.at // 1_000_000
            if moment is not None and happened > moment and happened - moment >= self.least // 1_000_000:
                gaps.append((happened - moment) / 86_400)
            moment = happened if moment is None else max(moment, happened)
        return gaps[:65_535]

    def meaning_number(self, history: Sequence[Row], now: int) -> float:
        """How many gaps there were."""
        return float(len(self._gaps(history)))

    def meaning_mean(self, history: Sequence[Row], now: int) -> float:
        """The mean gap in days; unknown without a gap."""
        return _mean(self._gaps(history))

    def meaning_deviation(self, history: Sequence[Row], now: int) -> float:
        """The sample standard deviation of the gaps in days; unknown with fewer than two."""
        return _deviation(self._gaps(history))

    def meaning_log_mean(self, history: Sequence[Row], now: int) -> float:
        """The mean of log(1 + days)."""
        return _mean([math.log1p(gap) for gap in self._gaps(history)])

    def meaning_log_deviation(self, history: Sequence[Row], now: int) -> float:
        """The sample standard deviation of log(1 + days)."""
        return _deviation([math.log1p(gap) for gap in self._gaps(history)])

    def meaning_longest(self, history: Sequence[Row], now: int) -> float:
        """The longest gap in days; unknown without a gap."""
        return max(self._gaps(history), default=NAN)

    def meaning_recent(self, history: Sequence[Row], now: int) -> float:
        """The gaps in days, each new one weighing 0.3 and all before it 0.7."""
        recent = NAN
        for gap in self._gaps(history):
            recent = gap if math.isnan(recent) else 0.7 * recent + RECENT_SHARE * gap
        return recent

    def __str__(self) -> str:
        pause = f" (pauses of at least {duration_text(self.least)})" if self.least else ""
        return f"days from one {self.selection} to the next{pause}"


def _mean(values: list[float]) -> float:
    return math.fsum(values) / len(values) if values else NAN


def _deviation(values: list[float]) -> float:
    if len(values) < 2:
        return NAN
    mean = _mean(values)
    return math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1))


@dataclass(frozen=True)
class Newest(Aggregate):
    """How long ago the second, third and fifth latest events were."""

    texts: ClassVar[dict[str, str]] = {
        "second": "time since the second latest {0}",
        "third": "time since the third latest {0}",
        "fifth": "time since the fifth latest {0}",
    }
    commutes: ClassVar[bool] = True

    def empty(self) -> Slots:
        """No event yet."""
        return {"moments": np.zeros(5, np.uint32)}

    @staticmethod
    def update(moments: Any, at: int) -> None:
        happened = second(at)
        for k in range(5):
            if happened > moments[k]:
                earlier = moments[k]
                moments[k] = happened
                happened = earlier

    @staticmethod
    def read_second(moments: Any, now: int) -> float:
        return elapsed(moments[1], now) if moments[1] != NEVER else NAN

    @staticmethod
    def read_third(moments: Any, now: int) -> float:
        return elapsed(moments[2], now) if moments[2] != NEVER else NAN

    @staticmethod
    def read_fifth(moments: Any, now: int) -> float:
        return elapsed(moments[4], now) if moments[4] != NEVER else NAN

    def _age(self, history: Sequence[Row], now: int, rank: int) -> float:
        seconds = sorted((row.at // 1_000_000 for row in self.selected(history)), reverse=True)
        return max(0, now // 1_000_000 - seconds[rank - 1]) * 1e6 if len(seconds) >= rank else NAN

    def meaning_second(self, history: Sequence[Row], now: int) -> float:
        """Microseconds since the second latest event."""
        return self._age(history, now, 2)

    def meaning_third(self, history: Sequence[Row], now: int) -> float:
        """Microseconds since the third latest event."""
        return self._age(history, now, 3)

    def meaning_fifth(self, history: Sequence[Row], now: int) -> float:
        """Microseconds since the fifth latest event."""
        return self._age(history, now, 5)

    def __str__(self) -> str:
        return f"latest {self.selection}"
