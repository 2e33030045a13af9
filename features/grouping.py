"""Grouping the events of a log by customer: a counting sort on every core."""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.cores import thread_count
from features.events import EVENT
from features.histories import Histories

MOST_RUNS = 8
"""Most runs of the log that are grouped in parallel: each keeps a count for every customer."""


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
        starts, places = _places(counts)
        if _grouped(parts):
            events = np.concatenate(parts) if len(parts) > 1 else parts[0]
        else:
            events = np.empty(starts[-1], EVENT)
            list(pool.map(_move_run, runs, places, [events] * len(runs)))
    present = np.flatnonzero(np.diff(starts))
    return Histories(events, present.astype(np.int32), np.append(starts[present], starts[-1]))


def _places(counts: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
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
