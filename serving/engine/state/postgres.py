"""The states beside the PostgreSQL log, in one table of the same schema: an event and its state commit together."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager

import numpy as np
from numpy.typing import NDArray

from features.events import EVENT, Kind
from features.fold.fold import Fold
from features.log.contract import MOST_JOINED
from features.log.postgres import PostgresLog, arrays
from features.log.postgres.arrays import numbers, texts
from serving.engine.state.contract import StateChunk
from serving.engine.state.folding import FoldedStates
from serving.engine.state.postgres_statements import (
    CHANGED,
    CROWDED,
    CURRENCIES,
    CUSTOMERS_WITH,
    FITTING,
    HIGHEST,
    HISTORIES,
    INVOLVED,
    LOAD,
    LOAD_MANY,
    NEWEST,
    PROBE,
    PROFILES,
    PROFILES_BY_CODE,
    PUT,
    PUT_REPLAYED,
    SCHEMA,
    STALE,
    SWEEP,
)


class PostgresStateStore(FoldedStates[PostgresLog]):
    """A `StateStore` in the schema of a `PostgresLog`."""

    instant = False
    """A state is a round trip to a server away."""

    def __init__(self, log: PostgresLog, fold: Fold) -> None:
        """The states of an open log, which is closed when they cannot be made."""
        super().__init__(log, fold)
        self._session = self.log.session
        self.identity: object = self._session.identity
        query = "SELECT 1 FROM pg_trigger WHERE tgname = %b::text AND tgrelid = 'imported'::regclass"
        try:
            if not self._session.run(query, (NEWEST,)):
                with self.log.transaction() as session:
                    session.run_script(SCHEMA)
        except BaseException:
            self.log.close()
            raise

    def transaction(self) -> AbstractContextManager[object]:
        """All or nothing; may be nested."""
        return self.log.transaction()

    def _row(self, customer: str) -> tuple[int, bytes | None] | None:
        rows = self._session.run(LOAD, (self.fold.fingerprint, customer))
        return rows[0] if rows else None

    def _rows(self, names: Sequence[str]) -> dict[str, tuple[int, bytes | None]]:
        rows = self._session.run(LOAD_MANY, (self.fold.fingerprint, texts(sorted(names))))
        return {name: (profile, state) for name, profile, state in rows}

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
        names = sorted(customers)
        if names and self.log.segments() is not None:
            super()._replay(names)
            return
        rows = self._session.run(HISTORIES, (names,)) if names else []
        if not rows:
            return
        codes = np.array([row[0] for row in rows], np.int32)
        events = np.array([row[1:] for row in rows], EVENT)
        profiles, starts = np.unique(codes, return_index=True)
        stops = [*starts[1:].tolist(), len(events)]
        states = self.fold.empty(len(profiles))
        for index, (start, stop) in enumerate(zip(starts.tolist(), stops, strict=True)):
            self.fold.step(states, index, events[start:stop])
        received = [int(events["received"][stop - 1]) for stop in stops]
        self._put(profiles.tolist(), received, states, self.log.offset())

    def _put_replayed(
        self, customers: NDArray[np.int32], received: NDArray[np.int64], states: NDArray[np.void], offset: int
    ) -> None:
        put = numbers(customers, "int4"), numbers(received, "int8"), arrays.records(states)
        self._session.later(PUT_REPLAYED, (self.fold.fingerprint, offset, *put))

    def _stale(self, most: int) -> list[str]:
        with self._session.unhurried():
            return [name for (name,) in self._session.run(STALE, (self.fold.fingerprint, most))]

    def _merged(self) -> list[str]:
        return [name for (name,) in self._session.run(PROFILES)]

    def _involved(self) -> NDArray[np.int32]:
        return np.array(self._session.run(INVOLVED), np.int32).ravel()

    def customers_with(self, kind: Kind, after: int) -> list[str]:
        """The customers with an event of `kind` whose offset is above `after`, each once: for rare kinds."""
        # Named as in the index of events about identity or consent.
        known = "kind BETWEEN 90 AND 93 AND" if 90 <= kind <= 93 else ""
        return [row[0] for row in self._session.run(CUSTOMERS_WITH.format(known=known, kind=int(kind)), (after,))]

    def crowded(self, most: int) -> list[tuple[str, int]]:
        """The full profiles of which more than `most` ids were declared, and how many; they take no further id."""
        return list(self._session.run(CROWDED, (MOST_JOINED, most)))

    def _fitting(self) -> NDArray[np.int32]:
        return np.array(self._session.run(FITTING, (self.fold.fingerprint,)), np.int32).ravel()

    def _currencies(self) -> list[str]:
        return [code for (code,) in self._session.run(CURRENCIES)]

    def about_people(self) -> int:
        """An offset that rises with every event about identity or consent, and that none of them exceeds."""
        return self.log.about_people()

    def _profiles(self, codes: NDArray[np.int32]) -> Iterator[tuple[int, str, bytes | None]]:
        yield from self._session.run(PROFILES_BY_CODE, (self.fold.fingerprint, numbers(codes, "int4")))

    def highest(self) -> int:
        """The highest code of a customer who has a state; -1 when nobody has one."""
        return int(self._session.run(HIGHEST)[0][0])

    def _changed(self, after: int, most: int) -> NDArray[np.int32]:
        return np.array(self._session.run(CHANGED, (after, most)), np.int32).ravel()

    def sweep(self, number: int = 8192) -> Iterator[StateChunk]:
        """All stored states of the running fold, by rising customer code, at most `number` at a time."""
        last = -1
        while rows := self._session.run(SWEEP, (self.fold.fingerprint, last, number)):
            customers, states = zip(*rows, strict=True)
            yield StateChunk(np.array(customers, np.int32), np.frombuffer(b"".join(states), self.fold.state))
            last = customers[-1]

    def check(self) -> None:
        """Check that a row can be written: nothing less shows that the disk is full."""
        with self.transaction():
            self._session.later(PROBE)
            self._session.later("DELETE FROM states WHERE customer = -1")
