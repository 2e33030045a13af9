"""Replay: the log folded by the same code that serves, and read at every cutoff.

    Histories  ->  replay(fold, histories, cutoffs)  ->  Snapshots

All customers have the same cutoffs, or (`replay_at`) each has its own.

Customers are independent, so they are replayed in parallel, and any number of threads gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.aggregates.kernels import FOREVER
from features.cores import thread_count
from features.fold.fold import Fold
from features.histories import Histories, even_bounds

Progress = Callable[[int, int], None]
"""Called with (customers done, customers in all) as the work goes on."""

BLOCKS_PER_THREAD = 16


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
