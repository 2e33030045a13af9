"""Long reads of a SQLite log, each by a connection of its own: it waits for no writer, and sees what is there when it
begins.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features.events import EVENT
from features.log import rows
from features.log.by_row import in_customer_order
from features.log.contract import CHUNK, EventBatch, Records
from features.log.sqlite.reading import RECORD, has_history, selected
from features.log.sqlite.schema import connect_reader, explained


def scan(path: Path, selection: rows.Selection, size: int) -> Iterator[Records]:
    """The selected events in log order, at most `size` at a time, read by a connection of its own."""
    with explained(path), closing(_reader(path)) as reader:
        if has_history(reader):
            from features.log.sqlite import whole  # Polars, which a log without history does not need

            yield from (run.records for run in whole.scan(reader, path, selection, size, texts=False))
        else:
            for chunk in selected(reader, RECORD, selection, size):
                yield np.array(chunk, EVENT)


def scan_with_properties(path: Path, selection: rows.Selection, size: int) -> Iterator[EventBatch]:
    """The selected events with their texts, in log order, at most `size` at a time."""
    with explained(path), closing(_reader(path)) as reader:
        if has_history(reader):
            from features.log.sqlite import whole

            yield from map(whole.batch_of, whole.scan(reader, path, selection, size, texts=True))
        else:
            for chunk in selected(reader, f"{RECORD}, message_id, order_id, properties", selection, size):
                yield rows.batch(chunk)


def by_customer(path: Path, until: int | None) -> Iterator[Records]:
    """All events in chunks that hold whole customers, by rising code, each in log order."""
    with explained(path), closing(_reader(path)) as reader:
        if has_history(reader):
            from features.log.sqlite import whole

            yield from whole.customers_in_order(reader, path, until)
        else:
            held = list(_live(reader, until))
            if held:
                yield in_customer_order(np.concatenate(held))


def together(path: Path, codes: NDArray[np.int32], until: int | None) -> Records:
    """The events of some customers as one array in log order."""
    with explained(path), closing(_reader(path)) as reader:
        from features.log.sqlite import whole

        return whole.together(reader, path, codes, until)


def _reader(path: Path) -> sqlite3.Connection:
    """A connection that sees the log as it is when it is first read: what is sealed later is not missed."""
    reader = connect_reader(path)
    reader.execute("BEGIN")
    return reader


def _live(reader: sqlite3.Connection, until: int | None) -> Iterator[Records]:
    for chunk in selected(reader, RECORD, rows.Selection(until=until), CHUNK):
        yield np.array(chunk, EVENT)
