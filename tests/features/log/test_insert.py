"""Many rows in few statements: the same rows as one by one, whatever their number."""

from __future__ import annotations

import sqlite3
from contextlib import closing

import pytest

from features.log.sqlite.insert import AT_ONCE, insert_many


@pytest.mark.parametrize("number", [0, 1, 2, 3, 7, AT_ONCE - 1, AT_ONCE, AT_ONCE + 1, 3 * AT_ONCE + 5])
def test_all_rows_are_written_in_few_statements(number: int) -> None:
    rows = [(each, f"name-{each // 2}") for each in range(number)]
    with closing(sqlite3.connect(":memory:", isolation_level=None)) as connection:
        connection.execute("CREATE TABLE names (code INTEGER, name TEXT UNIQUE)")
        heard: list[str] = []
        connection.set_trace_callback(heard.append)
        written = insert_many(connection, "INSERT INTO names VALUES {} ON CONFLICT (name) DO NOTHING", iter(rows))
        connection.set_trace_callback(None)
        found = connection.execute("SELECT code, name FROM names ORDER BY code").fetchall()
    assert found == rows[::2]
    assert written == len(found)
    assert len(heard) <= number // AT_ONCE + AT_ONCE.bit_length()
