"""The check that the peers of the replay benchmark compute the same numbers as Waypost."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from benchmarks.peer_aggregates import shared_aggregates, shared_fold
from benchmarks.shops import events_of
from features.aggregates.base import Aggregate
from features.aggregates.distinct import Distinct
from features.aggregates.times import Age, Since
from features.grouping import histories
from features.replay.replay import Snapshots, replay


def own_answer(events: int, customers: int, cutoffs: Sequence[int]) -> Snapshots:
    """The aggregates of the peers on a synthetic shop, by the compiled fold: one row per customer and cutoff, in this
    order."""
    return replay(shared_fold(), histories([events_of(events, customers)]), cutoffs)


def disagreements(own: Snapshots, table: pa.Table) -> list[str]:
    """Differences of a peer's answer beyond the rounding of four-byte numbers; distinct counts are estimates."""
    table = table.sort_by([("customer", "ascending"), ("cutoff", "ascending")])
    if len(table) != len(own.customer) or not (
        np.array_equal(table["customer"].to_numpy(), own.customer)
        and np.array_equal(table["cutoff"].to_numpy(), own.cutoff)
    ):
        return [f"the rows differ: {len(table)}, expected {len(own.customer)}"]
    differences = []
    for place, aggregate in enumerate(shared_aggregates()):
        wrong = int(np.sum(~_same(aggregate, own.features[:, place].astype(float), _numbers(aggregate, table))))
        if wrong:
            differences.append(f"{aggregate.name} differs in {wrong} of {len(table)} rows")
    return differences


def _numbers(aggregate: Aggregate, table: pa.Table) -> NDArray[np.float64]:
    """A peer's column in our units: recencies in microseconds, and an empty sum as 0."""
    recency = isinstance(aggregate, Since | Age)
    values: NDArray[np.float64] = (
        table[aggregate.name].cast(pa.float64()).fill_null(np.nan if recency else 0.0).to_numpy()
    )
    return values * 1e6 if recency else values


def _same(aggregate: Aggregate, own: NDArray[np.float64], peer: NDArray[np.float64]) -> NDArray[np.bool_]:
    if isinstance(aggregate, Distinct):
        return (np.abs(own - peer) <= 3.0 + 0.15 * peer) | (peer > aggregate.bits)
    return np.isclose(own, peer, rtol=1e-4, atol=1e-4, equal_nan=True)
