"""Counts and totals within the last days, over a sliding window of eight hops.

A window of span S is kept in eight hops of S / 8, aligned to the epoch. It holds the present hop and the
seven before it: between 7/8 of the span and the whole, never more. That is the cost of a fixed size.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from features.aggregates.base import Aggregate, Row, Slots
from features.aggregates.kernels import CEILING, HOPS
from features.grammar import duration_text


def advance(head: int, buckets: Any, hop: int) -> int:
    """Move the newest hop forward to `hop`, emptying the hops passed over; returns the newest hop."""
    if hop > head:
        if hop - head >= HOPS:
            for k in range(HOPS):
                buckets[k] = 0
        else:
            for k in range(head + 1, hop + 1):
                buckets[k & (HOPS - 1)] = 0
        return hop
    return head


def sum_of_hops(head: int, buckets: Any, hop: int) -> float:
    """The sum over the hops of the window that ends with `hop`."""
    first = (hop if hop > head else head) - HOPS + 1
    last = hop if hop < head else head
    total = 0.0
    for k in range(first, last + 1):
        total += float(buckets[k & (HOPS - 1)])
    return total


@dataclass(frozen=True)
class _Window(Aggregate):
    span: int
    commutes: ClassVar[bool] = True
    uses: ClassVar[tuple[Callable[..., Any], ...]] = (advance, sum_of_hops)

    def __post_init__(self) -> None:
        if self.span <= 0 or self.span % HOPS:
            raise ValueError(f"within must be a positive multiple of {HOPS} microseconds, got {self.span}")

    def parameters(self) -> dict[str, float | int]:
        """The length of a hop in microseconds."""
        return {"span": self.span // HOPS}

    def _head(self) -> np.generic:
        """No hop yet; two bytes where the numbers of hops fit in them for the next century."""
        return np.uint16(0) if self.span // HOPS >= 72_000_000_000 else np.int32(0)

    def _inside(self, history: Sequence[Row], now: int) -> list[Row]:
        hop = self.span // HOPS
        return [row for row in self.selected(history) if now // hop - HOPS < row.at // hop <= now // hop]


@dataclass(frozen=True)
class CountWithin(_Window):
    """How many events there were in the window; at most 255 are counted in one hop."""

    def empty(self) -> Slots:
        """No event."""
        return {"head": self._head(), "buckets": np.zeros(HOPS, np.uint8)}

    @staticmethod
    def update(head: int, buckets: Any, at: int, span: int) -> int:
        hop = at // span
        head = advance(head, buckets, hop)
        if hop > head - HOPS and buckets[hop & (HOPS - 1)] < CEILING:
            buckets[hop & (HOPS - 1)] += 1
        return head

    @staticmethod
    def read(head: int, buckets: Any, now: int, span: int) -> float:
        return sum_of_hops(head, buckets, now // span)

    def meaning(self, history: Sequence[Row], now: int) -> float:
        """How many fall into the last eight hops, at most 255 of each."""
        counts: dict[int, int] = {}
        for row in self._inside(history, now):
            hop = row.at // (self.span // HOPS)
            counts[hop] = counts.get(hop, 0) + 1
        return float(sum(min(number, CEILING) for number in counts.values()))

    def __str__(self) -> str:
        return f"number of {self.selection} within {duration_text(self.span)}"


@dataclass(frozen=True)
class TotalWithin(_Window):
    """The sum of a column over the window."""

    def empty(self) -> Slots:
        """Nothing."""
        return {"head": self._head(), "buckets": np.zeros(HOPS, np.float32)}

    @staticmethod
    def update(head: int, buckets: Any, at: int, value: float, span: int) -> int:
        hop = at // span
        head = advance(head, buckets, hop)
        if hop > head - HOPS:
            buckets[hop & (HOPS - 1)] += value
        return head

    @staticmethod
    def read(head: int, buckets: Any, now: int, span: int) -> float:
        return sum_of_hops(head, buckets, now // span)

    def meaning(self, history: Sequence[Row], now: int) -> float:
        """The sum over the last eight hops."""
        return math.fsum(self.value_of(row) for row in self._inside(history, now))

    def __str__(self) -> str:
        return f"total {self.selection} within {duration_text(self.span)}"


@dataclass(frozen=True)
class DaysWithin(_Window):
    """On how many different days (UTC) it happened; a late event of an earlier day does not count."""

    commutes: ClassVar[bool] = False

    def empty(self) -> Slots:
        """No day."""
        return {"head": self._head(), "day": np.uint16(0), "buckets": np.zeros(HOPS, np.uint8)}

    @staticmethod
    def update(head: int, day: int, buckets: Any, at: int, span: int) -> tuple[int, int]:
        today = at // 86_400_000_000
        if today <= day:
            return head, day
        hop = at // span
        head = advance(head, buckets, hop)
        if buckets[hop & (HOPS - 1)] < CEILING:
            buckets[hop & (HOPS - 1)] += 1
        return head, today

    @staticmethod
    def read(head: int, buckets: Any, now: int, span: int) -> float:
        return sum_of_hops(head, buckets, now // span)

    def meaning(self, history: Sequence[Row], now: int) -> float:
        """The days of the last eight hops that were new when their event was received, at most 255 in a hop."""
        counts: dict[int, int] = {}
        latest = 0
        hop = self.span // HOPS
        for row in self.selected(history):
            day = row.at // 86_400_000_000
            if day > latest:
                latest = day
                counts[row.at // hop] = counts.get(row.at // hop, 0) + 1
        return float(sum(min(n, CEILING) for index, n in counts.items() if now // hop - HOPS < index <= now // hop))

    def __str__(self) -> str:
        return f"number of days with {self.selection} within {duration_text(self.span)}"
