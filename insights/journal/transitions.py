"""The lens of transitions: what customers do next, how many of them, and after how long."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.events import Kind
from insights.journal.columns import Journal
from insights.journal.question import Transitions

OTHER = 255
"""The place of a kind that is passed over."""


@dataclass(frozen=True, eq=False)
class Arrows:
    """The transitions from the kind of a row to that of a column, each int64[kinds, kinds].

    `transitions` are their numbers, `customers` the numbers of distinct customers with one, and `dwell` the sums of the
    seconds between both events.
    """

    question: Transitions
    transitions: NDArray[np.int64]
    customers: NDArray[np.int64]
    dwell: NDArray[np.int64]


def transitions(journal: Journal, question: Transitions, *, threads: int | None = None) -> Arrows:
    """All transitions between the kinds of the question."""
    sums, _ = _counted(journal, question, OTHER, OTHER, threads)
    return Arrows(question, *sums)


def members(journal: Journal, question: Transitions, source: Kind, target: Kind) -> NDArray[np.bool_]:
    """The customers with at least one transition from `source` to `target`, both of the question's kinds."""
    places = _places(question)
    return _counted(journal, question, int(places[source]), int(places[target]), None)[1]


def _counted(
    journal: Journal, question: Transitions, source: int, target: int, threads: int | None
) -> tuple[NDArray[np.int64], NDArray[np.bool_]]:
    """The three sums, and the customers with a transition between these two places."""
    number, places = len(question.kinds), _places(question)
    start, end = question.period.seconds
    marked = np.zeros(len(journal.customers), np.bool_)

    def run(first: int, last: int) -> NDArray[np.int64]:
        sums = np.zeros((3, number, number), np.int64)
        _transitions(
            first, last, journal.starts, journal.at, journal.kind, places, question.within, start, end, source, target,
            sums[0], sums[1], sums[2], marked,
        )  # fmt: skip
        return sums

    parts = journal.over_customers(run, threads)
    return np.sum(parts, axis=0) if parts else np.zeros((3, number, number), np.int64), marked


def _places(question: Transitions) -> NDArray[np.uint8]:
    places = np.full(256, OTHER, np.uint8)
    places[list(question.kinds)] = np.arange(len(question.kinds))
    return places


@njit(cache=True, nogil=True)
def _transitions(  # type: ignore[no-untyped-def]
    first, last, starts, at, kind, places, within, start, end, source, target, number, customers, dwell, marked,
):  # fmt: skip
    """Count the transitions of customers first..last-1, and mark who has the one from `source` to `target`."""
    seen = np.full(number.shape, -1, np.int64)
    for c in range(first, last):
        before = OTHER
        then = np.int64(0)
        for i in range(starts[c], starts[c + 1]):
            place = places[kind[i]]
            now = np.int64(at[i])
            if place == OTHER or now < start or now >= end:
                continue
            if before != OTHER and now - then <= within:
                number[before, place] += 1
                dwell[before, place] += now - then
                if seen[before, place] != c:
                    seen[before, place] = c
                    customers[before, place] += 1
                    if before == source and place == target:
                        marked[c] = True
            before, then = place, now


def meaning(rows: Sequence[tuple[int, Kind]], question: Transitions) -> Counter[tuple[Kind, Kind, int]]:
    """The transitions of a customer with these events (second, kind), in order, each with its seconds."""
    start, end = question.period.seconds
    own = [(at, kind) for at, kind in rows if kind in question.kinds and start <= at < end]
    return Counter(
        (kind, after, then - at) for (at, kind), (then, after) in pairwise(own) if then - at <= question.within
    )
