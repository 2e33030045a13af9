"""What can be read of a SQLite log, of its database and of its history."""

from __future__ import annotations

import sqlite3
from abc import abstractmethod
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from features.events import Event
from features.log import rows
from features.log.contract import DeadLetter, Records, Training
from features.log.scans import Reader, Scans
from features.log.sqlite import dead_letters as dead_letter_rows
from features.log.sqlite import reading
from features.log.sqlite.members import SqliteMembers
from features.log.sqlite.reader import reader
from features.log.sqlite.schema import connect, explained
from features.log.sqlite.vocabulary import SqliteVocabulary

if TYPE_CHECKING:
    from features.log.history.history import History
    from features.log.sqlite.keeping import SqliteKeeping

_COUNT = "SELECT (SELECT count(*) FROM events) + (SELECT coalesce(sum(events), 0) FROM segments)"

_CHANGED = """
SELECT customer FROM events WHERE "offset" > :after UNION SELECT member FROM merges WHERE "offset" > :after
UNION SELECT profile FROM merges WHERE "offset" > :after
"""

_SPAN = """
WITH live AS (SELECT (SELECT min(received) FROM events) AS first, (SELECT max(received) FROM events) AS last),
sealed AS (SELECT min(first_received) AS first, max(last_received) AS last FROM segments WHERE events > 0)
SELECT min(coalesce(live.first, sealed.first), coalesce(sealed.first, live.first)),
    max(coalesce(live.last, sealed.last), coalesce(sealed.last, live.last)) FROM live, sealed
"""


class SqliteReads(Scans):
    """An open SQLite log, as far as it is read. See `features.log.contract.EventLog` for what the methods promise."""

    def __init__(self, path: str | Path, *, create: bool = True, busy_seconds: float = 30.0) -> None:
        """Open the log at `path`; without `create` it must exist. A writer waits `busy_seconds` for another one."""
        self.path = Path(path).absolute()
        self.connection = connect(self.path, create=create, busy_seconds=busy_seconds)
        self.busy_seconds = busy_seconds
        self.customers = SqliteVocabulary(self.connection, self.path, "customers")
        self.items = SqliteVocabulary(self.connection, self.path, "items")
        self.categories = SqliteVocabulary(self.connection, self.path, "categories")
        self._members = SqliteMembers(self.connection, self.customers)

    @abstractmethod
    def transaction(self) -> AbstractContextManager[sqlite3.Connection]:
        """All or nothing."""

    def merges(self) -> NDArray[np.void]:
        """Every merge and its undoing that is still in the log, in log order."""
        with explained(self.path):
            return self._members.merges()

    def profile(self, customer: str) -> list[str]:
        """All ids of the profile that a customer belongs to now, the profile's own first; none of an unknown one."""
        with explained(self.path):
            return [self.customers.name(code) for code in self._members.codes(customer)]

    def reader(self) -> AbstractContextManager[Reader]:
        """A reader of its own; while it reads, the write-ahead file cannot be shortened."""
        return reader(self.path)

    def find(self, message_id: str) -> Event | None:
        """The event of a message id, by the unique index of the message ids; None when the log has none."""
        with self._at_one_moment():
            live = reading.find(self.connection, message_id)
            if live is not None or not self._has_history():
                return live
            return self.keeping.find(message_id)

    def history(self, customer: str) -> Records:
        """All events of a customer's profile, in log order; empty when there is none."""
        with self._at_one_moment():
            codes = self._members.codes(customer)
            return self.keeping.history(codes) if self._has_history() else reading.history(self.connection, codes)

    def events(self, customer: str, limit: int) -> list[Event]:
        """The newest `limit` events of a customer's profile with names and properties, newest first."""
        with self._at_one_moment():
            codes = self._members.codes(customer)
            if self._has_history():
                return self.keeping.newest(codes, limit)
            return reading.newest(self.connection, codes, limit)

    def has_unsealed(self, before: int, least: int) -> bool:
        """Whether the oldest `least` events that were never sealed were `received` before `before`."""
        with explained(self.path):
            return reading.has_unsealed(self.connection, before, least)

    def count(self) -> int:
        """How many events the log holds."""
        with explained(self.path):
            return int(self.connection.execute(_COUNT).fetchone()[0])

    def span(self) -> tuple[int, int] | None:
        """The first and the last `received` in the log; None when it is empty."""
        with explained(self.path):
            first, last = self.connection.execute(_SPAN).fetchone()
            return None if first is None else (first, last)

    def changed(self, after: int) -> NDArray[np.int32]:
        """The codes of the customers with something written at an offset above `after`, rising."""
        with self._at_one_moment():
            live = np.array(self.connection.execute(_CHANGED, {"after": after}).fetchall(), np.int32).ravel()
            return np.union1d(live, self.keeping.view().customers(after)) if self._has_history() else np.unique(live)

    def identity(self) -> str:
        """A text that differs between logs."""
        with explained(self.path):
            return rows.digest(self.connection.execute("SELECT salt FROM log").fetchone()[0])

    def erasures(self) -> int:
        """How many ids were ever erased."""
        with explained(self.path):
            return int(self.connection.execute("SELECT erasures FROM log").fetchone()[0])

    def offset(self) -> int:
        """The newest offset ever given out; 0 when nothing was ever appended."""
        with explained(self.path):
            return int(self.connection.execute('SELECT "offset" FROM log').fetchone()[0])

    def dead_letters(self, limit: int, *, after: int = 0, source: str | None = None) -> list[DeadLetter]:
        """The oldest `limit` dead letters numbered above `after`, oldest first; of one source when it is named."""
        with explained(self.path):
            return dead_letter_rows.kept(self.connection, limit, after, source)

    def trainings(self) -> list[Training]:
        """Every model trained on this log, oldest first."""
        with explained(self.path):
            return [Training(*row) for row in self.connection.execute("SELECT * FROM trainings ORDER BY at, version")]

    def digest(self) -> str:
        """A short hexadecimal digest of how much the log holds: equal for logs built by the same appends."""
        with self._at_one_moment():
            log = self.connection.execute('SELECT "offset", received, erasures FROM log').fetchone()
            return rows.digest(self.count(), self.span(), *log)

    def segments(self) -> History | None:
        """The history as it is now; None when no event ever left the database for one."""
        with self._at_one_moment():
            return self.keeping.view() if self._has_history() else None

    @contextmanager
    def _at_one_moment(self) -> Iterator[None]:
        """Read the database as it is now: an event that is sealed meanwhile is not missed between its two places."""
        with explained(self.path):
            if self.connection.in_transaction:
                yield
                return
            self.connection.execute("BEGIN")
            try:
                yield
            finally:
                self.connection.execute("ROLLBACK")

    @cached_property
    def keeping(self) -> SqliteKeeping:
        """The history beside this log."""
        from features.log.sqlite.keeping import SqliteKeeping  # Polars, which a log without history does not need

        vocabularies = (self.customers, self.items, self.categories)
        return SqliteKeeping(
            self.connection, self.path, self.transaction, vocabularies, self._members, self.busy_seconds
        )

    def _has_history(self) -> bool:
        return reading.has_history(self.connection)
