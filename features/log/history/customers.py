"""A history and live events by customer: every row group is decoded once, and every event written to its place at once.

A segment has the events of a customer in log order. So the events of several segments whose offsets do not overlap,
taken in the order of their offsets, are in log order as far as their times rise; the few customers for whom they do not
are sorted afterwards. Only where offsets overlap are they read to decide between equal times.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.events import EVENT
from features.histories import Histories
from features.log.history import segment
from features.log.history.history import History
from features.log.history.reading_ahead import ahead
from features.log.history.records import NUMBERS, Columns, Piece, columns_of, columns_of_records, write
from features.log.history.segment import GROUP, Entry, Offsets
from features.log.rows import LATEST

TOGETHER = 500_000
"""About how many events are given at once: an array of less than 32 MB is taken from memory that is used already."""

DECODED = 4_000_000
"""About how many events of all segments are decoded at once: some 200 MB."""

_CODES_PER_BIN = 1024
_OF_THE_INDEX = ("customer", "kind", "channel")
_UNREAD = np.empty(0, np.int64)


class Source(NamedTuple):
    """Events of one source, sorted by customer and, for each, in log order."""

    customers: NDArray[np.int32]
    """Those that have events, rising."""
    begins: NDArray[np.int64]
    """Where the events of each begin."""
    counts: NDArray[np.int64]
    """How many of them count."""
    columns: Columns
    offsets: Offsets
    """Empty where nothing depends on them."""


class Part(NamedTuple):
    """The events of the customers with codes from `low` up to but not including `high`."""

    low: int
    high: int
    sources: list[Source]


def by_customer(history: History, live: Piece, until: int | None) -> Iterator[Histories]:
    """The histories of all customers with events `received` up to `until`, some of them after the other.

    `live` has the live events, in log order. Some parts are read ahead.
    """
    last = LATEST if until is None else until
    parts = _parts(history, _by_code(live))
    yield from ahead(lambda part: _histories(part, last), parts)


def _by_code(live: Piece) -> Piece:
    order = np.argsort(live.records["customer"], kind="stable")
    return Piece(live.records[order], live.offsets[order])


def _parts(history: History, live: Piece) -> Iterator[Part]:
    """The events of ranges of customers, by source; the sources in the order of their offsets."""
    overlapping = _overlapping(history.entries, live.offsets)
    columns = [name for name in segment.NUMBERS if name not in _OF_THE_INDEX and (overlapping or name != "arrival")]
    readers = [Reader(history, entry, columns) for entry in sorted(history.entries, key=lambda entry: entry.base)]
    codes = live.records["customer"]

    def part(bounds: tuple[int, int]) -> Part:
        low, high = bounds
        sources = [source for reader in readers for source in reader.up_to(high)]
        theirs = live.part(slice(*np.searchsorted(codes, bounds)))
        if len(theirs.records):
            sources.append(_source(theirs, theirs.offsets if overlapping else _UNREAD))
        return Part(low, high, sources)

    yield from ahead(part, _ranges(history, codes), threads=1)  # each reader goes on where it was


def _source(piece: Piece, offsets: Offsets) -> Source:
    customers, begins, counts = np.unique(piece.records["customer"], return_index=True, return_counts=True)
    return Source(customers, begins, counts, columns_of_records(piece.records), offsets)


def _overlapping(entries: Sequence[Entry], live: Offsets) -> bool:
    """Whether the offsets of two sources overlap, or live events come before those of a segment."""
    spans = sorted((entry.base, entry.last_offset) for entry in entries)
    if len(live):
        spans.append((int(live.min()) - 1, int(live.max())))
    return any(before[1] > after[0] for before, after in pairwise(spans))


class Reader:
    """Reads a segment from its first customer to its last, each row group once."""

    def __init__(self, history: History, entry: Entry, columns: Sequence[str]) -> None:
        self._history = history
        self._entry = entry
        self._columns = columns
        self._index = segment.index_of(history.store, entry.number)
        self._step = max(DECODED // len(history.entries) // GROUP, 1) * GROUP
        self._given = self._decoded = 0
        """Rows that were given, and rows that were decoded."""
        self._groups: deque[tuple[int, Columns, Offsets]] = deque()
        """The row groups with rows that were decoded and not given; the first row of each."""

    def up_to(self, high: int) -> Iterator[Source]:
        """The events of the customers with codes below `high` that were not given before."""
        stop = int(self._index.starts[np.searchsorted(self._index.customers, high)])
        while self._given < stop:
            if self._given == self._decoded:
                self._groups.extend(self._following())
            begin, columns, offsets = self._groups[0]
            first, self._given = self._given, min(stop, begin + len(columns.at))
            places = slice(first - begin, self._given - begin)
            yield self._source(first, self._given, columns.part(places), offsets[places])
            if self._given == begin + len(columns.at):
                self._groups.popleft()

    def _following(self) -> Iterator[tuple[int, Columns, Offsets]]:
        """Decode the row groups that follow."""
        index, first = self._index, self._decoded
        self._decoded = min(first + self._step, index.events)
        frame = segment.rows(self._history.store, self._entry.number, [(first, self._decoded)], self._columns)
        offsets = frame["arrival"].to_numpy() + self._entry.base if "arrival" in self._columns else _UNREAD
        kinds, channels = np.ascontiguousarray(index.pairs.T)
        for group in frame.select(NUMBERS).iter_slices(GROUP):
            pair = index.pair[first : first + len(group)]
            yield first, columns_of(group, kinds[pair], channels[pair]), offsets[: len(group)]
            first, offsets = first + len(group), offsets[len(group) :]

    def _source(self, first: int, stop: int, columns: Columns, offsets: Offsets) -> Source:
        """The events of some rows."""
        starts = self._index.starts
        places = slice(np.searchsorted(starts, first, side="right") - 1, np.searchsorted(starts, stop))
        customers = self._index.customers[places]
        edges = np.clip(starts[places.start : places.stop + 1].astype(np.int64), first, stop) - first
        counts = np.where(self._history.is_erased(customers), 0, np.diff(edges))
        return Source(customers, edges[:-1], counts, columns, offsets)


def _ranges(history: History, live: NDArray[np.int32]) -> list[tuple[int, int]]:
    """Ranges of customers' codes with about `TOGETHER` events each; `live` are the codes of the live events."""
    indexes = [segment.index_of(history.store, entry.number) for entry in history.entries]
    highest = max([int(index.customers[-1]) for index in indexes] + [int(live[-1]) if len(live) else 0])
    counts = np.zeros(highest // _CODES_PER_BIN + 1, np.int64)
    for index in indexes:
        np.add.at(counts, index.customers // _CODES_PER_BIN, np.diff(index.starts.astype(np.int64)))
    if len(live):
        counts += np.bincount(live // _CODES_PER_BIN, minlength=len(counts))
    sums = np.cumsum(counts)
    cuts = np.searchsorted(sums, np.arange(TOGETHER, sums[-1], TOGETHER)) + 1
    edges = np.unique(np.concatenate([[0], cuts * _CODES_PER_BIN, [highest + 1]]))
    edges = edges[edges <= highest + 1]
    return list(pairwise(edges.tolist()))


def _histories(part: Part, last: int) -> Histories:
    """The histories of a part, of the events `received` up to `last`."""
    counts = np.zeros(part.high - part.low, np.int64)
    for source in part.sources:
        _count(source.customers, source.begins, source.counts, source.columns.received, part.low, last, counts)
    starts = np.concatenate([[0], np.cumsum(counts)])
    events, places, tangled = np.empty(starts[-1], EVENT), starts[:-1].copy(), np.zeros(len(counts), np.bool_)
    offsets = np.empty(starts[-1] if any(len(source.offsets) for source in part.sources) else 0, np.int64)
    for source in part.sources:
        _place(*source, part.low, starts, places, events, offsets, tangled)
    if tangled.any():
        _untangle(events, offsets, starts, np.flatnonzero(tangled))
    present = np.flatnonzero(counts)
    return Histories(events, (present + part.low).astype(np.int32), np.append(starts[present], starts[-1]))


@njit(cache=True, nogil=True)
def _count(customers, begins, counts, received, low, last, out):  # type: ignore[no-untyped-def]
    """Leave the events of each customer out that are later than `last`, and count the others."""
    for c in range(len(customers)):
        while counts[c] and received[begins[c] + counts[c] - 1] > last:
            counts[c] -= 1
        out[customers[c] - low] += counts[c]


@njit(cache=True, nogil=True)
def _place(customers, begins, counts, columns, offsets, low, starts, places, out, out_offsets, tangled):  # type: ignore[no-untyped-def]
    """Write each event behind those of its customer, and mark the customers whose events are not in log order so."""
    for c in range(len(customers)):
        if not counts[c]:
            continue
        first, customer = begins[c], customers[c] - low
        place = places[customer]
        places[customer] = place + counts[c]
        if place > starts[customer]:
            before, after = out[place - 1]["received"], columns.received[first]
            if after < before or (after == before and len(offsets) and offsets[first] < out_offsets[place - 1]):
                tangled[customer] = True
        for i in range(first, first + counts[c]):
            write(columns, i, customers[c], out[place + i - first])
        if len(offsets):
            out_offsets[place : place + counts[c]] = offsets[first : first + counts[c]]


@njit(cache=True, nogil=True)
def _untangle(records, offsets, starts, customers):  # type: ignore[no-untyped-def]
    """Bring the events of some customers into log order; without offsets, equal times stay as they are."""
    for c in customers:
        theirs = records[starts[c] : starts[c + 1]].copy()
        order = np.arange(len(theirs))
        if len(offsets):
            order = np.argsort(offsets[starts[c] : starts[c + 1]], kind="mergesort")
        order = order[np.argsort(theirs["received"][order], kind="mergesort")]
        for i in range(len(theirs)):
            records[starts[c] + i] = theirs[order[i]]
