"""The journal: every event of every customer, in columns of ten bytes an event, in the order in which things happened.

    journal_of(read_past(log))  ->  Journal

The log is in the order in which events were received; the journal of a customer is in the order of `at`, and in that of
the log where two events have the same time. Ids that were merged are one customer. Customers who
withdrew the consent to be profiled are left out.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.cores import thread_count
from features.events import SECOND, Kind
from features.grouping import histories
from features.histories import Histories, even_bounds
from features.replay.snapshots import Past, known_at

LATEST = 2**32 - 1
"""The last second that a column holds: 7 February 2106."""

BLOCKS_PER_THREAD = 8

ALWAYS = 2**62
"""A time later than every merge, in microseconds, so that all merges count."""


@dataclass(frozen=True, eq=False)
class Journal:
    """Events by customer: those of `customers[i]` are places starts[i] to starts[i + 1], the earliest first.

    `customers` are codes of profiles, rising; `at` are seconds since 1970, UTC; `kind` and `channel` are the numbers of
    the enums; `amount` is NaN where there is none.
    """

    customers: NDArray[np.int32]
    starts: NDArray[np.int64]
    at: NDArray[np.uint32]
    kind: NDArray[np.uint8]
    channel: NDArray[np.uint8]
    amount: NDArray[np.float32]

    def __len__(self) -> int:
        return len(self.at)

    @cached_property
    def end(self) -> int:
        """The second of the latest event; 0 where there is none."""
        return int(self.at.max()) if len(self) else 0

    @cached_property
    def begin(self) -> int:
        """The second of the first event; 0 where there is none."""
        return int(self.at.min()) if len(self) else 0

    @property
    def bytes_per_event(self) -> int:
        """Size of the columns of one event."""
        return sum(column.dtype.itemsize for column in (self.at, self.kind, self.channel, self.amount))

    def over_customers(self, kernel: Callable[[int, int], Any], threads: int | None = None) -> list[Any]:
        """What `kernel(first, last)` gives for runs of customers of about equally many events, in their order.

        The runs go to as many threads as may run at once; a kernel releases the GIL.
        """
        workers = thread_count(threads)
        with ThreadPoolExecutor(workers) as pool:
            return list(pool.map(lambda run: kernel(*run), even_bounds(self.starts, workers * BLOCKS_PER_THREAD)))


def journal_of(past: Past, *, threads: int | None = None) -> Journal:
    """The journal of a log in memory. Raises ValueError for a time before 1970 or after `LATEST`."""
    known = _of_consent(known_at(past, ALWAYS))
    events, starts = known.events, known.starts
    if len(events) and (events["at"].min() < 0 or events["at"].max() // SECOND > LATEST):
        raise ValueError(
            f"events are from {events['at'].min()} to {events['at'].max()}, in microseconds since 1970; expected "
            f"0 to {LATEST * SECOND}"
        )
    number = len(events)
    journal = Journal(
        known.customers, starts, np.empty(number, np.uint32), np.empty(number, np.uint8), np.empty(number, np.uint8),
        np.empty(number, np.float32),
    )  # fmt: skip
    journal.over_customers(lambda first, last: _fill(events, first, last, *_arrays(journal)), threads)
    return journal


def spliced(base: Journal, fresh: Journal, gone: NDArray[np.int32]) -> Journal:
    """`base` without the customers `gone`, and with those of `fresh` in their place; all by rising code."""
    stays = ~np.isin(base.customers, gone)
    customers = np.concatenate([base.customers[stays], fresh.customers])
    begins = np.concatenate([base.starts[:-1][stays], fresh.starts[:-1] + len(base)])
    lengths = np.concatenate([np.diff(base.starts)[stays], np.diff(fresh.starts)])
    order = np.argsort(customers, kind="stable")
    starts = np.concatenate([[0], lengths[order].cumsum()])
    whole = Journal(
        customers[order], starts, np.empty(starts[-1], np.uint32), np.empty(starts[-1], np.uint8),
        np.empty(starts[-1], np.uint8), np.empty(starts[-1], np.float32),
    )  # fmt: skip
    for name in ("at", "kind", "channel", "amount"):
        _splice(begins[order], starts, getattr(base, name), getattr(fresh, name), getattr(whole, name))
    return whole


@njit(cache=True, nogil=True)
def _splice(begins, starts, base, fresh, out):  # type: ignore[no-untyped-def]
    """Copy the events of each customer, which begin at `begins` in `base`, or behind its end in `fresh`."""
    for c in range(len(begins)):
        begin = begins[c]
        for i in range(starts[c], starts[c + 1]):
            place = begin + i - starts[c]
            out[i] = base[place] if place < len(base) else fresh[place - len(base)]


def _of_consent(known: Histories) -> Histories:
    """The histories without the customers who withdrew their consent and did not grant it again in a later second."""
    kinds = known.events["kind"]
    latest = []
    for kind in (Kind.CONSENT_WITHDRAW, Kind.CONSENT_GRANT):
        places = np.flatnonzero(kinds == kind)
        times = np.full(len(known.customers), -1, np.int64)
        owners = np.searchsorted(known.starts, places, side="right") - 1
        np.maximum.at(times, owners, known.events["at"][places] // SECOND)
        latest.append(times)
    withdrawn, granted = latest
    stays = (withdrawn < 0) | (granted > withdrawn)
    if stays.all():
        return known
    return histories([known.events[np.repeat(stays, np.diff(known.starts))]])


def _arrays(journal: Journal) -> tuple[NDArray[Any], ...]:
    return journal.starts, journal.at, journal.kind, journal.channel, journal.amount


@njit(cache=True, nogil=True)
def _fill(events, first, last, starts, at, kind, channel, amount):  # type: ignore[no-untyped-def]
    """Write the events of customers first..last-1 into the columns, each customer's in the order of `at`."""
    for c in range(first, last):
        start, stop = starts[c], starts[c + 1]
        rising = True
        for i in range(start + 1, stop):
            if events[i]["at"] < events[i - 1]["at"]:
                rising = False
                break
        order = np.arange(stop - start)
        if not rising:
            times = np.empty(stop - start, np.int64)
            for i in range(start, stop):
                times[i - start] = events[i]["at"]
            order = np.argsort(times, kind="mergesort")  # which is stable: the log decides between equal times
        for i in range(stop - start):
            event = events[start + order[i]]
            at[start + i] = event["at"] // 1_000_000
            kind[start + i] = event["kind"]
            channel[start + i] = event["channel"]
            amount[start + i] = event["amount"]
