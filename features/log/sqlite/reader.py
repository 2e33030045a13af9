"""A SQLite log as a connection of its own sees it at one moment."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from features.log.rows import Selection
from features.log.scans import Reader, Rows
from features.log.sqlite.reading import RECORD, has_history, of, selected
from features.log.sqlite.schema import connect_reader, explained

if TYPE_CHECKING:
    from features.log.history.history import History


class SqliteReader(Reader):
    """Reads within one transaction of its connection."""

    record = RECORD

    def __init__(self, connection: sqlite3.Connection, path: Path) -> None:
        self._connection = connection
        self._path = path

    def history(self) -> History | None:
        """The history; None when no event ever left the database for one."""
        if not has_history(self._connection):
            return None
        from features.log.sqlite.manifest import read_manifest  # Polars, which a log without history does not need

        return read_manifest(self._connection, self._path)

    def selected(self, columns: str, selection: Selection, size: int) -> Iterator[Rows]:
        """Some columns of the selected live events in log order, at most `size` at a time."""
        return selected(self._connection, columns, selection, size)

    def live_of(self, codes: list[int]) -> Rows:
        """The live events of some customers."""
        return self._connection.execute(f'SELECT {RECORD}, "offset" FROM events WHERE {of(codes)}', codes).fetchall()


@contextmanager
def reader(path: Path) -> Iterator[SqliteReader]:
    """Read the log at a path as it is now."""
    with explained(path), closing(connect_reader(path)) as connection:
        connection.execute("BEGIN")
        yield SqliteReader(connection, path)
