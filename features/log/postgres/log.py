"""The event log in a PostgreSQL database: for more than one machine, or where there is a database already."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from features.events import Event, Kind
from features.log import rows, tombstones
from features.log.by_row import ByRow
from features.log.contract import (
    BATCH,
    CHUNK,
    Appended,
    DeadLetter,
    Erased,
    EventBatch,
    Records,
    Sealable,
    Training,
)
from features.log.membership import NO_MERGES, NOTHING, named
from features.log.orders import resolved
from features.log.postgres import dead_letters as dead_letter_rows
from features.log.postgres import erasing, reading
from features.log.postgres.arrays import Column, numbers, texts
from features.log.postgres.members import PostgresMembers
from features.log.postgres.nothing_sealed import NothingSealed
from features.log.postgres.positions import PostgresPositions
from features.log.postgres.session import NOTHING_YET, Head, Session
from features.log.postgres.statements import INSERT, MOVE
from features.log.postgres.vocabulary import PostgresVocabulary, intern

if TYPE_CHECKING:
    from features.log.history.history import History


class PostgresLog(ByRow, PostgresPositions):
    """A log in one schema of a PostgreSQL database, with every commit on the server's disk before `append` returns.

    Any number of processes on any number of machines may open the same log, each its own `PostgresLog`. One writes at
    a time: a writing transaction begins by locking the one row of the table `log`, so that the order of commits is that
    of the offsets, codes have no gaps, and there is no deadlock of writers. Readers never wait. After the server drops
    a connection, the next call opens a new one. See `features.log.contract.EventLog` for what the methods promise.
    """

    def __init__(self, url: str, *, create: bool = True, busy_seconds: float = 30.0) -> None:
        """Open the log at `url`; without `create` it must exist. A writer waits `busy_seconds` for another one."""
        self.session = Session(url, create=create, busy_seconds=busy_seconds)
        self.place = self.session.place
        self.customers = PostgresVocabulary(self.session, "customers")
        self.items = PostgresVocabulary(self.session, "items")
        self.categories = PostgresVocabulary(self.session, "categories")
        self._members = PostgresMembers(self.session, self.customers)
        self._remembered = (-1, 0)
        self._head = NOTHING_YET
        self._erased: list[str] = []

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """All or nothing: what happens inside, here and through the session, is committed at the end or not at all.

        Holds the log's only write lock, so keep it short. Transactions nest: an inner one that fails is undone by
        itself. Raises LogBusy when another writer keeps the lock, and LogFull and the like when the commit fails.
        """
        before, erased = self._head, len(self._erased)
        head = self.session.begin()
        try:
            if head is not None:
                self._head = head
                self._compare(head)
            yield self.session
            self.session.commit()
        except BaseException:
            self._head = before
            del self._erased[erased:]
            self._forget()
            self.session.roll_back()
            raise
        if self._erased and not self.session.depth:
            self._overwrite_erased()

    def append(self, events: Sequence[Event], *, history: bool = False) -> Appended:
        """Add the events that the log does not have yet; inside a `transaction`, as a part of it."""
        if not events:
            return NOTHING
        with self.transaction():
            head = self._head
            if head.erased and min(event.received for event in events) < head.erased:
                living = self._living(events)
                kept = [event for event in living if event is not None]
                appended = self._append(kept, head, history=history) if kept else NOTHING
                new = iter(appended.accepted)
                return appended._replace(accepted=[event is not None and next(new) for event in living])
            return self._append(events, head, history=history)

    @property
    def keeping(self) -> Sealable:
        """Nothing leaves the database."""
        return NothingSealed()

    def segments(self) -> History | None:
        """None: all events are in the database."""
        return None

    def _append(self, events: Sequence[Event], head: Head, *, history: bool) -> Appended:
        events = resolved(events, partial(reading.known, self.session), None if history else self.profile)
        offsets = range(head.offset + 1, head.offset + 1 + len(events))
        times = rows.clamped(events, head.received, history=history)
        codes = intern(
            self.session,
            [
                (self.customers, [event.customer for event in events]),
                (self.items, [event.item for event in events]),
                (self.categories, [event.category for event in events]),
            ],
        )
        records = rows.records(events, times, *codes)
        new = {offset for (offset,) in self.session.run(INSERT, _columns(offsets, events, records))}
        accepted = [offset in new for offset in offsets]
        if not new:
            for vocabulary in (self.customers, self.items, self.categories):
                vocabulary.take_back()
            return NOTHING._replace(accepted=accepted)
        if len(new) < len(events):
            records = records[np.array(accepted)]
            if moved := rows.without_repeats(events, times, accepted, head.received, history=history):
                records["at"], records["received"] = moved
                self.session.run(MOVE, [numbers(column, "int8") for column in (sorted(new), *moved)])
            events = [event for event, is_new in zip(events, accepted, strict=True) if is_new]
        last = max(new)
        merges = self._join(events, records, last)
        about = np.flatnonzero((records["kind"] >= Kind.IDENTIFY) & (records["kind"] <= Kind.CONSENT_GRANT))
        people = sorted(new)[about[-1]] if len(about) else head.people
        self._move(last + len(merges), max(head.received, int(records["received"].max())), people)
        return Appended(accepted, records, min(new), last, merges)

    def _join(self, events: Sequence[Event], records: Records, offset: int) -> NDArray[np.void]:
        """Apply what accepted events say of ids. Returns the merges, with the offsets that follow `offset`."""
        places = np.flatnonzero(records["kind"] == Kind.IDENTIFY)
        if not len(places):
            return NO_MERGES
        return self._members.join([events[place] for place in places.tolist()], records[places], offset)

    def _living(self, events: Sequence[Event]) -> list[Event | None]:
        """The events, None in the place of those that were received before their customer was erased."""
        names = {tombstones.digest(self._salt(), name): name for name in named(events)}
        fetched = self.session.run("SELECT digest, at FROM tombstones WHERE digest = ANY(%b::bytea[])", (list(names),))
        return tombstones.living(events, {names[digest]: at for digest, at in fetched})

    def _salt(self) -> bytes:
        return bytes(self.session.run("SELECT salt FROM log")[0][0])

    def unmerge(self, customer: str, received: int) -> list[str]:
        """Take a member, or all members of a profile, out of it; inside a `transaction`, as a part of it."""
        with self.transaction():
            head = self._head
            out, undone = self._members.unmerge(customer, max(received, head.received), head.offset)
            if out:
                self._move(head.offset + len(undone), int(undone["received"][-1]), head.people)
            return out

    def _move(self, offset: int, received: int, people: int) -> None:
        moved = 'UPDATE log SET "offset" = %b::int8, received = %b::int8, people = %b::int8'
        self.session.later(moved, (offset, received, people))
        self._head = self._head._replace(offset=offset, received=received, people=people)

    def merges(self) -> NDArray[np.void]:
        """Every merge and its undoing that is still in the log, in log order."""
        return self._members.merges()

    def profile(self, customer: str) -> list[str]:
        """All ids of the profile that a customer belongs to now, the profile's own first; none of an unknown one."""
        return [name for _, name in self._members.profile(customer)]

    def scan(
        self, *, kinds: Collection[Kind] | None = None, shard: int = 0, shards: int = 1, until: int | None = None
    ) -> Iterator[Records]:
        """The log in log order, through a cursor of a connection of its own: it does not see what is added meanwhile.

        The server sends one chunk at a time, and neither side holds more than one in memory.
        """
        yield from reading.scan(self.session, rows.Selection(kinds, shard, shards, until), CHUNK)

    def scan_with_properties(
        self, *, kinds: Collection[Kind] | None = None, shard: int = 0, shards: int = 1, until: int | None = None,
        size: int = BATCH,
    ) -> Iterator[EventBatch]:  # fmt: skip
        """What `scan` gives, through a cursor as well, with message ids, order ids and properties."""
        yield from reading.scan_with_properties(self.session, rows.Selection(kinds, shard, shards, until), size)

    def find(self, message_id: str) -> Event | None:
        """The event of a message id, by the unique index of the message ids; None when the log has none."""
        return reading.find(self.session, message_id)

    def history(self, customer: str) -> Records:
        """All events of a customer's profile, in log order; empty when there is none."""
        return reading.history(self.session, customer)

    def events(self, customer: str, limit: int) -> list[Event]:
        """The newest `limit` events of a customer's profile with names and properties, newest first."""
        return reading.newest(self.session, customer, limit)

    def count(self) -> int:
        """How many events the log holds."""
        with self.session.unhurried():
            return int(self.session.run("SELECT count(*) FROM events")[0][0])

    def span(self) -> tuple[int, int] | None:
        """The first and the last `received` in the log; None when it is empty."""
        ((first, last),) = self.session.run("SELECT min(received), max(received) FROM events")
        return None if first is None else (first, last)

    def offset(self) -> int:
        """The newest offset ever given out; 0 when nothing was ever appended."""
        # No other process changes the head while a transaction holds the log.
        return (self._head if self.session.depth else self.session.head()).offset

    def about_people(self) -> int:
        """The newest offset ever given to an event about identity or consent; 0 when there was none."""
        return (self._head if self.session.depth else self.session.head()).people

    def erase(self, customer: str, now: int) -> Erased:
        """Remove every trace of a customer's profile, from the files of its tables too (see `erasing`).

        Inside a `transaction` the files are rewritten after its commit. A scan under way keeps the old rows: when it
        outlasts the wait, LogBusy says so; then the customer is gone, and erasing it again completes the work.
        """
        with self.transaction() as session:
            session.later("SET LOCAL statement_timeout = 0")
            profile = self._members.profile(customer)
            codes, names = [code for code, _ in profile], [name for _, name in profile]
            touched = {"customers", "dead_letters"}
            if erasing.events_spell(session, names, codes):
                touched.add("events")
            dead = dead_letter_rows.erase(session, names or [customer])
            removed = session.run("DELETE FROM events WHERE customer = ANY(%b::int4[]) RETURNING received", (codes,))
            merges = self._members.erase(codes)
            self.customers.erase(codes)
            if self._bury(names or [customer], now):
                touched.add("events")
            session.run("UPDATE log SET erasures = erasures + %b::int8", (len(codes),))
            erasing.note_remnants(session, sorted(touched))
        return Erased(names, len(removed), dead, merges, min((row[0] for row in removed), default=0))

    def _bury(self, names: Sequence[str], now: int) -> bool:
        """Leave a salted digest of each name and nothing else. Returns whether other customers' events held a name."""
        salt = self._salt()
        self.session.run_many(
            [
                (
                    "INSERT INTO tombstones SELECT unnest(%b::bytea[]), %b::int8 "
                    "ON CONFLICT (digest) DO UPDATE SET at = greatest(tombstones.at, excluded.at)",
                    ([tombstones.digest(salt, name) for name in names], now),
                ),
                ("UPDATE log SET erased = greatest(erased, %b::int8)", (now,)),
            ]
        )
        self._head = self._head._replace(erased=max(self._head.erased, now))
        self._erased += names
        return self._members.unname(names)

    def _overwrite_erased(self) -> None:
        names, self._erased = self._erased, []
        # An event of any kind may mention an erased id. Reading them all takes long, so it happens without the lock.
        with self.session.unhurried():
            places = self._members.mentioned(names)
        if places:
            with self.transaction() as session:
                if self._members.unname(names, places):
                    erasing.note_remnants(session, ["events"])
        erasing.rewrite_remnants(self.session)

    def reject(self, dead_letters: Sequence[DeadLetter]) -> int:
        """Keep records that could not become events, each once; inside a `transaction`, as a part of it."""
        with self.transaction() as session:
            return dead_letter_rows.keep(session, dead_letters)

    def dead_letters(self, limit: int, *, after: int = 0, source: str | None = None) -> list[DeadLetter]:
        """The oldest `limit` dead letters numbered above `after`, oldest first; of one source when it is named."""
        return dead_letter_rows.kept(self.session, limit, after, source)

    def settle(self, dead_letters: Sequence[DeadLetter]) -> int:
        """Remove dead letters that have become events; inside a `transaction`, as a part of it."""
        with self.transaction() as session:
            return dead_letter_rows.remove(session, [letter.number for letter in dead_letters])

    def add_training(self, training: Training) -> None:
        """Note that a model was trained on this log."""
        with self.transaction() as session:
            session.run(
                "INSERT INTO trainings VALUES (%b::text, %b::int8, %b::int8) "
                "ON CONFLICT (version) DO UPDATE SET until = excluded.until, at = excluded.at",
                training,
            )

    def trainings(self) -> list[Training]:
        """Every model trained on this log, oldest first."""
        return [Training(*row) for row in self.session.run("SELECT version, until, at FROM trainings ORDER BY 3, 1")]

    def digest(self) -> str:
        """A short hexadecimal digest of how much the log holds: equal for logs built by the same appends."""
        head = self.session.head()
        return rows.digest(self.count(), self.span(), head.offset, head.received, head.erasures)

    def refresh(self) -> None:
        """Forget the names kept in memory if another connection has erased one. A transaction begins with this."""
        self._compare(self.session.head())

    def close(self) -> None:
        """Close the connection; closing twice is harmless."""
        self.session.close()

    def _compare(self, head: Head) -> None:
        remembered = (head.erasures, self.session.reconnections)
        if remembered != self._remembered:
            self._forget()
            self._remembered = remembered

    def _forget(self) -> None:
        for vocabulary in (self.customers, self.items, self.categories):
            vocabulary.forget()


def _columns(offsets: Sequence[int], events: Sequence[Event], records: Records) -> list[Column]:
    """The events as columns for `INSERT`: `rows.COLUMNS`, with `NO_CODE` and NaN for absent values."""
    return [
        numbers(offsets, "int8"),
        texts([event.message_id for event in events]),
        numbers(records["customer"], "int4"),
        numbers(records["kind"], "int2"),
        numbers(records["at"], "int8"),
        numbers(records["received"], "int8"),
        numbers(records["channel"], "int2"),
        numbers(records["item"], "int4"),
        numbers(records["category"], "int4"),
        numbers([rows.plain(event.quantity) for event in events], "float8"),
        numbers(records["amount"], "float8"),
        texts([event.order_id for event in events]),
        numbers([rows.plain(event.score) for event in events], "float8"),
        texts([rows.quoted(event.properties) if event.properties else None for event in events]),
    ]
