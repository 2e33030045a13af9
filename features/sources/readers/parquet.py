"""Records of a Parquet file, batch by batch: the only file of the sources that needs pyarrow."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator
from math import isnan
from pathlib import Path
from typing import Any

from features.sources.contract import FileUnreadable, Record
from features.sources.readers.faults import require, unreadable

BATCH = 8_192
"""Rows in memory at a time."""

try:
    import pyarrow as arrow
    import pyarrow.parquet
except ImportError:
    raise FileUnreadable("reading Parquet needs pyarrow: pip install 'waypost[training]'") from None

line = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str).encode
"""A row, or a value of it, as the bytes of a record hold it."""


class ParquetReading:
    """The rows of a Parquet file as mappings of column to Python value; NaN counts as absent."""

    def __init__(self, path: Path, required: Collection[str] = ()) -> None:
        self._path = path
        self._done = 0
        try:
            self._file = pyarrow.parquet.ParquetFile(path)
        except (OSError, arrow.ArrowException) as error:
            unreadable(path, error)
        self.total: int = self._file.metadata.num_rows
        self.schema: arrow.Schema = self._file.schema_arrow
        require(path, self.schema.names, required)

    def done(self) -> int:
        """Rows read so far."""
        return self._done

    def __iter__(self) -> Iterator[Record]:
        for batch in self.batches():
            for record in self.records(batch, self._done + 1):
                self._done = record.position
                yield record

    def batches(self) -> Iterator[arrow.RecordBatch]:
        """The rows as columns, at most `BATCH` at a time. Raises FileUnreadable where the file breaks off."""
        rows = 0
        try:
            for batch in self._file.iter_batches(batch_size=BATCH):
                check_texts(batch)
                yield batch
                rows += len(batch)
        except (OSError, arrow.ArrowException, UnicodeDecodeError) as error:
            unreadable(self._path, error, f" after row {rows}")

    def records(self, batch: arrow.RecordBatch, position: int) -> Iterator[Record]:
        """The rows of a batch, of which the first is at this position."""
        names = batch.schema.names
        columns = [values_of(column) for column in batch.columns]
        for number, row in enumerate(zip(*columns, strict=True), position):
            values = dict(zip(names, row, strict=True))
            yield Record(number, line(values).encode("utf-8", "surrogatepass"), values)


def check_texts(batch: arrow.RecordBatch) -> None:
    """Raises UnicodeDecodeError for a text that is not UTF-8."""
    try:
        batch.validate(full=True)
    except arrow.ArrowInvalid:
        for column in batch.columns:
            column.to_pylist()


def values_of(column: Any) -> list[Any]:
    """The values of a column as Python has them; a number that is none is None."""
    kind = column.type
    if arrow.types.is_timestamp(kind) and kind.unit == "ns":
        column = column.cast(arrow.timestamp("us", tz=kind.tz), safe=False)
    values: list[Any] = column.to_pylist()
    if arrow.types.is_floating(kind):
        return [None if value is None or isnan(value) else value for value in values]
    return values
