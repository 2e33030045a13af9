"""The event log in a PostgreSQL database: for more than one machine, or where there is a database already."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import compress
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from features.events import Event, Kind
from features.log import rows, tombstones
from features.log.contract import Appended, DeadLetter, Erased, Records, Training
from features.log.membership import NOTHING, named
from features.log.orders import resolved
from features.log.postgres import dead_letters as dead_letter_rows
from features.log.postgres import erasing, inserting, reading
from features.log.postgres.folder import history_store, is_named, is_of
from features.log.postgres.reads import PostgresReads
from features.log.postgres.session import Head, Session

if TYPE_CHECKING:
    import polars as pl


class PostgresLog(PostgresReads):
    """A log in one schema of a PostgreSQL database, with every commit on the server's disk before `append` returns.

    Any number of processes on any number of machines may open the same log, each its own `PostgresLog`. One writes at
    a time: a writing transaction begins by locking the one row of the table `log`, so that the order of commits is that
    of the offsets, codes have no gaps, and there is no deadlock of writers. Readers never wait. After the server drops
    a connection, the next call opens a new one. See `features.log.contract.EventLog` for what the methods promise.
    """

    def __init__(self, url: str, *, create: bool = True, busy_seconds: float = 30.0) -> None:
        """Open the log at `url`; without `create` it must exist. A writer waits `busy_seconds` for another one.

        Raises LogError when the log has a history whose folder is not here.
        """
        super().__init__(url, create=create, busy_seconds=busy_seconds)
        self._remembered = (-1, 0)
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

    def append_columns(self, frame: pl.DataFrame) -> NDArray[np.bool_]:
        """Add the events of an import that the log does not have yet to its history, if it has a folder for one."""
        if not is_named() and self.segments() is None:
            from features.log.frame import events_of  # Polars, which a log without history does not need

            return np.array(self.append(events_of(frame), history=True).accepted, bool)
        return self.keeping.append(frame)

    @contextmanager
    def _changing_history(self) -> Iterator[Session]:
        """A transaction that moves the head by statements of its own."""
        with self.transaction() as session:
            yield session
            self._head = session.head()

    def _append(self, events: Sequence[Event], head: Head, *, history: bool) -> Appended:
        events = resolved(events, self._known, None if history else self.profile)
        offsets = range(head.offset + 1, head.offset + 1 + len(events))
        times = rows.clamped(events, head.received, history=history)
        records = inserting.coded(self.session, self._vocabularies, events, times)
        new = self._insert(offsets, events, records)
        accepted = [offset in new for offset in offsets]
        if not new:
            for vocabulary in self._vocabularies:
                vocabulary.take_back()
            return NOTHING._replace(accepted=accepted)
        if len(new) < len(events):
            records = records[np.array(accepted)]
            if moved := rows.without_repeats(events, times, accepted, head.received, history=history):
                records["at"], records["received"] = moved
                inserting.move(self.session, sorted(new), moved)
            events = [event for event, is_new in zip(events, accepted, strict=True) if is_new]
        last = max(new)
        merges = self._members.join(events, records, last)
        about = np.flatnonzero((records["kind"] >= Kind.IDENTIFY) & (records["kind"] <= Kind.CONSENT_GRANT))
        people = sorted(new)[about[-1]] if len(about) else head.people
        self._move(last + len(merges), max(head.received, int(records["received"].max())), people)
        return Appended(accepted, records, min(new), last, merges)

    def _insert(self, offsets: Sequence[int], events: Sequence[Event], records: Records) -> set[int]:
        """Insert the events that the log does not have yet. Returns their offsets."""
        if not self._head.segments:
            return inserting.insert(self.session, offsets, events, records)
        unknown = self._unknown_to_history([event.message_id for event in events])
        if not unknown.any():
            return set()
        left = list(compress(offsets, unknown)), list(compress(events, unknown)), records[unknown]
        return inserting.insert(self.session, *left)

    def _known(self, message_ids: Sequence[str]) -> list[str]:
        """Those of the message ids that the log has."""
        known = reading.known(self.session, message_ids)
        return known + list(compress(message_ids, ~self._unknown_to_history(message_ids)))

    def _unknown_to_history(self, message_ids: Sequence[str]) -> NDArray[np.bool_]:
        """Which of the message ids are not those of sealed or imported events."""
        if not self._head.segments:
            return np.ones(len(message_ids), bool)
        return ~self.keeping.view_after(self._head.segments).known(message_ids)

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
            if self._spell(names, codes):
                touched.add("events")
            dead = dead_letter_rows.erase(session, names or [customer])
            removed = session.run("DELETE FROM events WHERE customer = ANY(%b::int4[]) RETURNING received", (codes,))
            events, received = len(removed), [at for (at,) in removed]
            if self._head.segments:
                sealed = self.keeping.erase(codes)
                self._head = session.head()
                events += sealed.events
                received += [sealed.first_received] if sealed.events else []
            merges = self._members.erase(codes)
            self.customers.erase(codes)
            if self._bury(names or [customer], now):
                touched.add("events")
            session.run("UPDATE log SET erasures = erasures + %b::int8", (len(codes),))
            erasing.note_remnants(session, sorted(touched))
        return Erased(names, events, dead, merges, min(received, default=0))

    def _spell(self, names: Sequence[str], codes: Sequence[int]) -> bool:
        """Whether the events of these customers, or what sealing left of them on the disk, contain a name."""
        sealed = bool(self._head.segments and codes) and self.keeping.spells(names, codes)
        return sealed or erasing.events_spell(self.session, names, codes)

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
        if self._has_folder():
            self.keeping.finish_erasures()
        # An event of any kind may mention an erased id. Reading them all takes long, so it happens without the lock.
        with self.session.unhurried():
            places = self._members.mentioned(names)
        if places:
            with self.transaction() as session:
                if self._members.unname(names, places):
                    erasing.note_remnants(session, ["events"])
        erasing.rewrite_remnants(self.session)

    def _has_folder(self) -> bool:
        """Whether there are files of a history, be they those of an import that was killed."""
        identity = self.session.identity
        return bool(self._head.segments) or is_of(history_store(*identity), identity.log)

    def reject(self, dead_letters: Sequence[DeadLetter]) -> int:
        """Keep records that could not become events, each once; inside a `transaction`, as a part of it."""
        with self.transaction() as session:
            return dead_letter_rows.keep(session, dead_letters)

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

    def refresh(self) -> None:
        """Forget the names kept in memory if another connection has erased one. A transaction begins with this."""
        self._compare(self.session.head())

    def _compare(self, head: Head) -> None:
        remembered = (head.erasures, self.session.reconnections)
        if remembered != self._remembered:
            self._forget()
            self._remembered = remembered

    def _forget(self) -> None:
        for vocabulary in self._vocabularies:
            vocabulary.forget()
        if self._had_history():
            self.keeping.forget()
