"""Reading the live events of a SQLite log: all in log order, those of a customer, and that of a message id.

Where events have left the database, `features.log.sqlite.keeping` reads the rest.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from features.events import EVENT, NO_CODE, Event
from features.log import rows
from features.log.contract import Records

RECORD = (
    f"at, received, amount, customer, coalesce(item, {NO_CODE}), coalesce(category, {NO_CODE}), quantity, score, "
    "kind, channel, 0"
)
"""The columns of `EVENT`, in its order; SQLite's NULL becomes NaN on its way into an array."""

_HAS_UNSEALED = """
SELECT count(*) = :least FROM (
    SELECT received FROM events WHERE "offset" > (SELECT sealed FROM log) ORDER BY "offset" LIMIT :least
) WHERE received < :before
"""

EVENTS = (
    "SELECT customers.name, message_id, kind, at, received, channel, items.name, categories.name, "
    "quantity, amount, order_id, score, properties FROM events JOIN customers ON customers.code = customer "
    "LEFT JOIN items ON items.code = item LEFT JOIN categories ON categories.code = category"
)
"""Events with names, as `rows.event` takes them."""

_ASKED_AT_ONCE = 500


def has_history(connection: sqlite3.Connection) -> bool:
    """Whether events ever left the database for a history."""
    return bool(connection.execute("SELECT segments FROM log").fetchone()[0])


def has_unsealed(connection: sqlite3.Connection, before: int, least: int) -> bool:
    """Whether the oldest `least` events that were never sealed were `received` before `before`."""
    return bool(connection.execute(_HAS_UNSEALED, {"before": before, "least": least}).fetchone()[0])


def history_folder(path: Path) -> Path:
    """Where the history of the log in a file lies: `waypost.history` beside `waypost.db`."""
    return path.with_suffix(".history")


def selected(
    reader: sqlite3.Connection, columns: str, selection: rows.Selection, size: int
) -> Iterator[list[tuple[Any, ...]]]:
    """Some columns of the selected live events, in log order, at most `size` at a time."""
    kinds = () if selection.kinds is None else selection.numbers
    of_kinds = "" if selection.kinds is None else f"AND kind IN ({','.join('?' * len(kinds))})"
    cursor = reader.execute(
        f'SELECT {columns} FROM events WHERE received <= ? AND customer % ? = ? {of_kinds} ORDER BY received, "offset"',
        (selection.last, selection.shards, selection.shard, *kinds),
    )
    while chunk := cursor.fetchmany(size):
        yield chunk


def history(connection: sqlite3.Connection, codes: Sequence[int]) -> Records:
    """All events of these customers, in log order."""
    cursor = connection.execute(f'SELECT {RECORD} FROM events WHERE {of(codes)} ORDER BY received, "offset"', codes)
    return np.array(cursor.fetchall(), EVENT)


def newest(connection: sqlite3.Connection, codes: Sequence[int], limit: int) -> list[Event]:
    """The newest `limit` events of these customers, newest first."""
    cursor = connection.execute(
        f'{EVENTS} WHERE {of(codes)} ORDER BY received DESC, "offset" DESC LIMIT ?', (*codes, limit)
    )
    return [rows.event(*row) for row in cursor]


def find(connection: sqlite3.Connection, message_id: str) -> Event | None:
    """The event of a message id; None when there is none."""
    row = connection.execute(f"{EVENTS} WHERE message_id = ?", (message_id,)).fetchone()
    return None if row is None else rows.event(*row)


def known(connection: sqlite3.Connection, message_ids: Sequence[str]) -> list[str]:
    """Those of the message ids that a live event has."""
    present: list[str] = []
    for start in range(0, len(message_ids), _ASKED_AT_ONCE):
        asked = message_ids[start : start + _ASKED_AT_ONCE]
        query = f"SELECT message_id FROM events WHERE message_id IN ({','.join('?' * len(asked))})"
        present += (row[0] for row in connection.execute(query, asked))
    return present


def of(codes: Sequence[int]) -> str:
    """The SQL condition that selects the events of these customers. With one customer, the index gives the order."""
    return "customer = ?" if len(codes) == 1 else f"customer IN ({','.join('?' * len(codes))})"
