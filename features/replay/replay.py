"""Replay: the log, folded by the same code that serves, read at every cutoff.

    histories(log.scan())  ->  Histories  ->  replay(fold, histories, cutoffs)  ->  Snapshots

All customers are looked at at the same cutoffs, or (`replay_at`) each at moments of its own.

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

from features.aggregates.kernels import FOREVER
from features.events import EVENT
from features.fold.fold import Fold

Progress = Callable[[int, int], None]
"""Told (customers done, customers in all) as the work goes on."""

BLOCKS_PER_THREAD = 16

MOST_RUNS = 8
"""Runs of the log that are grouped side by side at most: each keeps a count of every customer."""


@dataclass(frozen=True)
class Histories:
    """Events by customer: those of `customers[i]` are `events[starts[i]:starts[i + 1]]`, in log order."""

    events: NDArray[np.void]
    customers: NDArray[np.int32]
    starts: NDArray[np.int64]


@dataclass(frozen=True)
class Moments:
    """When each customer is looked at: `customers[i]` of some histories at `at[starts[i]:starts[i + 1]]`, rising."""

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
    """Where the events of each customer belong when threads write runs of the log to them side by side.

    `counts[r, c]` is how many events run r has of customer c. Returns `starts`, int64[customers + 1], and for each
    run the place of its first event of each customer, behind those of the runs before it.
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
    """Whether the events already stand customer by customer, in the order of the codes."""
    last = -1
    for part in parts:
        codes = part["customer"]
        if codes[0] < last or np.any(codes[1:] < codes[:-1]):
            return False
        last = int(codes[-1])
    return True


def thread_count(threads: int | None) -> int:
    """`threads`, or as many as this process may run at once."""
    if threads:
        return threads
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _even_bounds(starts: NDArray[np.int64], parts: int) -> list[tuple[int, int]]:
    """Cut the customers into at most `parts` runs with about equally many events each."""
    cuts = np.searchsorted(starts, np.linspace(0, starts[-1], parts + 1)[1:-1])
    edges = np.unique(np.concatenate([[0], cuts, [len(starts) - 1]]))
    return [(int(first), int(last)) for first, last in pairwise(edges)]


def _run(
    fold: Fold, histories: Histories, moments: Moments, out: NDArray[np.float32],
    states: NDArray[np.void] | None, threads: int | None, progress: Progress | None,
) -> None:  # fmt: skip
    """Replay all customers into `out` (readings at moments) or, when given, `states` (final states)."""
    fold.compile()
    workers = thread_count(threads)

    def block(bound: tuple[int, int]) -> int:
        first, last = bound
        target = fold.empty(2) if states is None else states
        fold.replay(
            histories.events, histories.starts, first, last, moments.at, moments.starts, out, target,
            keep=states is not None,
        )  # fmt: skip
        return last - first

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

    A snapshot holds what had been received at its cutoff, and nothing later. ValueError for a cutoff that no clock
    can show.
    """
    return replay_at(fold, histories, at_cutoffs(histories, cutoffs), threads=threads, progress=progress)


def at_cutoffs(histories: Histories, cutoffs: Sequence[int]) -> Moments:
    """The moments of customers who are all looked at at the same cutoffs, from their first event on."""
    moments = np.unique(np.asarray(cutoffs, np.int64))
    skipped = np.searchsorted(moments, histories.events["received"][histories.starts[:-1]], side="left")
    known = len(moments) - skipped
    starts = np.concatenate([[0], np.cumsum(known)])
    return Moments(moments[np.arange(starts[-1]) - np.repeat(starts[:-1] - skipped, known)], starts)


def replay_at(
    fold: Fold, histories: Histories, moments: Moments, *,
    threads: int | None = None, progress: Progress | None = None,
) -> Snapshots:  # fmt: skip
    """Features of every customer at its own moments (microseconds), but none before its first event was received.

    A snapshot holds what had been received at its moment, and nothing later. ValueError for a moment that no clock can
    show, or that is before another of the same customer that precedes it.
    """
    if len(moments.at) and not 0 <= moments.at.min() <= moments.at.max() < FOREVER:
        raise ValueError(
            f"cutoffs run from {moments.at.min()} to {moments.at.max()}; expected microseconds since the epoch"
        )
    known = _from_the_first_event(histories, moments)
    out = np.empty((len(known.at), len(fold.names)), np.float32)
    if len(known.at):
        _run(fold, histories, known, out, None, threads, progress)
    customers = np.repeat(histories.customers, np.diff(known.starts))
    return Snapshots(customers, known.at, out, fold.names, fold.fingerprint)


def _from_the_first_event(histories: Histories, moments: Moments) -> Moments:
    """The moments at which anything was known of their customers."""
    lengths = np.diff(moments.starts)
    firsts = np.repeat(histories.events["received"][histories.starts[:-1]], lengths)
    owners = np.repeat(np.arange(len(lengths)), lengths)
    if ((np.diff(moments.at) < 0) & (np.diff(owners) == 0)).any():
        raise ValueError("the moments of a customer do not rise; expected them oldest first")
    known = moments.at >= firsts
    if known.all():
        return moments
    counts = np.bincount(owners[known], minlength=len(lengths))
    return Moments(moments.at[known], np.concatenate([[0], np.cumsum(counts)]))


def final_states(
    fold: Fold, histories: Histories, *, threads: int | None = None, progress: Progress | None = None
) -> NDArray[np.void]:
    """The state of each of `histories.customers` after its last event."""
    states = fold.empty(len(histories.customers) + 1)
    if len(histories.customers):
        nowhere = Moments(np.empty(0, np.int64), np.zeros(len(states), np.int64))
        unread = np.empty((1, len(fold.names)), np.float32)
        _run(fold, histories, nowhere, unread, states, threads, progress)
    return states[:-1]
