"""The lens of transitions: what customers do next, how many of them, and after how long."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from threading import Lock

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.events import Kind
from insights.journal.acts import Row
from insights.journal.columns import Journal
from insights.journal.groups import Groups, everyone
from insights.journal.question import Transitions
from insights.journal.visits import OVER, acts_for, latest_act, visits_of

OTHER = 255
"""The place of a kind that is passed over."""

PRESENT = 63
"""The bit of `Marks` that says that a customer has an event of a kind; the bits below are of transitions from it."""

Marks = NDArray[np.uint64]
"""uint64[kinds, customers]: bit j of a kind's row is a transition from it to the kind of place j."""


@dataclass(frozen=True, eq=False)
class Arrows:
    """The transitions from the kind of a row to that of a column, each int64[groups, kinds, kinds].

    `transitions` are their numbers, `customers` the numbers of distinct customers with one, and `dwell` the sums of the
    seconds between both events.
    """

    question: Transitions
    transitions: NDArray[np.int64]
    customers: NDArray[np.int64]
    dwell: NDArray[np.int64]


def transitions(journal: Journal, question: Transitions, groups: Groups, *, threads: int | None = None) -> Arrows:
    """All transitions between the kinds of the question, of the customers of these groups."""
    return Arrows(question, *_counted(journal, question, groups, np.empty((0, 0), np.uint64), threads))


def marks(journal: Journal, question: Transitions) -> Marks:
    """Which transitions every customer has, and which of the kinds in the period."""
    out = np.zeros((len(question.kinds), len(journal.customers)), np.uint64)
    _counted(journal, question, everyone(journal), out, None)
    return out


def marked(marks: Marks, source: int, bit: int) -> NDArray[np.bool_]:
    """The customers with a transition from the kind of place `source` to that of place `bit`, or with `PRESENT` any."""
    return np.asarray((marks[source] & np.uint64(1 << bit)) != 0)


def _counted(
    journal: Journal, question: Transitions, groups: Groups, marks: Marks, threads: int | None
) -> NDArray[np.int64]:
    """The three sums; `marks` are filled, unless they are empty."""
    number = len(question.kinds)
    places = np.full(256, OTHER, np.uint8)
    places[list(question.kinds)] = np.arange(number)
    total, lock = np.zeros((3, len(groups.names), number, number), np.int64), Lock()
    window = (question.within, acts_for(question.kinds), question.visits, *question.period.seconds)

    def run(first: int, last: int) -> None:
        sums = np.zeros_like(total)
        _transitions(
            first, last, journal.starts, journal.at, journal.kind, places, *window, groups.of, sums[0], sums[1],
            sums[2], marks,
        )  # fmt: skip
        with lock:
            np.add(total, sums, out=total)

    journal.over_customers(run, threads)
    return total


@njit(cache=True, nogil=True)
def _transitions(  # type: ignore[no-untyped-def]
    first, last, starts, at, kind, places, within, acts, pause, start, end, groups, number, customers, dwell, marks,
):  # fmt: skip
    """Count the transitions of customers first..last-1 in the sums of their group, and mark them."""
    seen = np.full(number.shape[1:], -1, np.int64)
    marking = len(marks) > 0
    for c in range(first, last):
        group = groups[c]
        if group < 0:
            continue
        before, then, origin = OTHER, np.int64(0), starts[c]
        for i in range(starts[c], starts[c + 1]):
            place = places[kind[i]]
            now = np.int64(at[i])
            if place == OTHER or now < start or now >= end:
                continue
            if marking:
                marks[place, c] |= np.uint64(1) << np.uint64(PRESENT)
            near = before != OTHER and now - then <= within
            if near and pause:
                near = latest_act(at, kind, acts, origin, i + 1, pause) != OVER
            if near:
                number[group, before, place] += 1
                dwell[group, before, place] += now - then
                if seen[before, place] != c:
                    seen[before, place] = c
                    customers[group, before, place] += 1
                    if marking:
                        marks[before, c] |= np.uint64(1) << np.uint64(place)
            before, then, origin = place, now, i


def meaning(rows: Sequence[Row], question: Transitions) -> tuple[Counter[tuple[Kind, Kind, int]], int | None]:
    """The transitions of a customer with these events, in order, with their seconds.

    And the place in `rows` of the first event of one of the kinds in the period, None without any.
    """
    start, end = question.period.seconds
    visits = visits_of(rows, question.kinds, question.visits)
    own = [place for place, row in enumerate(rows) if row[1] in question.kinds and start <= row[0] < end]
    near = [
        (before, after) for before, after in pairwise(own)
        if rows[after][0] - rows[before][0] <= question.within and visits[before] == visits[after]
    ]  # fmt: skip
    seconds = Counter((rows[a][1], rows[b][1], rows[b][0] - rows[a][0]) for a, b in near)
    return seconds, own[0] if own else None
