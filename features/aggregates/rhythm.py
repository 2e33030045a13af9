"""At which hours and on which weekdays a customer is active (UTC)."""

from __future__ import annotations

import cmath
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from features.aggregates.base import Aggregate, Row, Slots
from features.aggregates.kernels import CEILING, CLOCK_COSINES, CLOCK_SINES, NAN, WEEK_COSINES, WEEK_SINES

EIGHTH = 10_800_000_000
"""Three hours, in microseconds."""


def tally(bins: Any, length: int, k: int) -> None:
    """Add one to bin k; when it is full, halve all bins first, which keeps the shares and lets old habits fade."""
    if bins[k] >= CEILING:
        for j in range(length):
            bins[j] = bins[j] // 2
    bins[k] += 1


def weekday(at: int) -> int:
    """Day of the week of a moment: Monday is 0."""
    return (at // 86_400_000_000 + 3) % 7


def share_of(bins: Any, length: int, first: int, last: int) -> float:
    """The share of bins first to last (inclusive) in all; NaN when all are empty."""
    total = 0.0
    part = 0.0
    for k in range(length):
        total += float(bins[k])
        if first <= k <= last:
            part += float(bins[k])
    return part / total if total > 0.0 else NAN


@dataclass(frozen=True)
class Rhythm(Aggregate):
    """Habits of the day and the week, in 8 bins of three hours and 7 of a day."""

    texts: ClassVar[dict[str, str]] = {
        "weekend": "share of {0} on Saturdays and Sundays",
        "evening": "share of {0} between 18:00 and midnight UTC",
        "weekday_now": "share of {0} on the present weekday",
        "hour_regularity": "regularity of the hour of {0}: 0 any hour, 1 always the same",
        "weekday_regularity": "regularity of the weekday of {0}: 0 any day, 1 always the same",
    }
    uses: ClassVar[tuple[Callable[..., Any], ...]] = (tally, weekday, share_of)

    def empty(self) -> Slots:
        """No habit yet."""
        return {"clock": np.zeros(8, np.uint8), "week": np.zeros(7, np.uint8)}

    @staticmethod
    def update(clock: Any, week: Any, at: int) -> None:
        tally(clock, 8, (at % 86_400_000_000) // 10_800_000_000)
        tally(week, 7, weekday(at))

    @staticmethod
    def read_weekend(week: Any) -> float:
        return share_of(week, 7, 5, 6)

    @staticmethod
    def read_evening(clock: Any) -> float:
        return share_of(clock, 8, 6, 7)

    @staticmethod
    def read_weekday_now(week: Any, now: int) -> float:
        today = weekday(now)
        return share_of(week, 7, today, today)

    @staticmethod
    def read_hour_regularity(clock: Any) -> float:
        x = 0.0
        y = 0.0
        total = 0.0
        for k in range(8):
            number = float(clock[k])
            x += number * CLOCK_COSINES[k]
            y += number * CLOCK_SINES[k]
            total += number
        return math.sqrt(x * x + y * y) / total if total > 0.0 else NAN

    @staticmethod
    def read_weekday_regularity(week: Any) -> float:
        x = 0.0
        y = 0.0
        total = 0.0
        for k in range(7):
            number = float(week[k])
            x += number * WEEK_COSINES[k]
            y += number * WEEK_SINES[k]
            total += number
        return math.sqrt(x * x + y * y) / total if total > 0.0 else NAN

    def _bins(self, history: Sequence[Row], length: int, places: list[int]) -> list[int]:
        bins = [0] * length
        for place in places:
            if bins[place] >= CEILING:
                bins = [number // 2 for number in bins]
            bins[place] += 1
        return bins

    def _clock(self, history: Sequence[Row]) -> list[int]:
        return self._bins(history, 8, [row.at // EIGHTH % 8 for row in self.selected(history)])

    def _week(self, history: Sequence[Row]) -> list[int]:
        return self._bins(history, 7, [(row.at // (8 * EIGHTH) + 3) % 7 for row in self.selected(history)])

    def meaning_weekend(self, history: Sequence[Row], now: int) -> float:
        """Share of the activity on Saturdays and Sundays."""
        week = self._week(history)
        return sum(week[5:]) / sum(week) if any(week) else NAN

    def meaning_evening(self, history: Sequence[Row], now: int) -> float:
        """Share of the activity between 18:00 and midnight."""
        clock = self._clock(history)
        return sum(clock[6:]) / sum(clock) if any(clock) else NAN

    def meaning_weekday_now(self, history: Sequence[Row], now: int) -> float:
        """Share of the activity on today's weekday."""
        week = self._week(history)
        return week[(now // (8 * EIGHTH) + 3) % 7] / sum(week) if any(week) else NAN

    def meaning_hour_regularity(self, history: Sequence[Row], now: int) -> float:
        """Length of the mean direction on the clock: 0 any hour, 1 always the same three hours."""
        return _concentration(self._clock(history))

    def meaning_weekday_regularity(self, history: Sequence[Row], now: int) -> float:
        """Length of the mean direction on the week: 0 any day, 1 always the same day."""
        return _concentration(self._week(history))

    def __str__(self) -> str:
        return f"habit of {self.selection}"


def _concentration(bins: list[int]) -> float:
    turns = (number * cmath.exp(2j * math.pi * k / len(bins)) for k, number in enumerate(bins))
    return abs(sum(turns)) / sum(bins) if any(bins) else NAN
