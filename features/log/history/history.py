"""The history of a log as it stands in the manifest at one moment: its segments, read as one."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.events import Kind
from features.log.history import segment
from features.log.history.hashing import Hashes, hashes_of
from features.log.history.records import Piece, in_log_order, piece_of
from features.log.history.segment import Entry
from features.log.history.store import Store

Codes = NDArray[np.int32]

_ONE_BY_ONE = 64


class History:
    """Segments that are part of a log, without the events of customers who are being erased from them."""

    def __init__(self, store: Store, entries: Sequence[Entry] = (), erased: Collection[int] = ()) -> None:
        self.store = store
        self.entries = tuple(entries)
        self.erased = np.array(sorted(erased), np.int32)

    @property
    def events(self) -> int:
        """How many events it has."""
        return sum(entry.events for entry in self.entries)

    def span(self) -> tuple[int, int] | None:
        """The first and the last `received`; None when it is empty."""
        held = [entry for entry in self.entries if entry.events]
        if not held:
            return None
        return min(entry.first_received for entry in held), max(entry.last_received for entry in held)

    def known(self, message_ids: Sequence[str] | pl.Series, hashes: Hashes | None = None) -> NDArray[np.bool_]:
        """Which of these message ids it has; their hashes may be given."""
        known = np.zeros(len(message_ids), bool)
        if not self.entries or not len(message_ids):
            return known
        hashes = hashes_of(message_ids) if hashes is None else hashes
        order = np.argsort(hashes)  # so that an index is read from its beginning to its end
        rising = hashes[order]
        for entry in self.entries:
            places, rows = segment.index_of(self.store, entry.number).candidates(rising)
            if len(places):
                places = order[places]
                there = self._at(entry, rows, ("message_id", "customer"))
                same = (pl.Series(message_ids).gather(places) == there["message_id"]).to_numpy()
                known[places[same & ~self.is_erased(there["customer"].to_numpy())]] = True
        return known

    def find(self, message_id: str) -> pl.DataFrame | None:
        """The event of a message id as a frame of one row; None when it has none."""
        hashes = hashes_of([message_id])
        for entry in self.entries:
            for row in segment.index_of(self.store, entry.number).candidates(hashes)[1].tolist():
                there = segment.rows(self.store, entry.number, [(row, row + 1)], list(segment.SCHEMA))
                if there.item(0, "message_id") == message_id and not self.is_erased(there["customer"].to_numpy())[0]:
                    return there
        return None

    def of(self, codes: Codes) -> Piece:
        """The events of some customers together, in log order."""
        return in_log_order([piece_of(frame, entry.base) for entry, frame in self._frames_of(codes, segment.NUMBERS)])

    def texts_of(self, codes: Codes) -> pl.DataFrame:
        """The events of some customers with their texts, and a column `offset`; in no order."""
        columns = list(segment.SCHEMA)
        frames = [
            frame.with_columns(offset=pl.col("arrival") + entry.base)
            for entry, frame in self._frames_of(codes, columns)
        ]
        empty = pl.DataFrame(schema={**segment.SCHEMA, "offset": pl.Int64})
        return pl.concat([empty, *frames])

    def customers(self, after: int = 0) -> Codes:
        """The customers with events in a segment that reaches beyond the offset `after`, rising."""
        parts = [
            segment.index_of(self.store, entry.number).customers for entry in self.entries if entry.last_offset > after
        ]
        codes = np.unique(np.concatenate([np.empty(0, np.int32), *parts]))
        return codes[~self.is_erased(codes)]

    def extracted(self, kind: Kind, pattern: str) -> list[str]:
        """The different texts that the group of a pattern matches in the properties of events of a kind."""
        texts: set[str] = set()
        for entry in self.entries:
            matches = segment.read(
                self.store,
                entry.number,
                lambda events: (
                    events.filter(pl.col("kind").cast(pl.String) == kind.name)
                    .select(pl.col("properties").str.extract(pattern).drop_nulls().unique())
                    .collect()
                ),
            )
            texts.update(matches.to_series().to_list())
        return sorted(texts)

    def holding(self, codes: Codes) -> list[Entry]:
        """The segments that have events of some of these customers, whether they are being erased or not."""
        return [entry for entry in self.entries if segment.index_of(self.store, entry.number).spans(codes)]

    def without(self, entry: Entry, codes: Codes) -> Entry:
        """What the manifest says of a segment once these customers, too, are erased from it."""
        gone = [*codes.tolist(), *self.erased.tolist()]
        received = pl.col("received").to_physical()
        left = segment.read(
            self.store,
            entry.number,
            lambda events: (
                events.filter(~pl.col("customer").is_in(gone))
                .select(pl.len().alias("events"), received.min().alias("first"), received.max().alias("last"))
                .collect()
            ),
        ).row(0)
        return entry._replace(events=left[0], first_received=left[1] or 0, last_received=left[2] or 0)

    def _frames_of(self, codes: Codes, columns: Sequence[str]) -> Iterator[tuple[Entry, pl.DataFrame]]:
        codes = codes[~self.is_erased(codes)]
        for entry in self.entries:
            spans = segment.index_of(self.store, entry.number).spans(codes)
            if spans:
                yield entry, segment.rows(self.store, entry.number, spans, columns)

    def _at(self, entry: Entry, rows: NDArray[np.int64], columns: Sequence[str]) -> pl.DataFrame:
        """Some columns of single rows, in the order asked."""
        if len(rows) <= _ONE_BY_ONE:
            return segment.rows(self.store, entry.number, [(row, row + 1) for row in rows.tolist()], columns)
        return segment.read(self.store, entry.number, lambda events: events.select(columns).collect())[rows]

    def is_erased(self, codes: NDArray[np.int32]) -> NDArray[np.bool_]:
        """Which of these customers are being erased."""
        return np.isin(codes, self.erased) if len(self.erased) else np.zeros(len(codes), bool)
