"""The states beside the PostgreSQL log, in one table of the same schema: an event and its state commit together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.events import EVENT, Event, Kind
from features.fold import Fold
from features.log.contract import Appended, Erased
from features.log.postgres import PostgresLog, arrays
from features.log.postgres.arrays import numbers, texts
from features.replay import Histories, final_states, histories
from serving.state.contract import CustomerState, Progress, StateChunk
from serving.state.postgres_statements import (
    CUSTOMERS_WITH,
    HISTORIES,
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


class _Folded(NamedTuple):
    """A state, and the places of the new events to fold into it."""

    state: bytes
    places: list[int]


class PostgresStateStore:
    """A `StateStore` in the schema of a `PostgresLog`."""

    instant = False
    """A state is a round trip to a server away."""

    def __init__(self, url: str, fold: Fold, busy_seconds: float, *, create: bool = True) -> None:
        """Open the log at a URL and its states. A write waits `busy_seconds` for other writers."""
        self.log = PostgresLog(url, create=create, busy_seconds=busy_seconds)
        self.fold = fold
        self._session = self.log.session
        self._blank = fold.empty().tobytes()
        self.identity: object = self._session.identity
        there = "SELECT 1 FROM pg_trigger WHERE tgname = %b::text AND tgrelid = 'merges'::regclass"
        try:
            if not self._session.run(there, (NEWEST,)):
                with self.log.transaction() as session:
                    session.run_script(SCHEMA)
        except BaseException:
            self.log.close()
            raise

    def transaction(self) -> AbstractContextManager[object]:
        """All or nothing; may be nested."""
        return self.log.transaction()

    def load(self, customer: str) -> CustomerState:
        """The state of a customer's profile with every event recorded so far, by whichever process."""
        found = self._session.run(LOAD, (self.fold.fingerprint, customer))
        if not found:
            return CustomerState(customer, False, 0, self.fold.empty())
        received, state = found[0]
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
        """Append events to the log and fold them into their customers' states, in one transaction.

        Four or five round trips to the server, however many events and customers; two more where ids are merged.
        """
        with self.transaction():
            before = self._stored({event.customer for event in events})
            appended = self.log.append(events)
            if not len(appended.records):
                return appended
            names = [event.customer for event, new in zip(events, appended.accepted, strict=True) if new]
            joined = {code for merge in appended.merges for code in (int(merge["member"]), int(merge["profile"]))}
            replayed = set(map(self.log.customers.name, joined))
            folded: dict[int, _Folded] = {}
            for place, (name, code) in enumerate(zip(names, appended.records["customer"].tolist(), strict=True)):
                profile, state = before.get(name) or (code, self._blank)
                if state is None or profile in joined:
                    replayed.add(name)
                elif profile in folded:
                    folded[profile].places.append(place)
                else:
                    folded[profile] = _Folded(state, [place])
            self._step(folded, appended)
            self._replay(replayed)
        return appended

    def _stored(self, names: Iterable[str]) -> dict[str, tuple[int, bytes | None]]:
        """The code of each known customer's profile, and its state if there is one that fits."""
        found = self._session.run(LOAD_MANY, (self.fold.fingerprint, texts(sorted(names))))
        return {name: (profile, state) for name, profile, state in found}

    def _step(self, folded: dict[int, _Folded], appended: Appended) -> None:
        """Fold the accepted events at the places of each profile into its state."""
        if not folded:
            return
        profiles = sorted(folded)
        states = np.frombuffer(bytearray().join(folded[profile].state for profile in profiles), self.fold.state)
        records = appended.records[[place for profile in profiles for place in folded[profile].places]]
        received, stop = [], 0
        for index, profile in enumerate(profiles):
            start, stop = stop, stop + len(folded[profile].places)
            self.fold.step(states, index, records[start:stop])
            received.append(int(records["received"][stop - 1]))
        self._put(profiles, received, states, appended.last_offset)

    def _put(self, profiles: list[int], received: list[int], states: NDArray[np.void], offset: int) -> None:
        put = (
            self.fold.fingerprint,
            offset,
            numbers(profiles, "int4"),
            numbers(received, "int8"),
            arrays.records(states),
        )
        self._session.later(PUT, put)

    def _replay(self, customers: Iterable[str]) -> None:
        """Replay the profiles of some customers from the log, inside a transaction."""
        names = sorted(customers)
        found = self._session.run(HISTORIES, (names,)) if names else []
        if not found:
            return
        codes = np.array([row[0] for row in found], np.int32)
        events = np.array([row[1:] for row in found], EVENT)
        profiles, starts = np.unique(codes, return_index=True)
        stops = [*starts[1:].tolist(), len(events)]
        states = self.fold.empty(len(profiles))
        for index, (start, stop) in enumerate(zip(starts.tolist(), stops, strict=True)):
            self.fold.step(states, index, events[start:stop])
        received = [int(events["received"][stop - 1]) for stop in stops]
        self._put(profiles.tolist(), received, states, self.log.offset())

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
        # Named as in the index of events about who somebody is.
        known = "kind BETWEEN 90 AND 93 AND" if 90 <= kind <= 93 else ""
        return [row[0] for row in self._session.run(CUSTOMERS_WITH.format(known=known, kind=int(kind)), (after,))]

    def heal(self, progress: Progress | None = None) -> int:
        """Replay the profiles whose state is missing or does not fit any more. How many there were."""
        with self._session.unhurried():
            found = self._session.run(STALE, (self.fold.fingerprint, FEW + 1))
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
        shards = 1 + self.log.count() // SHARD_EVENTS
        done = 0
        for shard in range(shards):
            offset = self.log.offset()
            replayed = histories(self.log.scan(shard=shard, shards=shards))
            done += self._put_replayed(replayed, final_states(self.fold, replayed), offset)
            if progress:
                progress(done, done * shards // (shard + 1))
        # Those of several ids have no shard of their own; they are few.
        rows = self._session.run(PROFILES)
        self._heal([name for (name,) in rows])
        done += len(rows)
        if progress and rows:
            progress(done, done)
        return done

    def _put_replayed(self, replayed: Histories, states: NDArray[np.void], offset: int) -> int:
        """Store the replayed states of customers without merges. How many customers there are without any."""
        received = replayed.events["received"][replayed.starts[1:] - 1]
        involved = np.array(self._session.run(INVOLVED), np.int32).ravel()
        alone = np.flatnonzero(~np.isin(replayed.customers, involved))
        for start in range(0, len(alone), BATCH):
            places = alone[start : start + BATCH]
            put = numbers(replayed.customers[places], "int4"), numbers(received[places], "int8")
            with self.transaction():
                self._session.later(PUT_REPLAYED, (self.fold.fingerprint, offset, *put, arrays.records(states[places])))
        return len(alone)

    def sweep(self, number: int = 8192) -> Iterator[StateChunk]:
        """All stored states of the running fold, by rising customer code, at most `number` at a time."""
        last = -1
        while rows := self._session.run(SWEEP, (self.fold.fingerprint, last, number)):
            customers, states = zip(*rows, strict=True)
            yield StateChunk(np.array(customers, np.int32), np.frombuffer(b"".join(states), self.fold.state))
            last = customers[-1]

    def erase(self, customer: str, now: int) -> Erased:
        """Remove the state of a customer's profile and every trace of it in the log."""
        return self.log.erase(customer, now)

    def refresh(self) -> None:
        """Forget the names kept in memory of whom another process has erased."""
        self.log.refresh()

    def check(self) -> None:
        """Return when a row could be written: a full disk shows in nothing less."""
        with self.transaction():
            self._session.later(PROBE)
            self._session.later("DELETE FROM states WHERE customer = -1")

    def close(self) -> None:
        """Close the log."""
        self.log.close()
