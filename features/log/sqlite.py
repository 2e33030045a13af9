"""The event log in one SQLite file: the store of a single machine, and the default."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import astuple
from pathlib import Path

import numpy as np

from features.events import EVENT, NO_CODE, Event
from features.log import rows, scrub
from features.log.contract import CHUNK, Appended, DeadLetter, LogBusy, Records
from features.log.database import connect, connect_reader, explained
from features.log.vocabulary import SqliteVocabulary

_INSERT = f"INSERT INTO events VALUES ({','.join('?' * 14)}) ON CONFLICT (message_id) DO NOTHING"

_RECORD = (
    f"at, received, amount, customer, coalesce(item, {NO_CODE}), coalesce(category, {NO_CODE}), quantity, score, "
    "kind, channel, 0"
)
"""The columns of `EVENT`, in its order; SQLite's NULL becomes NaN on its way into an array."""

_LETTER = "source, position, field, reason, raw, received, customer"

_LATEST = 2**63 - 1


class SqliteLog:
    """A log in one SQLite file, in write-ahead mode, with every commit on the disk before `append` returns.

    Any number of processes and threads may open the same file, each its own `SqliteLog`: one writes at a time, and
    readers never wait. See `features.log.contract.EventLog` for what the methods promise.
    """

    def __init__(self, path: str | Path, *, create: bool = True, busy_seconds: float = 30.0) -> None:
        """Open the log at `path`; without `create` it must exist. A writer waits `busy_seconds` for another one."""
        self.path = Path(path).absolute()
        self.connection = connect(self.path, create=create, busy_seconds=busy_seconds)
        self.customers = SqliteVocabulary(self.connection, self.path, "customers")
        self.items = SqliteVocabulary(self.connection, self.path, "items")
        self.categories = SqliteVocabulary(self.connection, self.path, "categories")
        self._depth = 0
        self._erasures = -1
        self._erased: list[str] = []

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing: what happens inside, here and through `connection`, is committed at the end or not at all.

        Holds the log's only write lock, so keep it short. Transactions nest: an inner one that fails is undone by
        itself. Raises LogBusy when the lock is not to be had, and LogFull and the like when the commit fails.
        """
        level = f"level_{self._depth}"
        with explained(self.path):
            self.connection.execute(f"SAVEPOINT {level}" if self._depth else "BEGIN IMMEDIATE")
            self._depth += 1
            try:
                if self._depth == 1:
                    self.refresh()
                yield self.connection
                self.connection.execute("COMMIT" if self._depth == 1 else f"RELEASE {level}")
            except BaseException:
                self._undo(level)
                raise
            finally:
                self._depth -= 1
            if self._depth == 0:
                self._overwrite_erased()

    def append(self, events: Sequence[Event], *, history: bool = False) -> Appended:
        """Add the events that the log does not have yet; inside a `transaction`, as a part of it."""
        if not events:
            return Appended([], np.empty(0, EVENT), 0, 0)
        with self.transaction() as connection:
            last, newest = connection.execute('SELECT "offset", received FROM log').fetchone()
            offsets: Sequence[int] = range(last + 1, last + 1 + len(events))
            times = rows.clamped(events, newest, history=history)
            codes = (
                self.customers.intern([event.customer for event in events]),
                self.items.intern([event.item for event in events]),
                self.categories.intern([event.category for event in events]),
            )
            records = rows.records(events, times, *codes)
            inserted = connection.executemany(_INSERT, rows.stored(offsets, events, times, *codes)).rowcount
            if inserted == len(events):
                accepted = [True] * len(events)
            else:
                new = {row[0] for row in connection.execute('SELECT "offset" FROM events WHERE "offset" > ?', (last,))}
                accepted = [offset in new for offset in offsets]
                offsets = sorted(new)
                records = records[np.array(accepted)]
            if not inserted:
                return Appended(accepted, records, 0, 0)
            newest = max(newest, int(records["received"].max()))
            connection.execute('UPDATE log SET "offset" = ?, received = ?', (offsets[-1], newest))
        return Appended(accepted, records, offsets[0], offsets[-1])

    def scan(self, *, shard: int = 0, shards: int = 1, until: int | None = None) -> Iterator[Records]:
        """The log in log order, by a reader of its own: it neither waits for writers nor sees what they add meanwhile.

        While a scan goes on the write-ahead file cannot be shortened: read it to its end, or close it.
        """
        rows.check_shard(shard, shards)
        last = _LATEST if until is None else until
        with explained(self.path), closing(connect_reader(self.path)) as reader:
            found = reader.execute(
                f'SELECT {_RECORD} FROM events WHERE received <= ? AND customer % ? = ? ORDER BY received, "offset"',
                (last, shards, shard),
            )
            while chunk := found.fetchmany(CHUNK):
                yield np.array(chunk, EVENT)

    def history(self, customer: str) -> Records:
        """All events of one customer, in log order; empty when the customer is unknown."""
        with explained(self.path):
            code = self.customers.find(customer)
            found = self.connection.execute(
                f'SELECT {_RECORD} FROM events WHERE customer = ? ORDER BY received, "offset"', (code,)
            )
            return np.array(found.fetchall(), EVENT)

    def events(self, customer: str, limit: int) -> list[Event]:
        """The newest `limit` events of one customer with names and properties, newest first."""
        with explained(self.path):
            found = self.connection.execute(
                "SELECT message_id, kind, at, received, channel, items.name, categories.name, quantity, amount, "
                "order_id, score, properties FROM events "
                "LEFT JOIN items ON items.code = item LEFT JOIN categories ON categories.code = category "
                'WHERE customer = ? ORDER BY received DESC, "offset" DESC LIMIT ?',
                (self.customers.find(customer), limit),
            )
            return [rows.event(customer, *row) for row in found]

    def count(self) -> int:
        """How many events the log holds."""
        with explained(self.path):
            return int(self.connection.execute("SELECT count(*) FROM events").fetchone()[0])

    def span(self) -> tuple[int, int] | None:
        """The first and the last `received` in the log; None when it is empty."""
        with explained(self.path):
            first, last = self.connection.execute(
                "SELECT (SELECT min(received) FROM events), (SELECT max(received) FROM events)"
            ).fetchone()
            return None if first is None else (first, last)

    def offset(self) -> int:
        """The newest offset ever given out; 0 when nothing was ever appended."""
        with explained(self.path):
            return int(self.connection.execute('SELECT "offset" FROM log').fetchone()[0])

    def erase(self, customer: str) -> int:
        """Remove every trace of a customer and overwrite its bytes on the disk. The rows removed.

        Inside a `transaction` the overwriting follows its commit. It waits for scans that are under way; when they
        take longer than writers wait for each other, LogBusy says so: then the customer is gone from the log, and
        erasing it again overwrites what was left. The database is rewritten as a whole (`VACUUM`) only if a search of
        the file shows that it must be.
        """
        with self.transaction() as connection:
            removed = self._erase_letters(customer)
            code = self.customers.find(customer)
            if code is not None:
                removed += connection.execute("DELETE FROM events WHERE customer = ?", (code,)).rowcount
                self.customers.erase(code)
                connection.execute("UPDATE log SET erasures = erasures + 1")
            self._erased.append(customer)
        return removed

    def reject(self, letters: Sequence[DeadLetter]) -> None:
        """Keep records that could not become events; inside a `transaction`, as a part of it."""
        with self.transaction() as connection:
            connection.executemany(
                f"INSERT INTO dead_letters ({_LETTER}) VALUES (?, ?, ?, ?, ?, ?, ?)", map(astuple, letters)
            )

    def dead_letters(self, limit: int) -> list[DeadLetter]:
        """The newest `limit` dead letters, newest first."""
        with explained(self.path):
            found = self.connection.execute(
                f"SELECT {_LETTER} FROM dead_letters ORDER BY number DESC LIMIT ?", (limit,)
            )
            return [DeadLetter(*row) for row in found]

    def digest(self) -> str:
        """A short hexadecimal digest of how much the log holds: equal for logs built by the same appends."""
        with explained(self.path):
            log = self.connection.execute('SELECT "offset", received, erasures FROM log').fetchone()
        return rows.digest(self.count(), self.span(), *log)

    def refresh(self) -> None:
        """Forget the names kept in memory if another connection has erased one. A transaction begins with this."""
        with explained(self.path):
            erasures = self.connection.execute("SELECT erasures FROM log").fetchone()[0]
        if erasures != self._erasures:
            self._forget()
            self._erasures = erasures

    def close(self) -> None:
        """Close the database; closing twice is harmless."""
        self.connection.close()

    def _undo(self, level: str) -> None:
        # A full or failing disk makes SQLite roll back by itself.
        if self.connection.in_transaction:
            self.connection.execute("ROLLBACK" if self._depth == 1 else f"ROLLBACK TO {level}")
        if self._depth == 1:
            self._erased.clear()
        self._forget()

    def _forget(self) -> None:
        for vocabulary in (self.customers, self.items, self.categories):
            vocabulary.forget()

    def _erase_letters(self, customer: str) -> int:
        query = f"SELECT number, {_LETTER} FROM dead_letters WHERE customer IS NULL OR customer = ?"
        found = [
            (number,)
            for number, *letter in self.connection.execute(query, (customer,))
            if rows.concerns(DeadLetter(*letter), customer)
        ]
        self.connection.executemany("DELETE FROM dead_letters WHERE number = ?", found)
        return len(found)

    def _overwrite_erased(self) -> None:
        if not self._erased:
            return
        needles = [spelling for customer in self._erased for spelling in rows.spellings(customer)]
        self._erased.clear()
        self._checkpoint()
        if scrub.has_remnants(self.path, needles):
            self.connection.execute("VACUUM")
            self._checkpoint()

    def _checkpoint(self) -> None:
        """Bring the write-ahead file, old copies of pages and all, into the database and cut it to nothing."""
        busy = self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        if busy:
            raise LogBusy(
                f"the log {self.path}: the customer is erased, but a scan (a training run, an export) still holds old "
                f"pages in {self.path.name}-wal; erase the same customer again when it is over"
            )
