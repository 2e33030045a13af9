"""Replay: the log folded by the same code that serves, and read at every cutoff.

    histories(log.scan())  ->  Histories  ->  replay(fold, histories, cutoffs)  ->  Snapshots

All customers have the same cutoffs, or (`replay_at`) each has its own.

Customers are independent, so they are replayed in parallel, and any number of threads gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.aggregates.kernels import FOREVER
from features.cores import thread_count
from features.events import EVENT
from features.fold.fold import Fold

Progress = Callable[[int, int], None]
"""Called with (customers done, customers in all) as the work goes on."""

BLOCKS_PER_THREAD = 16

MOST_RUNS = 8
"""Most runs of the log that are grouped in parallel: each keeps a count for every customer."""


@dataclass(frozen=True)
class Histories:
    """Events by customer: those of `customers[i]` are `events[starts[i]:starts[i + 1]]`, in log order."""

    events: NDArray[np.void]
    customers: NDArray[np.int32]
    starts: NDArray[np.int64]


@dataclass(frozen=True)
class Cutoffs:
    """The cutoffs of each customer: of `customers[i]` of some histories, `at[starts[i]:starts[i + 1]]`, rising."""

    at: NDArray[np.int64]
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


def histories(chunks: Iterable[NDArray[np.void]]) -> Histories:
    """Group EVENT chunks, given in log order, by customer: a stable counting sort over the customers' codes."""
    parts = [np.ascontiguousarray(chunk) for chunk in chunks if len(chunk)]
    if not parts:
        return Histories(np.empty(0, EVENT), np.empty(0, np.int32), np.zeros(1, np.int64))
    if min(int(part["customer"].min()) for part in parts) < 0:
        raise ValueError("an event has a negative customer code; expected the codes of a log, from 0")
    width = 1 + max(int(part["customer"].max()) for part in parts)
    runs = _runs(parts, min(thread_count(None), MOST_RUNS))
    counts = np.zeros((len(runs), width), np.int64)
    with ThreadPoolExecutor(len(runs)) as pool:
        list(pool.map(_count_run, runs, counts))
        starts, places = places_of_runs(counts)
        if _grouped(parts):
            events = np.concatenate(parts) if len(parts) > 1 else parts[0]
        else:
            events = np.empty(starts[-1], EVENT)
            list(pool.map(_move_run, runs, places, [events] * len(runs)))
    present = np.flatnonzero(np.diff(starts))
    return Histories(events, present.astype(np.int32), np.append(starts[present], starts[-1]))


def places_of_runs(counts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The places to which threads write the events of each customer, each thread those of one run of the log.

    `counts[r, c]` is how many events of customer c are in run r. Returns `starts`, int64[customers + 1], and for each
    run the place of its first event of each customer, after those of the runs before it.
    """
    starts = np.concatenate([[0], np.cumsum(counts.sum(axis=0))])
    places = np.empty_like(counts)
    following = starts[:-1].copy()
    for run, number in zip(places, counts, strict=True):  # a cumsum along columns takes four times as long
        run[:] = following
        following += number
    return starts, places


def _runs(parts: list[NDArray[np.void]], number: int) -> list[list[NDArray[np.void]]]:
    """Cut the log into at most `number` runs of about equally many events, each a list of arrays."""
    edges = np.linspace(0, sum(map(len, parts)), number + 1).astype(int)
    runs: list[list[NDArray[np.void]]] = [[] for _ in range(number)]
    start = 0
    for part in parts:
        for run, (first, last) in zip(runs, pairwise(edges - start), strict=True):
            piece = part[max(first, 0) : max(last, 0)]
            if len(piece):
                run.append(piece)
        start += len(part)
    return [run for run in runs if run]


def _count_run(run: list[NDArray[np.void]], counts: NDArray[np.int64]) -> None:
    for part in run:
        _count(part, counts)


def _move_run(run: list[NDArray[np.void]], places: NDArray[np.int64], out: NDArray[np.void]) -> None:
    for part in run:
        _move(part, places, out)


@njit(cache=True, nogil=True)
def _count(events, counts):  # type: ignore[no-untyped-def]
    """Count the events of each customer."""
    for i in range(len(events)):
        counts[events[i]["customer"]] += 1


@njit(cache=True, nogil=True)
def _move(events, places, out):  # type: ignore[no-untyped-def]
    """Copy each event to its customer's next place."""
    for i in range(len(events)):
        customer = events[i]["customer"]
        out[places[customer]] = events[i]
        places[customer] += 1


def _grouped(parts: list[NDArray[np.void]]) -> bool:
    """Whether the events are already grouped by customer, in the order of the codes."""
    last = -1
    for part in parts:
        codes = part["customer"]
        if codes[0] < last or np.any(codes[1:] < codes[:-1]):
            return False
        last = int(codes[-1])
    return True


def even_bounds(starts: NDArray[np.int64], parts: int) -> list[tuple[int, int]]:
    """Cut the customers into at most `parts` runs with about equally many events each."""
    cuts = np.searchsorted(starts, np.linspace(0, starts[-1], parts + 1)[1:-1])
    edges = np.unique(np.concatenate([[0], cuts, [len(starts) - 1]]))
    return [(int(first), int(last)) for first, last in pairwise(edges)]


def _run(
    fold: Fold, histories: Histories, cutoffs: Cutoffs, out: NDArray[np.float32],
    states: NDArray[np.void] | None, threads: int | None, progress: Progress | None,
) -> None:  # fmt: skip
    """Replay all customers into `out` (features at cutoffs) or, when given, `states` (final states)."""
    fold.compile()
    workers = thread_count(threads)

    def block(bound: tuple[int, int]) -> int:
        first, last = bound
        target = fold.empty(2) if states is None else states
        fold.replay(
            histories.events, histories.starts, first, last, cutoffs.at, cutoffs.starts, out, target,
            keep=states is not None,
        )  # fmt: skip
        return last - first

    done, total = 0, len(histories.customers)
    with ThreadPoolExecutor(workers) as pool:
        for finished in pool.map(block, even_bounds(histories.starts, workers * BLOCKS_PER_THREAD)):
            done += finished
            if progress:
                progress(done, total)


def replay(
    fold: Fold, histories: Histories, cutoffs: Sequence[int], *,
    threads: int | None = None, progress: Progress | None = None,
) -> Snapshots:  # fmt: skip
    """Features of every customer at every cutoff (microseconds, any order, duplicates dropped).

    A snapshot holds what had been received at its cutoff, and nothing later. Raises ValueError for a cutoff before 1970
    or from `FOREVER` on.
    """
    return replay_at(fold, histories, at_cutoffs(histories, cutoffs), threads=threads, progress=progress)


def at_cutoffs(histories: Histories, cutoffs: Sequence[int]) -> Cutoffs:
    """The same cutoffs for all customers, for each from its first event on."""
    times = np.unique(np.asarray(cutoffs, np.int64))
    skipped = np.searchsorted(times, histories.events["received"][histories.starts[:-1]], side="left")
    known = len(times) - skipped
    starts = np.concatenate([[0], np.cumsum(known)])
    return Cutoffs(times[np.arange(starts[-1]) - np.repeat(starts[:-1] - skipped, known)], starts)


def replay_at(
    fold: Fold, histories: Histories, cutoffs: Cutoffs, *,
    threads: int | None = None, progress: Progress | None = None,
) -> Snapshots:  # fmt: skip
    """Features of every customer at its own cutoffs (microseconds), without those before its first event was received.

    A snapshot holds what had been received at its cutoff, and nothing later. Raises ValueError for a cutoff before 1970
    or from `FOREVER` on, and when the cutoffs of a customer are not in rising order.
    """
    if len(cutoffs.at) and not 0 <= cutoffs.at.min() <= cutoffs.at.max() < FOREVER:
        raise ValueError(
            f"cutoffs run from {cutoffs.at.min()} to {cutoffs.at.max()}; expected microseconds since the epoch"
        )
    known = _from_the_first_event(histories, cutoffs)
    out = np.empty((len(known.at), len(fold.names)), np.float32)
    if len(known.at):
        _run(fold, histories, known, out, None, threads, progress)
    customers = np.repeat(histories.customers, np.diff(known.starts))
    return Snapshots(customers, known.at, out, fold.names, fold.fingerprint)


def _from_the_first_event(histories: Histories, cutoffs: Cutoffs) -> Cutoffs:
    """The cutoffs without those before the first event of their customer."""
    lengths = np.diff(cutoffs.starts)
    firsts = np.repeat(histories.events["received"][histories.starts[:-1]], lengths)
    owners = np.repeat(np.arange(len(lengths)), lengths)
    if ((np.diff(cutoffs.at) < 0) & (np.diff(owners) == 0)).any():
        raise ValueError("the cutoffs of a customer do not rise; expected them oldest first")
    known = cutoffs.at >= firsts
    if known.all():
        return cutoffs
    counts = np.bincount(owners[known], minlength=len(lengths))
    return Cutoffs(cutoffs.at[known], np.concatenate([[0], np.cumsum(counts)]))


def final_states(
    fold: Fold, histories: Histories, *, threads: int | None = None, progress: Progress | None = None
) -> NDArray[np.void]:
    """The state of each of `histories.customers` after its last event."""
    states = fold.empty(len(histories.customers) + 1)
    if len(histories.customers):
        nowhere = Cutoffs(np.empty(0, np.int64), np.zeros(len(states), np.int64))
        unread = np.empty((1, len(fold.names)), np.float32)
        _run(fold, histories, nowhere, unread, states, threads, progress)
    return states[:-1]
