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
"""A kind with so many aggregates of its own is worth a query of its own; 2, 3 and never were measured to be slower."""


def shared_aggregates() -> list[Aggregate]:
    """The aggregates of `Journey` that a query can compute."""
    return [each for each in Journey.aggregates() if isinstance(each, SHARED)]


def shared_fold() -> Fold:
    """A fold of the same aggregates, each as a feature by its own name: what the peers' results are compared with."""
    body = {each.name: Reading(each) for each in shared_aggregates()}
    return Fold(Declarations("Shared", (FeatureSet,), {"__doc__": "What peers compute", **body}))


def by_kinds(aggregates: Sequence[Aggregate]) -> dict[tuple[Kind, ...], list[Aggregate]]:
    """The aggregates of those kinds that have several; all others together, under no kind at all."""
    found: dict[tuple[Kind, ...], list[Aggregate]] = {(): []}
    for each in aggregates:
        found.setdefault(each.selection.kinds, []).append(each)
    for kinds in [kinds for kinds, members in found.items() if kinds and (len(members) < SEVERAL or len(kinds) > 1)]:
        found[()].extend(found.pop(kinds))
    return found


def rate(aggregate: Fading) -> float:
    """The decay of a fading sum per second."""
    return math.log(2.0) * SECOND / aggregate.half_life


def window_start(aggregate: CountWithin | TotalWithin, cutoff: int) -> int:
    """The first moment that counts at `cutoff`: windows consist of whole hops, as ours do."""
    hop = aggregate.span // HOPS
    return (cutoff // hop - HOPS + 1) * hop


def reach(aggregate: CountWithin | TotalWithin, cutoffs: Sequence[int]) -> int:
    """How many cutoffs after an event, at most, can have it in their window (the next one is the first)."""
    return max(
        last - first + 1
        for first, cutoff in enumerate(cutoffs)
        for last in range(first, len(cutoffs))
        if first == last or window_start(aggregate, cutoffs[last]) <= cutoff
    )
