"""Reading the events of a SQLite log: all in log order, those of a customer, and that of a message id."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np

from features.events import EVENT, NO_CODE, Event
from features.log import rows
from features.log.contract import EventBatch, Records
from features.log.sqlite.schema import connect_reader, explained

_RECORD = (
    f"at, received, amount, customer, coalesce(item, {NO_CODE}), coalesce(category, {NO_CODE}), quantity, score, "
    "kind, channel, 0"
)
"""The columns of `EVENT`, in its order; SQLite's NULL becomes NaN on its way into an array."""

_EVENTS = (
    "SELECT customers.name, message_id, kind, at, received, channel, items.name, categories.name, "
    "quantity, amount, order_id, score, properties FROM events JOIN customers ON customers.code = customer "
    "LEFT JOIN items ON items.code = item LEFT JOIN categories ON categories.code = category"
)
"""Events with names, as `rows.event` takes them."""


def scan(path: Path, selection: rows.Selection, size: int) -> Iterator[Records]:
    """The selected events in log order, at most `size` at a time, read by a connection of its own."""
    for chunk in _selected(path, _RECORD, selection, size):
        yield np.array(chunk, EVENT)


def scan_with_properties(path: Path, selection: rows.Selection, size: int) -> Iterator[EventBatch]:
    """The selected events with their texts, in log order, at most `size` at a time."""
    for chunk in _selected(path, f"{_RECORD}, message_id, order_id, properties", selection, size):
        yield rows.batch(chunk)


def _selected(path: Path, columns: str, selection: rows.Selection, size: int) -> Iterator[list[tuple[Any, ...]]]:
    kinds = () if selection.kinds is None else selection.numbers
    of_kinds = "" if selection.kinds is None else f"AND kind IN ({','.join('?' * len(kinds))})"
    with explained(path), closing(connect_reader(path)) as reader:
        cursor = reader.execute(
            f"SELECT {columns} FROM events WHERE received <= ? AND customer % ? = ? {of_kinds} "
            'ORDER BY received, "offset"',
            (selection.last, selection.shards, selection.shard, *kinds),
        )
        while chunk := cursor.fetchmany(size):
            yield chunk


def history(connection: sqlite3.Connection, codes: Sequence[int]) -> Records:
    """All events of these customers, in log order."""
    cursor = connection.execute(f'SELECT {_RECORD} FROM events WHERE {of(codes)} ORDER BY received, "offset"', codes)
    return np.array(cursor.fetchall(), EVENT)


def newest(connection: sqlite3.Connection, codes: Sequence[int], limit: int) -> list[Event]:
    """The newest `limit` events of these customers, newest first."""
    cursor = connection.execute(
        f'{_EVENTS} WHERE {of(codes)} ORDER BY received DESC, "offset" DESC LIMIT ?', (*codes, limit)
    )
    return [rows.event(*row) for row in cursor]


def find(connection: sqlite3.Connection, message_id: str) -> Event | None:
    """The event of a message id; None when there is none."""
    row = connection.execute(f"{_EVENTS} WHERE message_id = ?", (message_id,)).fetchone()
    return None if row is None else rows.event(*row)


def of(codes: Sequence[int]) -> str:
    """The SQL condition that selects the events of these customers. With one customer, the index gives the order."""
    return "customer = ?" if len(codes) == 1 else f"customer IN ({','.join('?' * len(codes))})"
