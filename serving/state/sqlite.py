"""The states beside the SQLite log, in one table of the same database: an event and its state commit together."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features.events import Event
from features.fold import Fold
from features.log import open_log
from features.log.contract import Appended, LogError, LogMissing
from features.log.database import explained
from features.log.sqlite import SqliteLog
from features.replay import Histories, final_states, histories
from serving.state.contract import CustomerState, Progress, StateChunk

SHARD_EVENTS = 20_000_000
"""Most events replayed at once: about 2 GB of memory."""

FEW = 1000
"""Up to so many stale customers are replayed one by one; more are replayed together with all the others."""

HEALED_AT_ONCE = 50
"""Customers replayed in one transaction: milliseconds, so that live events do not wait."""

BATCH = 1000
"""Replayed states written in one transaction: likewise."""

# A state has folded every event of its customer up to `offset`. Live events come after it in log order and are seen by
# their offset; an event of the past (an import) and an erasure remove the state, whoever wrote them.
_SCHEMA = """
CREATE TABLE IF NOT EXISTS states (
    customer INTEGER PRIMARY KEY,
    fingerprint TEXT NOT NULL,
    "offset" INTEGER NOT NULL,
    received INTEGER NOT NULL,
    state BLOB NOT NULL
);
CREATE TRIGGER IF NOT EXISTS states_of_the_past AFTER INSERT ON events
WHEN NEW.received < (SELECT received FROM log)
BEGIN DELETE FROM states WHERE customer = NEW.customer; END;
CREATE TRIGGER IF NOT EXISTS states_of_the_erased AFTER DELETE ON events
BEGIN DELETE FROM states WHERE customer = OLD.customer; END
"""

_LOAD = """
SELECT customers.code, states.received, states.state
FROM customers LEFT JOIN states ON states.customer = customers.code
    AND states.fingerprint = :fingerprint
    AND states."offset" >= (
        SELECT "offset" FROM events WHERE customer = customers.code ORDER BY received DESC, "offset" DESC LIMIT 1
    )
WHERE customers.name = :name
"""

_STALE = """
SELECT customers.name
FROM (SELECT customer, max("offset") AS newest FROM events GROUP BY customer) AS present
JOIN customers ON customers.code = present.customer
LEFT JOIN states ON states.customer = present.customer
WHERE states.customer IS NULL OR states.fingerprint != :fingerprint OR states."offset" < present.newest
LIMIT :limit
"""

_PUT = """
INSERT INTO states (customer, fingerprint, "offset", received, state) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (customer) DO UPDATE SET
    fingerprint = excluded.fingerprint, "offset" = excluded."offset", received = excluded.received,
    state = excluded.state
"""

# What was replayed while others wrote counts only for customers about whom nothing was written since.
_PUT_REPLAYED = """
INSERT OR REPLACE INTO states (customer, fingerprint, "offset", received, state)
SELECT :customer, :fingerprint, :offset, :received, :state
WHERE :offset >= (SELECT max("offset") FROM events WHERE customer = :customer)
"""

# No customer has this code; the row is gone again in the transaction that adds it, yet its pages are written.
_PROBE = "INSERT INTO states VALUES (-1, '', 0, 0, zeroblob(8192))"

_SWEEP = "SELECT customer, state FROM states WHERE fingerprint = :fingerprint ORDER BY customer"


class StoreUnknown(LogError):
    """No store of states is known for this kind of log."""


def open_states(store: str, fold: Fold, busy_seconds: float, *, create: bool = True) -> SqliteStateStore:
    """The states in the store at a URL or path. A write waits `busy_seconds` for other writers.

    Without `create` the store must exist.

    Raises `StoreUnknown` for a log that keeps no states, such as Parquet files, and the other `LogError`s.
    """
    log = open_log(store, create=create)
    if not isinstance(log, SqliteLog):
        log.close()
        raise StoreUnknown(f"the log {store} keeps no states; serve from one such as sqlite:///data/waypost.db")
    log.connection.execute(f"PRAGMA busy_timeout = {round(busy_seconds * 1000)}")
    return SqliteStateStore(log, fold)


class SqliteStateStore:
    """A `StateStore` in the database of a `SqliteLog`."""

    def __init__(self, log: SqliteLog, fold: Fold) -> None:
        self.log = log
        self.fold = fold
        self._connection: sqlite3.Connection = log.connection
        self.identity = _identity(log.path)
        with explained(log.path):
            if not self._connection.execute(
                "SELECT 1 FROM sqlite_master WHERE name = 'states_of_the_erased'"
            ).fetchone():
                with log.transaction():
                    for statement in _statements(_SCHEMA):
                        self._connection.execute(statement)

    def transaction(self) -> AbstractContextManager[object]:
        """All or nothing; may be nested. Raises `LogMissing` when the file is no longer the one that was opened."""
        if _identity(self.log.path) != self.identity:
            raise LogMissing(
                f"the log {self.log.path} was removed or replaced while it was in use; nothing was written. Stop the "
                f"server, put the right file in its place with no {self.log.path.name}-wal of another, and start again"
            )
        return self.log.transaction()

    def load(self, customer: str) -> CustomerState:
        """The state of a customer with every event recorded so far, by whichever process."""
        with explained(self.log.path):
            row = self._connection.execute(_LOAD, {"name": customer, "fingerprint": self.fold.fingerprint}).fetchone()
        if row is None:
            return CustomerState(customer, False, 0, self.fold.empty())
        _, received, state = row
        if state is None:
            return self._replayed(customer)
        return CustomerState(customer, True, received, np.frombuffer(state, self.fold.state))

    def _replayed(self, customer: str) -> CustomerState:
        events = self.log.history(customer)
        states = self.fold.empty()
        if len(events):
            self.fold.step(states, 0, events)
        return CustomerState(customer, len(events) > 0, int(events["received"][-1]) if len(events) else 0, states)

    def record(self, events: Sequence[Event]) -> Appended:
        """Append events to the log and fold them into their customers' states, in one transaction."""
        with self.transaction():
            before = {name: self.load(name) for name in sorted({event.customer for event in events})}
            appended = self.log.append(events)
            names = [event.customer for event, new in zip(events, appended.accepted, strict=True) if new]
            for name, records in _by_customer(names, appended.records).items():
                states = before[name].states.copy()
                self.fold.step(states, 0, records)
                self._put(records, appended.last_offset, states)
        return appended

    def _put(self, records: NDArray[np.void], offset: int, states: NDArray[np.void]) -> None:
        newest = records[-1]
        row = int(newest["customer"]), self.fold.fingerprint, offset, int(newest["received"]), states.tobytes()
        self._connection.execute(_PUT, row)

    def heal(self, progress: Progress | None = None) -> int:
        """Replay the customers whose state is missing or does not fit any more. How many there were."""
        with explained(self.log.path):
            asked = {"fingerprint": self.fold.fingerprint, "limit": FEW + 1}
            stale = [row[0] for row in self._connection.execute(_STALE, asked)]
        if len(stale) > FEW:
            return self.rebuild(progress)
        for start in range(0, len(stale), HEALED_AT_ONCE):
            with self.transaction():
                for name in stale[start : start + HEALED_AT_ONCE]:
                    self._heal(name)
        return len(stale)

    def _heal(self, customer: str) -> None:
        """Replay one customer, inside a transaction."""
        events = self.log.history(customer)
        if len(events):
            states = self.fold.empty()
            self.fold.step(states, 0, events)
            self._put(events, self.log.offset(), states)

    def rebuild(self, progress: Progress | None = None) -> int:
        """Replay every customer of the log, some millions of events at a time. How many customers there are."""
        total = self.log.count()
        shards = 1 + total // SHARD_EVENTS
        done = 0
        for shard in range(shards):
            offset = self.log.offset()
            replayed = histories(self.log.scan(shard=shard, shards=shards))
            states = final_states(self.fold, replayed)
            self._put_replayed(replayed, states, offset)
            done += len(replayed.customers)
            if progress:
                progress(done, done * shards // (shard + 1))
        return done

    def _put_replayed(self, replayed: Histories, states: NDArray[np.void], offset: int) -> None:
        received = replayed.events["received"][replayed.starts[1:] - 1]
        for start in range(0, len(states), BATCH):
            rows = [
                {
                    "customer": customer,
                    "fingerprint": self.fold.fingerprint,
                    "offset": offset,
                    "received": learnt,
                    "state": state.tobytes(),
                }
                for customer, learnt, state in zip(
                    replayed.customers[start : start + BATCH].tolist(),
                    received[start : start + BATCH].tolist(),
                    states[start : start + BATCH],
                    strict=True,
                )
            ]
            with self.transaction():
                self._connection.executemany(_PUT_REPLAYED, rows)

    def sweep(self, number: int = 8192) -> Iterator[StateChunk]:
        """All stored states of the running fold, by rising customer code, at most `number` at a time."""
        with explained(self.log.path):
            rows = self._connection.execute(_SWEEP, {"fingerprint": self.fold.fingerprint})
            while some := rows.fetchmany(number):
                customers, states = zip(*some, strict=True)
                yield StateChunk(np.array(customers, np.int32), np.frombuffer(b"".join(states), self.fold.state))

    def erase(self, customer: str) -> int:
        """Remove a customer's state and every trace of it in the log. The rows removed of the log."""
        return self.log.erase(customer)

    def refresh(self) -> None:
        """Forget the names kept in memory of whom another process has erased."""
        self.log.refresh()

    def check(self) -> None:
        """Return when a row could be written: a full disk shows in nothing less."""
        with self.transaction():
            self._connection.execute(_PROBE)
            self._connection.execute("DELETE FROM states WHERE customer = -1")

    def close(self) -> None:
        """Close the log."""
        self.log.close()


def _identity(path: Path) -> tuple[int, int] | None:
    """Which file is at `path`; None when there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def _statements(script: str) -> Iterator[str]:
    """The statements of a script; a trigger's body stays whole."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if statement.strip():
        yield statement


def _by_customer(names: Sequence[str], records: NDArray[np.void]) -> dict[str, NDArray[np.void]]:
    """The records of each customer, in the order given; by rising customer name, as every writer locks them."""
    places: dict[str, list[int]] = {}
    for place, name in enumerate(names):
        places.setdefault(name, []).append(place)
    if len(places) == 1:
        return {names[0]: records}
    return {name: records[places[name]] for name in sorted(places)}
