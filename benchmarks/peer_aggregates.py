"""What the peers of the replay benchmark compute: every count, recency, total, fading sum and window of `Journey`.

The list is read from the declarations, so that it cannot drift. The rest of the journey (stages, sessions, gaps, the
cart, rhythms, memories) depends on the order of events and has no short form in a query.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from features.aggregates.base import Aggregate, Reading
from features.aggregates.counts import Count, Total
from features.aggregates.distinct import Distinct
from features.aggregates.kernels import HOPS
from features.aggregates.times import Age, Fading, Since
from features.aggregates.windows import CountWithin, TotalWithin
from features.events import SECOND, Kind
from features.fold.feature_set import Declarations, FeatureSet
from features.fold.fold import Fold
from features.journey import Journey

SHARED = (Count, CountWithin, Total, TotalWithin, Since, Age, Fading, Distinct)
SEVERAL = 5
"""The number of aggregates from which on a kind has a query of its own; 2, 3 and never were slower in measurements."""


def shared_aggregates() -> list[Aggregate]:
    """The aggregates of `Journey` that a query can compute."""
    return [aggregate for aggregate in Journey.aggregates() if isinstance(aggregate, SHARED)]


def shared_fold() -> Fold:
    """A fold of the same aggregates, each as a feature of its name, with which the peers' results are compared."""
    body = {aggregate.name: Reading(aggregate) for aggregate in shared_aggregates()}
    return Fold(Declarations("Shared", (FeatureSet,), {"__doc__": "What peers compute", **body}))


def by_kinds(aggregates: Sequence[Aggregate]) -> dict[tuple[Kind, ...], list[Aggregate]]:
    """The aggregates of every kind that has several; all others together, with an empty tuple as key."""
    groups: dict[tuple[Kind, ...], list[Aggregate]] = {(): []}
    for aggregate in aggregates:
        groups.setdefault(aggregate.selection.kinds, []).append(aggregate)
    for kinds in [kinds for kinds, members in groups.items() if kinds and (len(members) < SEVERAL or len(kinds) > 1)]:
        groups[()].extend(groups.pop(kinds))
    return groups


def rate(aggregate: Fading) -> float:
    """The decay of a fading sum per second."""
    return math.log(2.0) * SECOND / aggregate.half_life


def window_start(aggregate: CountWithin | TotalWithin, cutoff: int) -> int:
    """The first time that counts at `cutoff`: windows consist of whole hops, as ours do."""
    hop = aggregate.span // HOPS
    return (cutoff // hop - HOPS + 1) * hop


def reach(aggregate: CountWithin | TotalWithin, cutoffs: Sequence[int]) -> int:
    """The most cutoffs after an event whose windows can contain it (the next one is the first)."""
    return max(
        last - first + 1
        for first, cutoff in enumerate(cutoffs)
        for last in range(first, len(cutoffs))
        if first == last or window_start(aggregate, cutoffs[last]) <= cutoff
    )
