"""Memories: lists of the latest or the favourite items themselves, where other aggregates give numbers."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from features.aggregates.base import Aggregate, Row, Slots
from features.aggregates.kernels import NEVER, place_of, place_of_least, second
from features.grammar import duration_text


@dataclass(frozen=True)
class Recent(Aggregate):
    """The latest time of each of the last `size` different codes.

    When it is full, a new code replaces the one with the earliest time (of equals, the first in the list).
    """

    size: int

    def empty(self) -> Slots:
        """Nothing remembered."""
        return {"codes": np.full(self.size, -1, np.int32), "moments": np.zeros(self.size, np.uint32)}

    @staticmethod
    def update(codes: Any, moments: Any, at: int, value: int, size: int) -> None:
        happened = second(at)
        place = place_of(codes, size, value)
        if place >= 0:
            if happened > moments[place]:
                moments[place] = happened
            return
        place = place_of_least(moments, size)
        if happened >= moments[place]:
            codes[place] = value
            moments[place] = happened

    def entries(self, slots: Any) -> list[tuple[int, int]]:
        """(code, at in microseconds), newest first; of the same second, the smaller code first."""
        pairs = zip(slots[f"{self.name}__codes"].tolist(), slots[f"{self.name}__moments"].tolist(), strict=True)
        return sorted(
            ((code, moment * 1_000_000) for code, moment in pairs if moment != NEVER),
            key=lambda pair: (-pair[1], pair[0]),
        )

    def meaning_of_entries(self, history: Sequence[Row]) -> list[tuple[int, int]]:
        """The same list from a plain dictionary over the history."""
        kept: dict[int, int] = {}
        for row in self.selected(history):
            code, happened = int(self.value_of(row)), row.at // 1_000_000
            if code in kept:
                kept[code] = max(kept[code], happened)
            elif len(kept) < self.size:
                kept[code] = happened
            else:
                oldest = min(kept, key=lambda kept_code: kept[kept_code])
                if happened >= kept[oldest]:
                    kept = {
                        (code if kept_code == oldest else kept_code): (happened if kept_code == oldest else moment)
                        for kept_code, moment in kept.items()
                    }
        return sorted(
            ((code, moment * 1_000_000) for code, moment in kept.items()), key=lambda pair: (-pair[1], pair[0])
        )

    def __str__(self) -> str:
        return f"the last {self.size} different {self.selection}"


def later_by_half_lives(moment: float, other: float) -> float:
    """The time at which one event would weigh as much as two do together; all in half-lives since the epoch."""
    newer = moment if moment > other else other
    older = other if moment > other else moment
    return newer + math.log2(1.0 + 2.0 ** (older - newer))


@dataclass(frozen=True)
class Favourites(Aggregate):
    """The `size` codes that weigh most, each event's weight halving every `half_life` microseconds.

    One number holds a code's whole weight: the time at which a single event would weigh as much today. One event at t
    gives t; several events give a later time, even one in the future. So weights of different times compare directly
    (forward decay: Cormode, Shkapenyuk, Srivastava and Xu, 2009). When it is full, a new code replaces the one that
    weighs least, unless it weighs less itself.
    """

    size: int
    half_life: int
    uses: ClassVar[tuple[Callable[..., Any], ...]] = (later_by_half_lives,)

    def empty(self) -> Slots:
        """Nothing remembered."""
        return {"codes": np.full(self.size, -1, np.int32), "moments": np.zeros(self.size, np.float32)}

    @staticmethod
    def update(codes: Any, moments: Any, at: int, value: int, size: int, half_life: int) -> None:
        happened = at / half_life
        place = place_of(codes, size, value)
        if place >= 0:
            moments[place] = later_by_half_lives(float(moments[place]), happened)
            return
        place = place_of_least(moments, size)
        if happened >= moments[place]:
            codes[place] = value
            moments[place] = happened

    def entries(self, slots: Any) -> list[tuple[int, int]]:
        """(code, time in microseconds that holds its weight), the heaviest first; of equals, the smaller code first."""
        pairs = zip(slots[f"{self.name}__codes"].tolist(), slots[f"{self.name}__moments"].tolist(), strict=True)
        return sorted(
            ((code, round(moment * self.half_life)) for code, moment in pairs if code >= 0),
            key=lambda pair: (-pair[1], pair[0]),
        )

    def meaning_of_entries(self, history: Sequence[Row]) -> list[tuple[int, int]]:
        """The same list from the times of all events of the codes that are kept, rounded to float32 after each."""
        kept: dict[int, float] = {}
        for row in self.selected(history):
            code, happened = int(self.value_of(row)), row.at / self.half_life
            if code in kept:
                total = math.log2(2.0 ** (kept[code] - happened) + 1.0) + happened
                kept[code] = float(np.float32(total))
                continue
            lightest = min(kept, key=lambda kept_code: kept[kept_code], default=code)
            if len(kept) < self.size:
                kept[code] = float(np.float32(happened))
            elif happened >= kept[lightest]:
                kept = {
                    (code if kept_code == lightest else kept_code): (
                        float(np.float32(happened)) if kept_code == lightest else moment
                    )
                    for kept_code, moment in kept.items()
                }
        pairs = ((code, round(moment * self.half_life)) for code, moment in kept.items())
        return sorted(pairs, key=lambda pair: (-pair[1], pair[0]))

    def __str__(self) -> str:
        return f"the {self.size} {self.selection} that weigh most, fading by half every {duration_text(self.half_life)}"
