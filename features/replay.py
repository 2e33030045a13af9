"""Replay: the log, folded by the same code that serves, read at every cutoff.

    histories(log.scan())  ->  Histories  ->  replay(fold, histories, cutoffs)  ->  Snapshots

Customers are independent, so they are replayed in parallel, and any number of threads gives the same bytes.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.events import EVENT
from features.fold import Fold

Progress = Callable[[int, int], None]
"""Told (customers done, customers in all) as the work goes on."""

BLOCKS_PER_THREAD = 16


@dataclass(frozen=True)
class Histories:
    """Events by customer: those of `customers[i]` are `events[starts[i]:starts[i + 1]]`, in log order."""

    events: NDArray[np.void]
    customers: NDArray[np.int32]
    starts: NDArray[np.int64]


@dataclass(frozen=True)
class Snapshots:
    """Features at cutoffs: row r is customer `customer[r]` as known at `cutoff[r]`; ordered by customer, then cutoff.

    A customer has a row at every cutoff at which at least one of its events had been received.
    """

    customer: NDArray[np.int32]
    cutoff: NDArray[np.int64]
    features: NDArray[np.float32]
    names: tuple[str, ...]
    fingerprint: str


@njit(cache=True, nogil=True)
def _scatter(source, places, out, first, last):  # type: ignore[no-untyped-def]
    """Move the events of customers first..last-1 to their places, keeping their order."""
    for i in range(len(source)):
        customer = source[i]["customer"]
        if first <= customer < last:
            out[places[customer]] = source[i]
            places[customer] += 1


def histories(chunks: Iterable[NDArray[np.void]]) -> Histories:
    """Group EVENT chunks, given in log order, by customer: a stable counting sort over the customers' codes."""
    parts = [np.ascontiguousarray(chunk) for chunk in chunks]
    total = sum(map(len, parts))
    if total == 0:
        return Histories(np.empty(0, EVENT), np.empty(0, np.int32), np.zeros(1, np.int64))
    width = 1 + max(int(part["customer"].max()) for part in parts if len(part))
    counts = np.zeros(width, np.int64)
    for part in parts:
        counts += np.bincount(part["customer"], minlength=width)
    ends = np.cumsum(counts)
    if _grouped(parts):
        events = np.concatenate(parts) if len(parts) > 1 else parts[0]
    else:
        events = _sorted_by_customer(parts, ends - counts, total)
    present = np.flatnonzero(counts)
    return Histories(events, present.astype(np.int32), np.concatenate([[0], ends[present]]))


def _grouped(parts: list[NDArray[np.void]]) -> bool:
    """Whether the events already stand customer by customer, in the order of the codes."""
    last = -1
    for part in parts:
        codes = part["customer"]
        if len(codes) and (codes[0] < last or np.any(codes[1:] < codes[:-1])):
            return False
        last = int(codes[-1]) if len(codes) else last
    return True


def _sorted_by_customer(parts: list[NDArray[np.void]], places: NDArray[np.int64], total: int) -> NDArray[np.void]:
    events = np.empty(total, EVENT)
    bounds = _even_bounds(np.append(places, total), _threads(None))

    def move(first: int, last: int) -> None:
        for part in parts:
            _scatter(part, places, events, first, last)

    with ThreadPoolExecutor(len(bounds)) as pool:
        list(pool.map(lambda bound: move(*bound), bounds))
    return events


def _threads(threads: int | None) -> int:
    return (
        threads or len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else threads or os.cpu_count() or 1
    )


def _even_bounds(starts: NDArray[np.int64], parts: int) -> list[tuple[int, int]]:
    """Cut the customers into at most `parts` runs with about equally many events each."""
    cuts = np.searchsorted(starts, np.linspace(0, starts[-1], parts + 1)[1:-1])
    edges = np.unique(np.concatenate([[0], cuts, [len(starts) - 1]]))
    return [(int(first), int(last)) for first, last in pairwise(edges)]


def _run(
    fold: Fold, histories: Histories, cutoffs: NDArray[np.int64], rows: NDArray[np.int64], out: NDArray[np.float32],
    states: NDArray[np.void] | None, threads: int | None, progress: Progress | None,
) -> None:  # fmt: skip
    """Replay all customers into `out` (readings at cutoffs) or, when given, `states` (final states)."""
    fold.compile()
    workers = _threads(threads)

    def block(bound: tuple[int, int]) -> int:
        target = fold.empty(2) if states is None else states
        fold.replay(
            histories.events, histories.starts, bound[0], bound[1], cutoffs, rows, out, target, keep=states is not None
        )
        return bound[1] - bound[0]

    done, total = 0, len(histories.customers)
    with ThreadPoolExecutor(workers) as pool:
        for finished in pool.map(block, _even_bounds(histories.starts, workers * BLOCKS_PER_THREAD)):
            done += finished
            if progress:
                progress(done, total)


def replay(
    fold: Fold, histories: Histories, cutoffs: Sequence[int], *,
    threads: int | None = None, progress: Progress | None = None,
) -> Snapshots:  # fmt: skip
    """Features of every customer at every cutoff (microseconds, any order, duplicates dropped).

    A snapshot holds what had been received at its cutoff, and nothing later.
    """
    moments = np.unique(np.asarray(cutoffs, np.int64))
    if not len(histories.customers) or not len(moments):
        nothing = np.empty(0, np.int32)
        empty = np.empty((0, len(fold.names)), np.float32)
        return Snapshots(nothing, np.empty(0, np.int64), empty, fold.names, fold.fingerprint)
    firsts = histories.events["received"][histories.starts[:-1]]
    skipped = np.searchsorted(moments, firsts, side="left")
    known = len(moments) - skipped
    rows = np.cumsum(known) - known
    total = int(known.sum())
    out = np.empty((total, len(fold.names)), np.float32)
    _run(fold, histories, moments, rows, out, None, threads, progress)
    places = np.arange(total) - np.repeat(rows - skipped, known)
    return Snapshots(np.repeat(histories.customers, known), moments[places], out, fold.names, fold.fingerprint)


def final_states(
    fold: Fold, histories: Histories, *, threads: int | None = None, progress: Progress | None = None
) -> NDArray[np.void]:
    """The state of each of `histories.customers` after its last event."""
    states = fold.empty(len(histories.customers) + 1)
    nothing = np.zeros(max(1, len(histories.customers)), np.int64)
    if len(histories.customers):
        unread = np.empty((1, len(fold.names)), np.float32)
        _run(fold, histories, np.empty(0, np.int64), nothing, unread, states, threads, progress)
    return states[:-1]
