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

_line = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=str).encode


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
        require(path, self._file.schema_arrow.names, required)

    def done(self) -> int:
        """Rows read so far."""
        return self._done

    def __iter__(self) -> Iterator[Record]:
        names = self._file.schema_arrow.names
        try:
            for batch in self._file.iter_batches(batch_size=BATCH):
                columns = [_values(column) for column in batch.columns]
                for row in zip(*columns, strict=True):
                    self._done += 1
                    values = dict(zip(names, row, strict=True))
                    yield Record(self._done, _line(values).encode("utf-8", "surrogatepass"), values)
        except (OSError, arrow.ArrowException, UnicodeDecodeError) as error:
            unreadable(self._path, error, f" after row {self._done}")


def _values(column: Any) -> list[Any]:
    kind = column.type
    if arrow.types.is_timestamp(kind) and kind.unit == "ns":
        column = column.cast(arrow.timestamp("us", tz=kind.tz), safe=False)
    values: list[Any] = column.to_pylist()
    if arrow.types.is_floating(kind):
        return [None if value is None or isnan(value) else value for value in values]
    return values
