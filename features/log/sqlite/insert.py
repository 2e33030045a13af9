"""Many rows in few statements of SQLite."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from functools import cache
from itertools import chain, islice
from typing import Any

AT_ONCE = 128
"""Rows of the largest statement: below SQLite's limit of parameters for tables of up to 255 columns."""


def insert_many(connection: sqlite3.Connection, statement: str, rows: Iterable[tuple[Any, ...]]) -> int:
    """Run `INSERT ... VALUES {} ...` for all rows, which take the place of the braces. Returns how many were written.

    `executemany` releases the interpreter's lock at every row and waits to have it back: beside a busy thread that
    takes milliseconds a row. Statements of 128, 64, 32, ... rows wait a few times in all, and each is prepared once.
    """
    written, coming = 0, iter(rows)
    while waiting := list(islice(coming, AT_ONCE)):
        while waiting:
            number = 1 << (len(waiting).bit_length() - 1)
            part, waiting = waiting[:number], waiting[number:]
            values = list(chain.from_iterable(part))
            written += connection.execute(_spelt(statement, number, len(part[0])), values).rowcount
    return written


@cache
def _spelt(statement: str, rows: int, columns: int) -> str:
    row = f"({','.join('?' * columns)})"
    return statement.format(",".join([row] * rows))
