"""The Parquet files of a log in a folder: their columns, how they are read and written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from features.events import EVENT, NO_CODE
from features.files import settle
from features.log import rows
from features.log.contract import LogCorrupt
from features.log.parquet import folder, scan_order
from features.log.parquet.vocabulary import Names

_MOMENT = pa.timestamp("us", "UTC")

EVENTS = pa.schema(
    {
        "offset": pa.int64(),
        "message_id": pa.string(),
        "customer": pa.int32(),
        "kind": pa.uint8(),
        "at": _MOMENT,
        "received": _MOMENT,
        "channel": pa.uint8(),
        "item": pa.int32(),
        "category": pa.int32(),
        "quantity": pa.float64(),
        "amount": pa.float64(),
        "order_id": pa.string(),
        "score": pa.float64(),
        "properties": pa.string(),
    }
)
DEAD_LETTERS = pa.schema(
    {
        "source": pa.string(),
        "position": pa.int64(),
        "field": pa.string(),
        "reason": pa.string(),
        "raw": pa.binary(),
        "received": pa.int64(),
        "customer": pa.string(),
        "number": pa.int64(),
    }
)
MERGES = pa.schema(
    {
        "received": pa.int64(),
        "offset": pa.int64(),
        "member": pa.int32(),
        "profile": pa.int32(),
        "undone": pa.uint8(),
    }
)
TOMBSTONES = pa.schema({"digest": pa.binary(), "at": pa.int64()})
TRAININGS = pa.schema({"version": pa.string(), "until": pa.int64(), "at": pa.int64()})

FIELDS = [name for name in rows.COLUMNS if name in (EVENT.names or ())]
"""The columns that the fold reads."""

GROUP = 8_192
"""Most rows of one row group. A scan reads whole row groups, one of each partition at a time."""

LOG_ORDER = [("received", "ascending"), ("offset", "ascending")]


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Raise what the file system and Parquet report of the log at `path` as a `LogError` that says what to do."""
    try:
        with folder.explained(path):
            yield
    except pa.ArrowException as error:
        raise LogCorrupt(f"the log {path}: {error}; a file of it is damaged, restore it from a backup") from error


def read(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    """A file, or some columns of it."""
    with pq.ParquetFile(path) as file:
        return file.read(columns, use_threads=False)


def read_all(log: Path, name: str, schema: pa.Schema) -> pa.Table:
    """All that the log holds now in one of its data folders, oldest first."""
    return pa.concat_tables([schema.empty_table(), *map(read, folder.listed(log, [log / name]))])


def write(path: Path, table: pa.Table) -> None:
    """Write a file; it is on the disk when this returns."""
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".tmp")
    pq.write_table(table, fresh, compression="zstd", row_group_size=GROUP)
    settle(fresh, path)


def table_of(tuples: Iterable[Sequence[object]], schema: pa.Schema) -> pa.Table:
    """A table of rows given as tuples."""
    columns = list(zip(*tuples, strict=True)) or [()] * len(schema)
    arrays = [pa.array(column, kind, from_pandas=True) for column, kind in zip(columns, schema.types, strict=True)]
    return pa.table(arrays, schema=schema)


def records_of(table: pa.Table) -> scan_order.Rows:
    """Stored events as the fold reads them."""
    records = np.zeros(len(table), EVENT)
    for name in FIELDS:
        column = table[name]
        if name in ("item", "category"):
            column = column.fill_null(NO_CODE)
        records[name] = (column.cast(pa.int64()) if column.type == _MOMENT else column).to_numpy()
    return scan_order.Rows(records, table["offset"].to_numpy())


def plain(schema: pa.Schema) -> pa.Schema:
    """The same columns with times as numbers."""
    return pa.schema([field.with_type(pa.int64()) if field.type == _MOMENT else field for field in schema])


def read_names(path: Path) -> Names:
    """The names of one file of a vocabulary."""
    with explained(path.parent.parent):
        names: list[str | None] = read(path, ["name"])["name"].to_pylist()
    return names


def write_names(path: Path, names: Names, first: int) -> None:
    """Write names, of which the first has the code `first`."""
    codes = pa.array(range(first, first + len(names)), pa.int32())
    write(path, pa.table({"code": codes, "name": pa.array(names, pa.string())}))
