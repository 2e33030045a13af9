"""Volumes: the number of events of each kind in the newest week, compared with the weeks before it.

A tracker that stopped, or sends everything twice, shows here within a week, before features have changed much.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from features.events import Kind, days
from features.replay.snapshots import Past

WEEK = days(7)

WEEKS = 8
"""The most weeks with which the newest one is compared."""

LEAST_WEEKS = 4
"""The least number of earlier weeks for a comparison."""

TIMES = 2.0
"""A week is normal between the lowest earlier week divided by this factor and the highest one multiplied by it."""

DEVIATIONS = 4.0
"""The number of standard deviations of a Poisson variable that counts as chance."""


@dataclass(frozen=True, slots=True)
class Volume:
    """One kind of events: their number in the newest week, and the limits.

    `lowest` and `highest` are those of the weeks before it, without the emptiest and the fullest one, so that a single
    unusual week, such as the first after a source stopped, does not become the norm.
    """

    kind: str
    week: int
    lowest: int
    highest: int
    low_limit: float
    high_limit: float

    @property
    def fell(self) -> bool:
        """Whether there were too few."""
        return self.week < self.low_limit

    @property
    def rose(self) -> bool:
        """Whether there were too many."""
        return self.week > self.high_limit


def volumes(past: Past, now: int) -> list[Volume]:
    """The volume of every kind with events for more than `LEAST_WEEKS` weeks, the newest included, most frequent first.

    A kind is compared only with the weeks since its first event, so that a new source is no fault.
    """
    start = min((int(part["received"].min()) for part in past.parts if len(part)), default=now)
    counts = _weekly(past, now, int(min(WEEKS + 1, (now - start) // WEEK)))
    known = [(kind, np.trim_zeros(counts[kind], "f")) for kind in Kind if counts[kind].any()]
    results = [_volume(kind, weeks) for kind, weeks in known if len(weeks) > LEAST_WEEKS]
    return sorted(results, key=lambda volume: -volume.highest)


def events_until(past: Past, moment: int) -> int:
    """The number of events that had been received by the time `moment`."""
    return sum(int((part["received"] <= moment).sum()) for part in past.parts)


def _volume(kind: Kind, weeks: NDArray[np.int64]) -> Volume:
    ordered, newest = np.sort(weeks[:-1]), int(weeks[-1])
    lowest, highest = int(ordered[1]), int(ordered[-2])
    low, high = lowest / TIMES, TIMES * highest
    low_limit, high_limit = low - DEVIATIONS * sqrt(low), high + DEVIATIONS * sqrt(max(high, 1.0))
    return Volume(kind.name.lower(), newest, lowest, highest, low_limit, high_limit)


def _weekly(past: Past, now: int, weeks: int) -> NDArray[np.int64]:
    """Events of each kind in each whole week before `now`, the newest last, by when they were received: int64[k, w]."""
    counts = np.zeros((max(Kind) + 1, max(weeks, 0)), np.int64)
    for events in past.parts:
        inside = events[(events["received"] > now - weeks * WEEK) & (events["received"] <= now)]
        week = weeks - 1 - (now - inside["received"]) // WEEK
        np.add.at(counts, (inside["kind"].astype(np.intp), week), 1)
    return counts
