"""Memories: not numbers for a model but the latest things themselves."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from features.aggregates.base import Aggregate, Row, Slots
from features.aggregates.kernels import NEVER, second


@dataclass(frozen=True)
class Recent(Aggregate):
    """The latest time of each of the last `size` different codes.

    When it is full, a new code takes the place of the one that is longest ago (of equals, the first kept).
    """

    size: int

    def empty(self) -> Slots:
        """Nothing remembered."""
        return {"codes": np.full(self.size, -1, np.int32), "moments": np.zeros(self.size, np.uint32)}

    @staticmethod
    def update(codes: Any, moments: Any, at: int, value: int, size: int) -> None:
        happened = second(at)
        place = 0
        for k in range(size):
            if codes[k] == value:
                if happened > moments[k]:
                    moments[k] = happened
                return
            if moments[k] < moments[place]:
                place = k
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
                oldest = min(kept, key=lambda each: kept[each])
                if happened >= kept[oldest]:
                    kept = {
                        (code if each == oldest else each): (happened if each == oldest else moment)
                        for each, moment in kept.items()
                    }
        return sorted(
            ((code, moment * 1_000_000) for code, moment in kept.items()), key=lambda pair: (-pair[1], pair[0])
        )

    def __str__(self) -> str:
        return f"the last {self.size} different {self.selection}"
