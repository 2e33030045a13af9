"""The vocabulary of a SQLite log: a table of names and codes, with the names in use kept in memory."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from features.events import NO_CODE
from features.log.sqlite.insert import insert_many
from features.log.sqlite.schema import explained

CACHED = 1_000_000
"""Most names one vocabulary keeps in memory (some 150 MB of short names); beyond, it starts afresh."""

_ASKED_AT_ONCE = 500


class SqliteVocabulary:
    """Names and codes of one table `(code, name)`. See `features.log.contract.Vocabulary`.

    A name in memory costs a dictionary look-up, any other one an indexed SELECT: nothing is read ahead, and an unknown
    name is looked up again each time, because another process may have added it. What is in memory stays true as long
    as no name is erased and no transaction rolled back; the log calls `forget` after either.
    """

    def __init__(self, connection: sqlite3.Connection, path: Path, table: str) -> None:
        self._connection = connection
        self._path = path
        self._table = table
        self._codes: dict[str, int] = {}
        self._names: dict[int, str] = {}
        self._added: dict[str, int] = {}

    def code(self, name: str) -> int | None:
        """The code of `name`, None when the log has never seen it.

        After an erasure by another connection, the old code is given until this one's next transaction or
        `SqliteLog.refresh`; nothing is stored under it any more.
        """
        code = self._codes.get(name)
        if code is not None:
            return code
        with explained(self._path):
            return self._find([name]).get(name)

    def name(self, code: int) -> str:
        """The name behind `code`. Raises LookupError when no name has this code, or when it was erased."""
        name = self._names.get(code)
        if name is None:
            with explained(self._path):
                row = self._connection.execute(f"SELECT name FROM {self._table} WHERE code = ?", (code,)).fetchone()
            if row is None or row[0] is None:
                raise LookupError(f"no name in {self._table} has the code {code}")
            name = str(row[0])
            self._keep(name, code)
        return name

    def names(self) -> list[str]:
        """Every name, at the index of its code; an empty string where a name was erased."""
        with explained(self._path):
            return [row[0] or "" for row in self._connection.execute(f"SELECT name FROM {self._table} ORDER BY code")]

    def intern(self, names: Sequence[str | None]) -> list[int]:
        """The code of each name, `NO_CODE` for None; unknown names get the next codes, in the order given.

        To be called inside a transaction.
        """
        known, self._added = self._codes, {}
        missing = [name for name in dict.fromkeys(names) if name is not None and name not in known]
        if missing:
            # Copied, because `_find` and `_add` may clear the cache to make room.
            known = {name: known[name] for name in names if name in known}
            known.update(self._find(missing))
            self._added = self._add([name for name in missing if name not in known])
            known.update(self._added)
        return [NO_CODE if name is None else known[name] for name in names]

    def find(self, name: str) -> int | None:
        """The code of `name` as the table has it now, whatever is kept in memory."""
        row = self._connection.execute(f"SELECT code FROM {self._table} WHERE name = ?", (name,)).fetchone()
        return None if row is None else int(row[0])

    def erase(self, code: int) -> None:
        """Remove the name behind `code`, which stays unused for ever. To be called inside a transaction."""
        self._connection.execute(f"UPDATE {self._table} SET name = NULL WHERE code = ?", (code,))
        self.forget()

    def take_back(self) -> None:
        """Remove the names that the last `intern` added, since no event was new. Inside the same transaction."""
        if self._added:
            first = min(self._added.values())
            self._connection.execute(f"DELETE FROM {self._table} WHERE code >= ?", (first,))
            for name, code in self._added.items():
                self._codes.pop(name, None)
                self._names.pop(code, None)
            self._added = {}

    def forget(self) -> None:
        """Drop what is kept in memory."""
        self._codes.clear()
        self._names.clear()

    def _find(self, names: Sequence[str]) -> dict[str, int]:
        codes: dict[str, int] = {}
        for start in range(0, len(names), _ASKED_AT_ONCE):
            asked = names[start : start + _ASKED_AT_ONCE]
            marks = ",".join("?" * len(asked))
            codes.update(
                self._connection.execute(f"SELECT name, code FROM {self._table} WHERE name IN ({marks})", asked)
            )
        for name, code in codes.items():
            self._keep(name, code)
        return codes

    def _add(self, names: Sequence[str]) -> dict[str, int]:
        if not names:
            return {}
        first = self._connection.execute(f"SELECT coalesce(max(code) + 1, 0) FROM {self._table}").fetchone()[0]
        added = dict(zip(names, range(first, first + len(names)), strict=True))
        insert_many(self._connection, f"INSERT INTO {self._table} (name, code) VALUES {{}}", added.items())
        for name, code in added.items():
            self._keep(name, code)
        return added

    def _keep(self, name: str, code: int) -> None:
        if len(self._codes) >= CACHED:
            self.forget()
        self._codes[name] = code
        self._names[code] = name
