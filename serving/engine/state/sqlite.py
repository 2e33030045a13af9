"""The states beside the SQLite log, in one table of the same database: an event and its state commit together."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager

import numpy as np
from numpy.typing import NDArray

from features.events import Kind
from features.files import identity
from features.fold.fold import Fold
from features.log import open_log
from features.log.contract import MOST_JOINED, LogError, LogMissing
from features.log.sqlite import SqliteLog
from features.log.sqlite.insert import insert_many
from features.log.sqlite.schema import ABOUT_PEOPLE, explained
from serving.engine.state.contract import StateChunk
from serving.engine.state.folding import FoldedStates
from serving.engine.state.sqlite_statements import (
    CHANGED,
    CROWDED,
    CURRENCIES,
    FITTING,
    HIGHEST,
    INVOLVED,
    LOAD,
    LOAD_MANY,
    NEWEST,
    NEWEST_ABOUT_PEOPLE,
    PROBE,
    PROFILES,
    PROFILES_BY_CODE,
    PUT,
    PUT_REPLAYED,
    SCHEMA,
    STALE,
    SWEEP,
)

ASKED_AT_ONCE = 512


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
    log.busy_seconds = busy_seconds
    return SqliteStateStore(log, fold)


class SqliteStateStore(FoldedStates[SqliteLog]):
    """A `StateStore` in the database of a `SqliteLog`."""

    def __init__(self, log: SqliteLog, fold: Fold) -> None:
        super().__init__(log, fold)
        self._connection: sqlite3.Connection = log.connection
        self.identity = identity(log.path)
        with explained(log.path):
            if not self._connection.execute("SELECT 1 FROM sqlite_master WHERE name = ?", (NEWEST,)).fetchone():
                with log.transaction():
                    for statement in SCHEMA:
                        self._connection.execute(statement)

    @property
    def instant(self) -> bool:
        """A state is a page or two of a file away, and readers never wait."""
        return True

    def transaction(self) -> AbstractContextManager[object]:
        """All or nothing; may be nested. Raises `LogMissing` when the file is no longer the one that was opened."""
        if identity(self.log.path) != self.identity:
            raise LogMissing(
                f"the log {self.log.path} was removed or replaced while it was in use; nothing was written. Stop the "
                f"server, put the right file in its place with no {self.log.path.name}-wal of another, and start again"
            )
        return self.log.transaction()

    def _row(self, customer: str) -> tuple[int, bytes | None] | None:
        with explained(self.log.path):
            row: tuple[int, bytes | None] | None = self._connection.execute(
                LOAD, (self.fold.fingerprint, customer)
            ).fetchone()
        return row

    def _rows(self, names: Sequence[str]) -> dict[str, tuple[int, bytes | None]]:
        rows: dict[str, tuple[int, bytes | None]] = {}
        for start in range(0, len(names), ASKED_AT_ONCE):
            asked = list(names[start : start + ASKED_AT_ONCE])
            # As many marks as the next power of two: few statements, each prepared once.
            asked += asked[:1] * ((1 << (len(asked) - 1).bit_length()) - len(asked))
            query = LOAD_MANY.format(",".join("?" * len(asked)))
            for name, profile, state in self._connection.execute(query, (self.fold.fingerprint, *asked)):
                rows[name] = profile, state
        return rows

    def _put(self, profiles: list[int], received: list[int], states: NDArray[np.void], offset: int) -> None:
        size, raw = self.fold.state.itemsize, states.tobytes()
        insert_many(
            self._connection,
            PUT,
            (
                (profile, self.fold.fingerprint, offset, learnt, raw[index * size : (index + 1) * size])
                for index, (profile, learnt) in enumerate(zip(profiles, received, strict=True))
            ),
        )

    def _put_replayed(
        self, customers: NDArray[np.int32], received: NDArray[np.int64], states: NDArray[np.void], offset: int
    ) -> None:
        rows = [
            {
                "customer": customer,
                "fingerprint": self.fold.fingerprint,
                "offset": offset,
                "received": learnt,
                "state": state.tobytes(),
            }
            for customer, learnt, state in zip(customers.tolist(), received.tolist(), states, strict=True)
        ]
        self._connection.executemany(PUT_REPLAYED, rows)

    def _stale(self, most: int) -> list[str]:
        with explained(self.log.path):
            return [name for (name,) in self._connection.execute(STALE, (self.fold.fingerprint, most))]

    def _merged(self) -> list[str]:
        with explained(self.log.path):
            return [name for (name,) in self._connection.execute(PROFILES)]

    def _involved(self) -> NDArray[np.int32]:
        with explained(self.log.path):
            return np.array(self._connection.execute(INVOLVED).fetchall(), np.int32).ravel()

    def customers_with(self, kind: Kind, after: int) -> list[str]:
        """The customers with an event of `kind` whose offset is above `after`, each once: for rare kinds."""
        indexed = f"{ABOUT_PEOPLE} AND" if Kind.IDENTIFY <= kind <= Kind.CONSENT_GRANT else ""
        query = (
            "SELECT DISTINCT customers.name FROM events JOIN customers ON customers.code = customer "
            f'WHERE {indexed} kind = {int(kind)} AND "offset" > ?'
        )
        with explained(self.log.path):
            return [row[0] for row in self._connection.execute(query, (after,))]

    def crowded(self, most: int) -> list[tuple[str, int]]:
        """The full profiles of which more than `most` ids were declared, and how many; they take no further id."""
        with explained(self.log.path):
            return self._connection.execute(CROWDED, (MOST_JOINED, most)).fetchall()

    def _fitting(self) -> NDArray[np.int32]:
        with explained(self.log.path):
            return np.array(self._connection.execute(FITTING, (self.fold.fingerprint,)).fetchall(), np.int32).ravel()

    def _currencies(self) -> list[str]:
        with explained(self.log.path):
            return [code for (code,) in self._connection.execute(CURRENCIES)]

    def about_people(self) -> int:
        """An offset that rises with every event about identity or consent, and that none of them exceeds."""
        with explained(self.log.path):
            return int(self._connection.execute(NEWEST_ABOUT_PEOPLE).fetchone()[0])

    def _profiles(self, codes: NDArray[np.int32]) -> Iterator[tuple[int, str, bytes | None]]:
        with explained(self.log.path):
            for start in range(0, len(codes), ASKED_AT_ONCE):
                asked = codes[start : start + ASKED_AT_ONCE].tolist()
                query = PROFILES_BY_CODE.format(",".join("?" * len(asked)))
                yield from self._connection.execute(query, (self.fold.fingerprint, *asked)).fetchall()

    def highest(self) -> int:
        """The highest code of a customer who has a state; -1 when nobody has one."""
        with explained(self.log.path):
            return int(self._connection.execute(HIGHEST).fetchone()[0])

    def _changed(self, after: int, most: int) -> NDArray[np.int32]:
        with explained(self.log.path):
            codes = self._connection.execute(CHANGED, {"after": after, "most": most}).fetchall()
        return np.array(codes, np.int32).ravel()

    def sweep(self, number: int = 8192) -> Iterator[StateChunk]:
        """All stored states of the running fold, by rising customer code, at most `number` at a time."""
        last = -1
        # Each chunk is a query of its own: one cursor over all would keep an erasure waiting.
        while rows := self._some(last, number):
            customers, states = zip(*rows, strict=True)
            yield StateChunk(np.array(customers, np.int32), np.frombuffer(b"".join(states), self.fold.state))
            last = customers[-1]

    def _some(self, last: int, number: int) -> list[tuple[int, bytes]]:
        with explained(self.log.path):
            return self._connection.execute(SWEEP, (self.fold.fingerprint, last, number)).fetchall()

    def check(self) -> None:
        """Check that a row can be written: nothing less shows that the disk is full."""
        with self.transaction():
            self._connection.execute(PROBE)
            self._connection.execute("DELETE FROM states WHERE customer = -1")
