"""The history of a SQLite log as the manifest in its database has it."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from features.log.history.history import History
from features.log.history.segment import Entry
from features.log.history.store import Folder
from features.log.sqlite.reading import history_folder


def read_manifest(connection: sqlite3.Connection, path: Path) -> History:
    """The history as the manifest that a connection sees has it."""
    entries = connection.execute("SELECT * FROM segments ORDER BY base").fetchall()
    store = Folder(history_folder(path))
    if not entries:
        return History(store)
    erased = [row[0] for row in connection.execute("SELECT customer FROM erased_from_database")]
    return History(store, [Entry(*entry) for entry in entries], erased)
