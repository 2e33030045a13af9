"""The event log in one SQLite file: the store of a single machine, and the default."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import compress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.events import Event, Kind
from features.log import rows, tombstones
from features.log.contract import (
    Appended,
    DeadLetter,
    Erased,
    LogBusy,
    Records,
    Training,
)
from features.log.membership import NO_MERGES, NOTHING, mentions, named
from features.log.orders import resolved
from features.log.sqlite import dead_letters as dead_letter_rows
from features.log.sqlite import reading, scrub
from features.log.sqlite.insert import insert_many
from features.log.sqlite.reads import SqliteReads
from features.log.sqlite.schema import explained, take_turn

if TYPE_CHECKING:
    import polars as pl

_INSERT = "INSERT INTO events VALUES {} ON CONFLICT (message_id) DO NOTHING"

_MOVE = 'UPDATE events SET at = ?, received = ? WHERE "offset" = ?'

_ASKED_AT_ONCE = 500

_POLL_SECONDS = 0.02


class _Gone(NamedTuple):
    """A customer whose bytes are to be overwritten."""

    names: Sequence[str]
    ids: Sequence[str]
    """The message ids and order ids of the events."""
    again: bool
    """Erased before, and not seen since: the process may have died then, or waited in vain, before it overwrote."""


class SqliteLog(SqliteReads):
    """A log in one SQLite file, in write-ahead mode, with every commit on the disk before `append` returns.

    Any number of processes and threads may open the same file, each its own `SqliteLog`: one writes at a time, and
    readers never wait. See `features.log.contract.EventLog` for what the methods promise.
    """

    def __init__(self, path: str | Path, *, create: bool = True, busy_seconds: float = 30.0) -> None:
        """Open the log at `path`; without `create` it must exist. A writer waits `busy_seconds` for another one."""
        super().__init__(path, create=create, busy_seconds=busy_seconds)
        self._depth = 0
        self._erasures = -1
        self._erased: list[_Gone] = []

    @contextmanager
    def transaction(self) -> Iterator[sqlite3.Connection]:
        """All or nothing: what happens inside, here and through `connection`, is committed at the end or not at all.

        Holds the log's only write lock, so keep it short. Transactions nest: an inner one that fails is undone by
        itself. Raises LogBusy when another writer keeps the lock, and LogFull and the like when the commit fails.
        """
        level, erased = f"level_{self._depth}", len(self._erased)
        with explained(self.path):
            if self._depth:
                self.connection.execute(f"SAVEPOINT {level}")
            else:
                take_turn(self.connection, self.busy_seconds)
            self._depth += 1
            try:
                if self._depth == 1:
                    self.refresh()
                yield self.connection
                self.connection.execute("COMMIT" if self._depth == 1 else f"RELEASE {level}")
            except BaseException:
                del self._erased[erased:]
                self._undo(level)
                raise
            finally:
                self._depth -= 1
            if self._depth == 0:
                self._overwrite_erased()

    def append(self, events: Sequence[Event], *, history: bool = False) -> Appended:
        """Add the events that the log does not have yet; inside a `transaction`, as a part of it."""
        if not events:
            return NOTHING
        with self.transaction() as connection:
            last, newest, erased, segments = connection.execute(
                'SELECT "offset", received, erased, segments FROM log'
            ).fetchone()
            profile = None if history else self.profile
            before_erasure = erased and min(event.received for event in events) < erased
            living = self._living(events) if before_erasure else events
            kept = resolved([event for event in living if event is not None], self._known, profile)
            if not kept:
                return NOTHING._replace(accepted=[False] * len(living))
            unknown = self._unknown_to_history([event.message_id for event in kept]) if segments else None
            appended = self._append(kept, unknown, last, newest, history=history)
            return appended._replace(accepted=rows.among(appended.accepted, [event is not None for event in living]))

    def append_columns(self, frame: pl.DataFrame) -> NDArray[np.bool_]:
        """Add the events of an import that the log does not have yet to its history."""
        with explained(self.path):
            return self.keeping.append(frame)

    def _append(
        self, events: Sequence[Event], unknown: Sequence[bool] | None, last: int, newest: int, *, history: bool
    ) -> Appended:
        """Add the events that the database does not have yet, of those `unknown` to the history when it is given."""
        offsets: Sequence[int] = range(last + 1, last + 1 + len(events))
        times = rows.clamped(events, newest, history=history)
        codes = (
            self.customers.intern([event.customer for event in events]),
            self.items.intern([event.item for event in events]),
            self.categories.intern([event.category for event in events]),
        )
        records = rows.records(events, times, *codes)
        given = rows.stored(offsets, events, times, *codes)
        inserted = insert_many(self.connection, _INSERT, given if unknown is None else compress(given, unknown))
        if inserted == len(events):
            accepted = [True] * len(events)
        else:
            new = {row[0] for row in self.connection.execute('SELECT "offset" FROM events WHERE "offset" > ?', (last,))}
            accepted = [offset in new for offset in offsets]
            offsets = sorted(new)
            records = records[np.array(accepted)]
            if moved := rows.without_repeats(events, times, accepted, newest, history=history):
                records["at"], records["received"] = moved
                self.connection.executemany(_MOVE, zip(*moved, offsets, strict=True))
            events = [event for event, is_new in zip(events, accepted, strict=True) if is_new]
        if not inserted:
            for vocabulary in (self.customers, self.items, self.categories):
                vocabulary.take_back()
            return NOTHING._replace(accepted=accepted)
        merges = self._join(events, records, offsets[-1])
        newest = max(newest, int(records["received"].max()))
        self.connection.execute('UPDATE log SET "offset" = ?, received = ?', (offsets[-1] + len(merges), newest))
        return Appended(accepted, records, offsets[0], offsets[-1], merges)

    def _join(self, events: Sequence[Event], records: Records, offset: int) -> NDArray[np.void]:
        """Apply what accepted events say of ids. Returns the merges, with the offsets that follow `offset`."""
        places = np.flatnonzero(records["kind"] == Kind.IDENTIFY)
        if not len(places):
            return NO_MERGES
        return self._members.join([events[place] for place in places.tolist()], records[places], offset)

    def _known(self, message_ids: Sequence[str]) -> list[str]:
        """Those of the message ids that the log has."""
        known = reading.known(self.connection, message_ids)
        if self._has_history():
            unknown = self._unknown_to_history(message_ids)
            known += [message_id for message_id, is_new in zip(message_ids, unknown, strict=True) if not is_new]
        return known

    def _unknown_to_history(self, message_ids: Sequence[str]) -> list[bool]:
        unknown: list[bool] = (~self.keeping.view().known(message_ids)).tolist()
        return unknown

    def _living(self, events: Sequence[Event]) -> list[Event | None]:
        """The events, None in the place of those that were received before their customer was erased."""
        salt = self.connection.execute("SELECT salt FROM log").fetchone()[0]
        names = {tombstones.digest(salt, name): name for name in named(events)}
        digests = list(names)
        erased: dict[str, int] = {}
        for start in range(0, len(digests), _ASKED_AT_ONCE):
            asked = digests[start : start + _ASKED_AT_ONCE]
            query = f"SELECT digest, at FROM tombstones WHERE digest IN ({','.join('?' * len(asked))})"
            erased.update((names[digest], at) for digest, at in self.connection.execute(query, asked))
        return tombstones.living(events, erased)

    def unmerge(self, customer: str, received: int) -> list[str]:
        """Take a member, or all members of a profile, out of it; inside a `transaction`, as a part of it."""
        with self.transaction() as connection:
            last, newest = connection.execute('SELECT "offset", received FROM log').fetchone()
            undone = self._members.unmerge(customer, max(received, newest), last)
            if len(undone):
                newest = int(undone["received"][-1])
                connection.execute('UPDATE log SET "offset" = ?, received = ?', (last + len(undone), newest))
            return [self.customers.name(code) for code in undone["member"].tolist()]

    def erase(self, customer: str, now: int) -> Erased:
        """Remove every trace of a customer's profile and overwrite its bytes on the disk.

        Inside a `transaction` the overwriting follows its commit. It waits for scans that are under way; when they
        take longer than writers wait for each other, LogBusy says so: then the customer is gone from the log, and
        erasing it again overwrites what was left. The database is rewritten as a whole (`VACUUM`) only if a search of
        the file shows that it must be.
        """
        with self.transaction() as connection:
            codes = self._members.codes(customer)
            names = [self.customers.name(code) for code in codes]
            again = not codes and self._is_buried(customer)
            self._erased.append(_Gone(names or [customer], self._ids_of(codes), again))
            dead_letters = dead_letter_rows.erase(connection, names or [customer])
            theirs = f"FROM events WHERE {reading.of(codes)}"
            first = connection.execute(f"SELECT min(received) {theirs}", codes).fetchone()[0]
            events = connection.execute(f"DELETE {theirs}", codes).rowcount
            if self._has_history():
                sealed = self.keeping.erase(codes)
                events += sealed.events
                first = min(filter(None, (first, sealed.first_received)), default=0)
            merges = self._members.erase(codes)
            for code in codes:
                self.customers.erase(code)
            self._bury(names or [customer], now)
            connection.execute("UPDATE log SET erasures = erasures + ?", (len(codes),))
        return Erased(names, events, dead_letters, merges, first or 0)

    def _bury(self, names: Sequence[str], now: int) -> None:
        """Leave a salted digest of each name, and nothing else of it."""
        self._members.unname(names)
        salt = self.connection.execute("SELECT salt FROM log").fetchone()[0]
        self.connection.executemany(
            "INSERT INTO tombstones VALUES (?, ?) ON CONFLICT (digest) DO UPDATE SET at = max(at, excluded.at)",
            [(tombstones.digest(salt, name), now) for name in names],
        )
        self.connection.execute("UPDATE log SET erased = max(erased, ?)", (now,))

    def _is_buried(self, name: str) -> bool:
        salt = self.connection.execute("SELECT salt FROM log").fetchone()[0]
        query = "SELECT 1 FROM tombstones WHERE digest = ?"
        return self.connection.execute(query, (tombstones.digest(salt, name),)).fetchone() is not None

    def _ids_of(self, codes: Sequence[int]) -> list[str]:
        """The message ids and order ids of these customers' events."""
        live = self.connection.execute(f"SELECT message_id, order_id FROM events WHERE {reading.of(codes)}", codes)
        ids = [text for pair in live for text in pair if text is not None]
        return ids + self.keeping.ids_of(codes) if self._has_history() else ids

    def reject(self, dead_letters: Sequence[DeadLetter]) -> int:
        """Keep records that could not become events, each once; inside a `transaction`, as a part of it."""
        with self.transaction() as connection:
            return dead_letter_rows.keep(connection, dead_letters)

    def settle(self, dead_letters: Sequence[DeadLetter]) -> int:
        """Remove dead letters that have become events; inside a `transaction`, as a part of it."""
        with self.transaction() as connection:
            return dead_letter_rows.remove(connection, (letter.number for letter in dead_letters))

    def add_training(self, training: Training) -> None:
        """Note that a model was trained on this log."""
        with self.transaction() as connection:
            connection.execute("INSERT OR REPLACE INTO trainings VALUES (?, ?, ?)", training)

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
        self._forget()

    def _forget(self) -> None:
        for vocabulary in (self.customers, self.items, self.categories):
            vocabulary.forget()
        if "keeping" in vars(self):
            self.keeping.forget()

    def _overwrite_erased(self) -> None:
        if not self._erased:
            return
        gone = list(self._erased)
        names = [name for customer in gone for name in customer.names]
        self._erased.clear()
        if reading.history_folder(self.path).is_dir():
            self.keeping.finish_erasures()
        self._checkpoint()
        # To search the file for mentions of an erased id by other customers' events is faster than to read the events.
        if scrub.holds(self.path, [mention.encode() for name in names for mention in mentions(name)]):
            with self.transaction():
                self._members.unname(names, everywhere=True)
            self._checkpoint()
        if self._has_remnants(gone):
            self.connection.execute("VACUUM")
            self._checkpoint()

    def _has_remnants(self, gone: Sequence[_Gone]) -> bool:
        """Whether old copies of rows are left of customers, or of anybody where it is not known any more of whom."""
        if any(customer.again for customer in gone):
            return scrub.has_any_remnant(self.path)
        texts = [text for customer in gone for text in (*customer.names, *customer.ids)]
        return scrub.has_remnants(self.path, [spelling for text in texts for spelling in rows.spellings(text)])

    def _checkpoint(self) -> None:
        """Bring the write-ahead file, old copies of pages and all, into the database and cut it to nothing."""
        deadline = time.monotonic() + self.busy_seconds
        # SQLite waits for readers by itself, but not for another connection that makes a checkpoint at the same time.
        while self.connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]:
            if time.monotonic() > deadline:
                raise LogBusy(
                    f"the log {self.path}: the customer is erased, but a scan (a training run, an export) still holds "
                    f"old pages in {self.path.name}-wal; erase the same customer again when it is over"
                )
            time.sleep(_POLL_SECONDS)
