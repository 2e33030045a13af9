"""The states beside the SQLite log, in one table of the same database: an event and its state commit together."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.events import Event, Kind
from features.fold import Fold
from features.log import open_log
from features.log.contract import Appended, Erased, LogError, LogMissing
from features.log.database import ABOUT_PEOPLE, explained
from features.log.sqlite import SqliteLog
from features.replay import Histories, final_states, histories
from serving.state.contract import CustomerState, Progress, StateChunk
from serving.state.sqlite_statements import (
    INVOLVED,
    LOAD,
    LOAD_MANY,
    NEWEST,
    PROBE,
    PROFILES,
    PUT,
    PUT_REPLAYED,
    SCHEMA,
    STALE,
    SWEEP,
)

SHARD_EVENTS = 20_000_000
"""Most events replayed at once: about 2 GB of memory."""

FEW = 1000
"""Up to so many stale customers are replayed one by one; more are replayed together with all the others."""

HEALED_AT_ONCE = 50
"""Customers replayed in one transaction: milliseconds, so that live events do not wait."""

BATCH = 1000
"""Replayed states written in one transaction: likewise."""

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


class _Folded(NamedTuple):
    """A state, and the places of the new events to fold into it."""

    state: bytes
    places: list[int]


class SqliteStateStore:
    """A `StateStore` in the database of a `SqliteLog`."""

    def __init__(self, log: SqliteLog, fold: Fold) -> None:
        self.log = log
        self.fold = fold
        self._connection: sqlite3.Connection = log.connection
        self._blank = fold.empty().tobytes()
        self.identity = _identity(log.path)
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
        if _identity(self.log.path) != self.identity:
            raise LogMissing(
                f"the log {self.log.path} was removed or replaced while it was in use; nothing was written. Stop the "
                f"server, put the right file in its place with no {self.log.path.name}-wal of another, and start again"
            )
        return self.log.transaction()

    def load(self, customer: str) -> CustomerState:
        """The state of a customer's profile with every event recorded so far, by whichever process."""
        with explained(self.log.path):
            row = self._connection.execute(LOAD, (self.fold.fingerprint, customer)).fetchone()
        if row is None:
            return CustomerState(customer, False, 0, self.fold.empty())
        received, state = row
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
            before = self._stored(list(dict.fromkeys(event.customer for event in events)))
            appended = self.log.append(events)
            if not len(appended.records):
                return appended
            names = [event.customer for event, new in zip(events, appended.accepted, strict=True) if new]
            joined = {code for merge in appended.merges for code in (int(merge["member"]), int(merge["profile"]))}
            replayed: dict[str, None] = dict.fromkeys(map(self.log.customers.name, sorted(joined)))
            folded: dict[int, _Folded] = {}
            for place, (name, code) in enumerate(zip(names, appended.records["customer"].tolist(), strict=True)):
                profile, state = before.get(name) or (code, self._blank)
                if state is None or profile in joined:
                    replayed[name] = None
                elif profile in folded:
                    folded[profile].places.append(place)
                else:
                    folded[profile] = _Folded(state, [place])
            self._step(folded, appended)
            self._replay(replayed)
        return appended

    def _stored(self, names: Sequence[str]) -> dict[str, tuple[int, bytes | None]]:
        """The code of each known customer's profile, and its state if there is one that fits."""
        found: dict[str, tuple[int, bytes | None]] = {}
        for start in range(0, len(names), ASKED_AT_ONCE):
            asked = list(names[start : start + ASKED_AT_ONCE])
            # As many marks as the next power of two: few statements, each prepared once.
            asked += asked[:1] * ((1 << (len(asked) - 1).bit_length()) - len(asked))
            query = LOAD_MANY.format(",".join("?" * len(asked)))
            for name, profile, state in self._connection.execute(query, (self.fold.fingerprint, *asked)):
                found[name] = profile, state
        return found

    def _step(self, folded: dict[int, _Folded], appended: Appended) -> None:
        """Fold the accepted events at the places of each profile into its state."""
        profiles = sorted(folded)
        states = np.frombuffer(bytearray().join(folded[profile].state for profile in profiles), self.fold.state)
        places = [place for profile in profiles for place in folded[profile].places]
        records = appended.records[places]
        received = records["received"].tolist()
        size, stop = self.fold.state.itemsize, 0
        rows = []
        for index, profile in enumerate(profiles):
            start, stop = stop, stop + len(folded[profile].places)
            self.fold.step(states, index, records[start:stop])
            rows.append((profile, received[stop - 1]))
        raw = states.tobytes()
        self._connection.executemany(
            PUT,
            (
                (profile, self.fold.fingerprint, appended.last_offset, learnt, raw[index * size : (index + 1) * size])
                for index, (profile, learnt) in enumerate(rows)
            ),
        )

    def _replay(self, customers: Iterable[str]) -> None:
        """Replay the profiles of some customers from the log, inside a transaction."""
        profiles = {names[0] for names in map(self.log.profile, customers) if names}
        for profile in sorted(profiles):
            events = self.log.history(profile)
            code = self.log.customers.code(profile)
            if len(events):
                states = self.fold.empty()
                self.fold.step(states, 0, events)
                learnt = int(events["received"][-1])
                row = code, self.fold.fingerprint, self.log.offset(), learnt, states.tobytes()
                self._connection.execute(PUT, row)

    def unmerge(self, customer: str, received: int) -> list[str]:
        """Take a member, or all members of a profile, out of it, and replay all that were in it."""
        with self.transaction():
            concerned = self.log.profile(customer)
            out = self.log.unmerge(customer, received)
            if out:
                self._replay(concerned)
        return out

    def customers_with(self, kind: Kind, after: int) -> list[str]:
        """The customers with an event of `kind` whose offset is above `after`, each once: for rare kinds."""
        indexed = f"{ABOUT_PEOPLE} AND" if Kind.IDENTIFY <= kind <= Kind.CONSENT_GRANT else ""
        query = (
            "SELECT DISTINCT customers.name FROM events JOIN customers ON customers.code = customer "
            f'WHERE {indexed} kind = {int(kind)} AND "offset" > ?'
        )
        with explained(self.log.path):
            return [row[0] for row in self._connection.execute(query, (after,))]

    def heal(self, progress: Progress | None = None) -> int:
        """Replay the profiles whose state is missing or does not fit any more. How many there were."""
        with explained(self.log.path):
            found = self._connection.execute(STALE, (self.fold.fingerprint, FEW + 1)).fetchall()
        if len(found) > FEW:
            return self.rebuild(progress)
        stale = sorted({names[0] for (name,) in found if (names := self.log.profile(name))})
        self._heal(stale)
        return len(stale)

    def _heal(self, customers: Sequence[str]) -> None:
        for start in range(0, len(customers), HEALED_AT_ONCE):
            with self.transaction():
                self._replay(customers[start : start + HEALED_AT_ONCE])

    def rebuild(self, progress: Progress | None = None) -> int:
        """Replay every profile of the log, some millions of events at a time. How many there are."""
        total = self.log.count()
        shards = 1 + total // SHARD_EVENTS
        done = 0
        for shard in range(shards):
            offset = self.log.offset()
            replayed = histories(self.log.scan(shard=shard, shards=shards))
            states = final_states(self.fold, replayed)
            done += self._put_replayed(replayed, states, offset)
            if progress:
                progress(done, done * shards // (shard + 1))
        # Those of several ids have no shard of their own; they are few.
        with explained(self.log.path):
            rows = self._connection.execute(PROFILES).fetchall()
        self._heal([name for (name,) in rows])
        done += len(rows)
        if progress and rows:
            progress(done, done)
        return done

    def _put_replayed(self, replayed: Histories, states: NDArray[np.void], offset: int) -> int:
        """Store the replayed states of customers without merges. How many customers there are without any."""
        received = replayed.events["received"][replayed.starts[1:] - 1]
        with explained(self.log.path):
            involved = np.array(self._connection.execute(INVOLVED).fetchall(), np.int32).ravel()
        alone = np.flatnonzero(~np.isin(replayed.customers, involved))
        size, raw = self.fold.state.itemsize, states.view(np.uint8).data
        for start in range(0, len(alone), BATCH):
            rows = [
                {
                    "customer": int(replayed.customers[place]),
                    "fingerprint": self.fold.fingerprint,
                    "offset": offset,
                    "received": int(received[place]),
                    "state": raw[place * size : (place + 1) * size],
                }
                for place in alone[start : start + BATCH].tolist()
            ]
            with self.transaction():
                self._connection.executemany(PUT_REPLAYED, rows)
        return len(alone)

    def sweep(self, number: int = 8192) -> Iterator[StateChunk]:
        """All stored states of the running fold, by rising customer code, at most `number` at a time."""
        with explained(self.log.path):
            rows = self._connection.execute(SWEEP, (self.fold.fingerprint,))
            while some := rows.fetchmany(number):
                customers, states = zip(*some, strict=True)
                yield StateChunk(np.array(customers, np.int32), np.frombuffer(b"".join(states), self.fold.state))

    def erase(self, customer: str, now: int) -> Erased:
        """Remove the state of a customer's profile and every trace of it in the log."""
        return self.log.erase(customer, now)

    def refresh(self) -> None:
        """Forget the names kept in memory of whom another process has erased."""
        self.log.refresh()

    def check(self) -> None:
        """Return when a row could be written: a full disk shows in nothing less."""
        with self.transaction():
            self._connection.execute(PROBE)
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
