"""A history and live events in log order, from segments that are sorted by customer.

The time is cut into slices of few enough events; of each slice, the events of all segments that reach into it are
sorted, together with the live ones. Segments of one period each are so read once; where all of them reach over the
whole time, each is read once for each slice, and the memory stays the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import pairwise
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.events import EVENT, Kind
from features.log.contract import EventBatch, Records
from features.log.history import segment
from features.log.history.history import History
from features.log.history.records import log_order, piece_of
from features.log.rows import Selection

SLICE = 2_000_000
"""About how many events of a history are sorted at once."""

_SAMPLED = 256


class Run(NamedTuple):
    """Events in log order; `texts` has their message ids, order ids and properties: object[3, n], or [3, 0] without."""

    records: Records
    offsets: NDArray[np.int64]
    texts: NDArray[np.object_]

    def part(self, places: slice | NDArray[np.intp]) -> Run:
        """Some of the events."""
        return Run(self.records[places], self.offsets[places], self.texts[:, places] if self.texts.size else self.texts)


NO_TEXTS = np.empty((3, 0), object)
EMPTY = Run(np.empty(0, EVENT), np.empty(0, np.int64), NO_TEXTS)


def batch_of(run: Run) -> EventBatch:
    """A run with texts as a batch."""
    return EventBatch(run.records, *run.texts.tolist())


def scan(history: History, live: Iterable[Run], selection: Selection, *, size: int, texts: bool) -> Iterator[Run]:
    """The selected events of a history and of `live`, which is in log order and selected already, `size` at most
    each.
    """
    waiting = _Live(live)
    for start, end in pairwise(_edges(history)):
        parts = [*_slice(history, start, end, selection, texts=texts), *waiting.before(end)]
        yield from _cut(_sorted(parts), size)
    for run in waiting.rest():
        yield from _cut(run, size)


class _Live:
    """The live events that have not been given yet."""

    def __init__(self, runs: Iterable[Run]) -> None:
        self._runs = iter(runs)
        self._held = EMPTY

    def before(self, end: int) -> Iterator[Run]:
        """Those `received` before `end`."""
        while True:
            stop = int(np.searchsorted(self._held.records["received"], end))
            if stop:
                yield self._held.part(slice(0, stop))
                self._held = self._held.part(slice(stop, None))
            if len(self._held.records) or (following := next(self._runs, None)) is None:
                return
            self._held = following

    def rest(self) -> Iterator[Run]:
        """All of them."""
        if len(self._held.records):
            yield self._held
        yield from self._runs


def _edges(history: History) -> list[int]:
    """The times at which the slices begin, and the end of the last."""
    span = history.span()
    if span is None:
        return []
    if history.events <= SLICE:
        return [span[0], span[1] + 1]
    received = pl.col("received").to_physical()
    times = [
        segment.read(history.store, entry.number, lambda events: events.select(received).collect())
        .to_series().sort().gather_every(_SAMPLED).to_numpy()
        for entry in history.entries
    ]  # fmt: skip
    cuts = np.sort(np.concatenate(times))[SLICE // _SAMPLED :: SLICE // _SAMPLED]
    return sorted({span[0], *cuts.tolist(), span[1] + 1})


def _slice(history: History, start: int, end: int, selection: Selection, *, texts: bool) -> Iterator[Run]:
    """The selected events of each segment that were received from `start` up to but not including `end`."""
    columns = [*segment.NUMBERS, *(segment.TEXTS if texts else ())]
    wanted = _condition(history, selection)
    for entry in history.entries:
        if entry.first_received < end and entry.last_received >= start:
            part = wanted
            if entry.first_received < start or entry.last_received >= end:
                received = pl.col("received").to_physical()
                part &= (received >= start) & (received < end)
            frame = segment.read(history.store, entry.number, partial(_selected, columns=columns, wanted=part))
            yield Run(*piece_of(frame, entry.base), _texts(frame) if texts else NO_TEXTS)


def _selected(events: pl.LazyFrame, columns: Sequence[str], wanted: pl.Expr) -> pl.DataFrame:
    return events.select(columns).filter(wanted).collect()


def _condition(history: History, selection: Selection) -> pl.Expr:
    received, customer = pl.col("received").to_physical(), pl.col("customer")
    wanted = received <= selection.last
    if selection.kinds is not None:
        wanted &= pl.col("kind").cast(pl.String).is_in([Kind(number).name for number in selection.numbers])
    if selection.shards > 1:
        wanted &= customer % selection.shards == selection.shard
    if len(history.erased):
        wanted &= ~customer.is_in(history.erased.tolist())
    return wanted


def _texts(frame: pl.DataFrame) -> NDArray[np.object_]:
    texts = np.empty((3, len(frame)), object)
    for number, name in enumerate(segment.TEXTS):
        texts[number] = frame[name].to_list()
    return texts


def _sorted(runs: list[Run]) -> Run:
    records = np.concatenate([run.records for run in runs] or [EMPTY.records])
    offsets = np.concatenate([run.offsets for run in runs] or [EMPTY.offsets])
    texts = np.concatenate([run.texts for run in runs] or [NO_TEXTS], axis=1)
    return Run(records, offsets, texts).part(log_order(records["received"], offsets))


def _cut(run: Run, size: int) -> Iterator[Run]:
    for start in range(0, len(run.records), size):
        yield run.part(slice(start, start + size))
