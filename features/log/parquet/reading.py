"""Reading the events of a log of files: all in log order, those of a customer, and that of a message id."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from features.events import Event
from features.log import rows
from features.log.contract import EventBatch, Vocabulary
from features.log.parquet.partitions import Partitions
from features.log.parquet.scan_order import Block, Rows, in_log_order
from features.log.parquet.tables import FIELDS, plain, records_of

_TEXTS = ["message_id", "order_id", "properties"]


def selected(partitions: Partitions, selection: rows.Selection, size: int, *, texts: bool = False) -> Iterator[Rows]:
    """The selected events in log order, at most `size` at a time."""
    blocks = [
        Block(first, partial(_group, path, group, selection, texts))
        for path, group, first, _ in partitions.groups()
        if first <= selection.last
    ]
    yield from in_log_order(blocks, size)


def _group(path: Path, group: int, selection: rows.Selection, texts: bool) -> Rows:
    """The selected events of one row group."""
    with pq.ParquetFile(path) as file:
        stored = records_of(file.read_row_group(group, columns=[*FIELDS, "offset"]))
        places = selection.places(stored.records)
        if texts:
            stored = stored._replace(texts=file.read_row_group(group, columns=_TEXTS))
    return stored.at(places)


def batch(selected_rows: Rows) -> EventBatch:
    """Rows with texts as a batch."""
    if selected_rows.texts is None:
        raise ValueError("the rows were read without their texts; expected those of a scan with properties")
    return EventBatch(selected_rows.records, *(selected_rows.texts[name].to_pylist() for name in _TEXTS))


def find(partitions: Partitions, message_id: str) -> pa.Table | None:
    """The stored row of a message id, as a table; None when there is none. Reads the message ids until it is found."""
    for path in partitions.files():
        with pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                ids = file.read_row_group(group, columns=["message_id"], use_threads=False)["message_id"]
                place = pc.index(ids, message_id).as_py()
                if place >= 0:
                    return file.read_row_group(group, use_threads=False).slice(place, 1)
    return None


def spelt(table: pa.Table, customers: Vocabulary, items: Vocabulary, categories: Vocabulary) -> list[Event]:
    """Stored rows as events with names."""
    table = table.drop_columns(["offset"])
    stored = table.cast(plain(table.schema)).to_pylist()
    for row in stored:
        for column, names in (("item", items), ("category", categories)):
            row[column] = None if row[column] is None else names.name(row[column])
    return [rows.event(customers.name(row.pop("customer")), *row.values()) for row in stored]
