"""Histories: events by customer, each in log order, which is how the fold and every question read them.

log.by_customer()  ->  Histories        grouping.histories(log.scan())  ->  Histories
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from features.events import EVENT


@dataclass(frozen=True)
class Histories:
    """Events by customer: those of `customers[i]` are `events[starts[i]:starts[i + 1]]`, in log order."""

    events: NDArray[np.void]
    customers: NDArray[np.int32]
    starts: NDArray[np.int64]

    def without(self, codes: NDArray[np.int32]) -> Histories:
        """Those of the customers that are none of these, given rising or not."""
        stays = ~np.isin(self.customers, codes)
        if stays.all():
            return self
        lengths = np.diff(self.starts)
        starts = np.concatenate([[0], np.cumsum(lengths[stays])])
        return Histories(self.events[np.repeat(stays, lengths)], self.customers[stays], starts)


def concatenated(parts: Iterable[Histories]) -> Histories:
    """Histories of different customers as one; each part has higher codes than the one before."""
    known = [part for part in parts if len(part.customers)]
    if len(known) == 1:
        return known[0]
    empty = np.empty(0, EVENT), np.empty(0, np.int32), np.zeros(1, np.int64)
    events, customers, lengths = zip(
        empty, *((part.events, part.customers, np.diff(part.starts)) for part in known), strict=True
    )
    return Histories(np.concatenate(events), np.concatenate(customers), np.cumsum(np.concatenate(lengths)))


def even_bounds(starts: NDArray[np.int64], parts: int) -> list[tuple[int, int]]:
    """Cut the customers into at most `parts` runs with about equally many events each."""
    cuts = np.searchsorted(starts, np.linspace(0, starts[-1], parts + 1)[1:-1])
    edges = np.unique(np.concatenate([[0], cuts, [len(starts) - 1]]))
    return [(int(first), int(last)) for first, last in pairwise(edges)]
