"""A SQLite log read as a whole: the live events of the database, and those of its history."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.events import EVENT
from features.log import rows
from features.log.contract import CHUNK, Records
from features.log.history import scanning
from features.log.history.history import History
from features.log.history.records import Piece, by_customer, in_log_order
from features.log.history.scanning import NO_TEXTS, Run, batch_of
from features.log.history.segment import Entry
from features.log.sqlite.reading import RECORD, history_folder, of, selected

__all__ = ["batch_of", "customers_in_order", "live_of", "read_manifest", "scan"]

FEW = 500
"""So few customers are looked up by their index; for more, all live events are read."""

_NUMBERED = np.dtype([*((name, EVENT[name]) for name in EVENT.names or ()), ("offset", np.int64)])


def read_manifest(connection: sqlite3.Connection, path: Path) -> History:
    """The history as the manifest that a connection sees has it."""
    entries = connection.execute("SELECT * FROM segments ORDER BY base").fetchall()
    if not entries:
        return History(history_folder(path))
    erased = [row[0] for row in connection.execute("SELECT customer FROM erased_from_database")]
    return History(history_folder(path), [Entry(*entry) for entry in entries], erased)


def scan(reader: sqlite3.Connection, path: Path, selection: rows.Selection, size: int, *, texts: bool) -> Iterator[Run]:
    """The selected events in log order, as the reader sees them at one moment."""
    history = read_manifest(reader, path)
    columns = f'{RECORD}, "offset"' + (", message_id, order_id, properties" if texts else "")
    live = (_run(chunk, texts=texts) for chunk in selected(reader, columns, selection, size))
    yield from scanning.scan(history, live, selection, size=size, texts=texts)


def live_of(connection: sqlite3.Connection, codes: Sequence[int]) -> Piece:
    """The live events of some customers, in log order."""
    cursor = connection.execute(
        f'SELECT {RECORD}, "offset" FROM events WHERE {of(codes)} ORDER BY received, "offset"', codes
    )
    return _piece(cursor.fetchall())


def customers_in_order(reader: sqlite3.Connection, path: Path, until: int | None) -> Iterator[Records]:
    """All events by customer, as the reader sees them at one moment."""
    history = read_manifest(reader, path)
    selection = rows.Selection(until=until)
    chunks = selected(reader, f'{RECORD}, "offset"', selection, CHUNK)
    live = by_customer([_piece(chunk) for chunk in chunks])
    yield from history.by_customer(live, until=until)


def together(reader: sqlite3.Connection, path: Path, codes: NDArray[np.int32], until: int | None) -> Records:
    """The events of some customers in log order, as the reader sees them at one moment."""
    selection = rows.Selection(until=until)
    if len(codes) <= FEW:
        pieces = [live_of(reader, codes.tolist())] if len(codes) else []
    else:
        live = (_piece(chunk) for chunk in selected(reader, f'{RECORD}, "offset"', selection, CHUNK))
        pieces = [piece.part(np.isin(piece.records["customer"], codes)) for piece in live]
    whole = in_log_order([read_manifest(reader, path).of(codes), *pieces]).records
    return whole[whole["received"] <= selection.last]


def _piece(selected_rows: Sequence[tuple[Any, ...]]) -> Piece:
    """Rows of `RECORD` and the offset."""
    numbered = np.array(selected_rows, _NUMBERED)
    records = np.empty(len(numbered), EVENT)
    for name in EVENT.names or ():
        records[name] = numbered[name]
    return Piece(records, numbered["offset"].copy())


def _run(selected_rows: Sequence[tuple[Any, ...]], *, texts: bool) -> Run:
    if not texts:
        return Run(*_piece(selected_rows), NO_TEXTS)
    held = np.empty((3, len(selected_rows)), object)
    for number in range(3):
        held[number] = [row[number - 3] for row in selected_rows]
    return Run(*_piece([row[:-3] for row in selected_rows]), held)
