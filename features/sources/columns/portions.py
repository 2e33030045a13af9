"""Portions of a file, read in columns, become batches: what runs through the file is done here, in its order."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.log.contract import DeadLetter
from features.sources.columns.batch import Batch
from features.sources.columns.digests import digests
from features.sources.columns.event_fields import EventFields, in_order
from features.sources.columns.identities import ColumnIdentities
from features.sources.columns.row_by_row import RowByRow
from features.sources.columns.table import Table
from features.sources.columns.texts import Texts
from features.sources.contract import FileUnreadable, Record
from features.sources.fields.message_ids import WINDOW
from features.sources.report import ImportReport

Complete = Callable[[EventFields, NDArray[np.intp]], tuple[EventFields, NDArray[np.intp]]]
"""The fields of all events of some rows, and the row of each, from fields that have every message id."""


class Columnar(NamedTuple):
    """How the records of a source are read in columns."""

    used: tuple[str, ...]
    """The columns of a file that matter."""
    event_fields: Callable[[Table, RowByRow], EventFields]
    """The fields of each record's event; says in the table which records are undecided. It runs on any thread, so it
    looks at nothing of `RowByRow` that the records of a file change."""
    complete: Complete


@dataclass
class Portion:
    """Consecutive rows of a file, read as far as they can be on their own."""

    fields: EventFields
    undecided: NDArray[np.bool_]
    """Which rows are left to the row-by-row adapter."""
    blank: NDArray[np.bool_]
    """Which rows are no records."""
    unnamed: NDArray[np.intp]
    """The decided rows whose ids are made from their bytes."""
    digests: NDArray[np.uint64]
    """The digests of their bytes."""


def portion_of(
    table: Table, blank: NDArray[np.bool_], raw: Callable[[], Texts], columnar: Columnar, rows: RowByRow
) -> Portion:
    """Read the rows of a table; `raw` gives their bytes."""
    unread = table.undecided.copy()
    fields = columnar.event_fields(table, rows)
    fields.kind[unread] = 0  # what no values are known of is not left out by its kind
    undecided = table.undecided & ~fields.left_out & ~blank
    unnamed = np.flatnonzero(~(undecided | blank | fields.left_out | fields.message_id.present))
    hashed = digests(*raw().rows(unnamed)) if len(unnamed) else np.empty((0, 2), np.uint64)
    return Portion(fields, undecided, blank, unnamed, hashed)


Take = Callable[[int], tuple[Record, int]]
"""The record that begins at a row of a portion, and how many rows it takes, which may go on in the next portion. Raises
FileUnreadable where the file breaks off within it."""


class Gathering:
    """The batch that is being filled from the portions of a file in their order."""

    def __init__(self, rows: RowByRow, complete: Complete) -> None:
        self._rows = rows
        self._complete = complete
        self._identities = ColumnIdentities(rows.source.name, WINDOW)
        rows.identities = self._identities
        self._over = 0
        """How many of the next rows belong to a record that has begun."""
        self._begin()

    def _begin(self) -> None:
        self._report = ImportReport(self._rows.source.name)
        self._frames: list[pl.DataFrame] = []
        self._dead_letters: list[DeadLetter] = []
        self._records = 0

    @property
    def is_empty(self) -> bool:
        """Whether no portion was added since the last batch."""
        return not self._frames

    def add(self, portion: Portion, take: Take) -> None:
        """Add the next portion. Raises FileUnreadable where `take` does; what comes before is in the batch."""
        fault = None
        height, at = len(portion.blank), self._over
        is_record = ~portion.blank
        is_record[:at] = False
        undecided = portion.undecided
        if portion.fields.doubtful is not None:
            undecided = undecided | portion.fields.doubtful(undecided | ~is_record)
        repetitions = np.zeros(len(portion.unnamed), np.int32)
        for row in np.flatnonzero(undecided).tolist():
            if row < at:
                continue
            self._count(portion, undecided, repetitions, at, row)
            try:
                record, lines = take(row)
            except FileUnreadable as error:
                fault, at, is_record[row:] = error, height, False
                break
            self._rows.take(record, row)
            at = row + lines
            is_record[row + 1 : at] = False
        self._count(portion, undecided, repetitions, at, height)
        self._over = max(0, at - height)
        events = self._decided(portion, is_record & ~undecided, repetitions)
        others = self._rows.batch(0)
        self._dead_letters += others.dead_letters
        self._report.add(others.report)
        events = in_order([events, others.events])
        if not is_record.all():
            numbers = np.cumsum(is_record) - 1
            events = events.with_columns(record=pl.Series(numbers[events["record"].to_numpy()], dtype=pl.Int64))
        self._frames.append(events.with_columns(pl.col("record") + self._records))
        self._records += int(is_record.sum())
        if fault is not None:
            raise fault

    def _count(
        self, portion: Portion, undecided: NDArray[np.bool_], repetitions: NDArray[np.int32], first: int, after: int
    ) -> None:
        """Count the repetitions of the decided rows from `first` to before `after`."""
        start, stop = np.searchsorted(portion.unnamed, (first, after))
        places = np.arange(start, stop)[~undecided[portion.unnamed[start:stop]]]
        if len(places):
            repetitions[places] = self._identities.repetitions(portion.digests[places])

    def _decided(self, portion: Portion, decided: NDArray[np.bool_], repetitions: NDArray[np.int32]) -> pl.DataFrame:
        """The events of the decided rows; their records are these rows."""
        rows = np.flatnonzero(decided & ~portion.fields.left_out)
        number = int(decided.sum())
        self._report.records += number
        self._report.skipped += number - len(rows)
        made = self._identities.texts(portion.digests, repetitions).scattered(portion.unnamed, len(decided))
        named = replace(portion.fields, message_id=portion.fields.message_id.otherwise(made))
        fields, places = self._complete(named, rows)
        return fields.frame(places)

    def batch(self, done: int) -> Batch:
        """What was added since the last batch; the next one begins."""
        batch = Batch(pl.concat(self._frames), self._dead_letters, self._report, done)
        self._begin()
        return batch
