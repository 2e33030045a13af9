"""A Parquet file in columns: some thousand rows at a time on every core, put together in their order."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np
import pyarrow as arrow

from features.sources.columns.ahead import Ahead
from features.sources.columns.arrow_values import column_of, rows_of
from features.sources.columns.batch import Batch
from features.sources.columns.portions import Columnar, Gathering, Portion, portion_of
from features.sources.columns.row_by_row import RowByRow
from features.sources.columns.table import Column, Table
from features.sources.contract import FileUnreadable, Record
from features.sources.readers.parquet import ParquetReading

BATCH = 500_000
"""Rows of a full batch."""

MOST_BYTES = 256 << 20
"""Bytes of rows that are read in columns, whose places are numbers of 32 bits: longer rows are read one by one."""


def can_be_columns(schema: arrow.Schema, columnar: Columnar) -> bool:
    """Whether no value that matters has parts, or is a part of one."""
    roots = {name if name in schema.names else name.split(".")[0] for name in columnar.used}
    return not any(arrow.types.is_nested(schema.field(name).type) for name in roots if name in schema.names)


def parquet_batches(reading: ParquetReading, rows: RowByRow, columnar: Columnar) -> Iterator[Batch]:
    """The batches of a file. Raises FileUnreadable where it breaks off, after a batch of what was read."""
    gathering = Gathering(rows, columnar.complete)
    done = first = 0

    def take(row: int) -> tuple[Record, int]:
        return next(reading.records(part.rows.slice(row, 1), done + row + 1)), 1

    with Ahead(reading.batches(), _Parts(rows, columnar)) as parts:
        try:
            for part in parts:
                gathering.add(part.portion, take)
                done += len(part.rows)
                if done - first >= BATCH:
                    yield gathering.batch(done)
                    first = done
        except FileUnreadable:
            if not gathering.is_empty:
                yield gathering.batch(done)
            raise
    if not gathering.is_empty:
        yield gathering.batch(done)


class _Part(NamedTuple):
    """Rows that are read."""

    rows: arrow.RecordBatch
    portion: Portion


class _Parts:
    """Makes parts of rows, on any thread."""

    def __init__(self, rows: RowByRow, columnar: Columnar) -> None:
        self._rows = rows
        self._columnar = columnar

    def __call__(self, rows: arrow.RecordBatch) -> _Part:
        columns = {name: column_of(rows.column(name)) for name in self._columnar.used if name in rows.schema.names}
        known: dict[str, Column] = {name: column for name, column in columns.items() if column is not None}
        none = np.zeros(len(rows), np.bool_)
        table = Table(known, none.copy()) if rows.nbytes <= MOST_BYTES else Table({}, ~none)
        return _Part(rows, portion_of(table, none, lambda: rows_of(rows), self._columnar, self._rows))
