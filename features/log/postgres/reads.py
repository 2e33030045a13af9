"""What can be read of a PostgreSQL log, of its database and of its history."""

from __future__ import annotations

from abc import abstractmethod
from contextlib import AbstractContextManager, suppress
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from features.events import Event
from features.log import rows
from features.log.contract import DeadLetter, HistoryUnreachable, Records, Training
from features.log.postgres import dead_letters as dead_letter_rows
from features.log.postgres import reading
from features.log.postgres.folder import history_store
from features.log.postgres.members import PostgresMembers
from features.log.postgres.reader import reader
from features.log.postgres.session import NOTHING_YET, Head, Session
from features.log.postgres.vocabulary import PostgresVocabulary
from features.log.scans import Reader, Scans

if TYPE_CHECKING:
    from features.log.history.history import History
    from features.log.postgres.keeping import PostgresKeeping

_COUNT = "SELECT (SELECT count(*) FROM events) + (SELECT coalesce(sum(events), 0) FROM segments)::int8"

_CHANGED = """
WITH asked AS (SELECT %b::int8 AS after)
SELECT customer FROM events WHERE "offset" > (SELECT after FROM asked)
UNION SELECT member FROM merges WHERE "offset" > (SELECT after FROM asked)
UNION SELECT profile FROM merges WHERE "offset" > (SELECT after FROM asked)
"""

_SPAN = """
SELECT least(live.first, sealed.first), greatest(live.last, sealed.last)
FROM (SELECT min(received), max(received) FROM events) AS live (first, last),
    (SELECT min(first_received), max(last_received) FROM segments WHERE events > 0) AS sealed (first, last)
"""


class PostgresReads(Scans):
    """An open PostgreSQL log, as far as it is read. `features.log.contract.EventLog` says what the methods promise."""

    def __init__(self, url: str, *, create: bool = True, busy_seconds: float = 30.0) -> None:
        """Open the log at `url`; without `create` it must exist. A writer waits `busy_seconds` for another one.

        Raises LogError when the log has a history whose files are not here, or no driver knows where they are.
        """
        self.session = Session(url, create=create, busy_seconds=busy_seconds)
        self.place = self.session.place
        self.customers = PostgresVocabulary(self.session, "customers")
        self.items = PostgresVocabulary(self.session, "items")
        self.categories = PostgresVocabulary(self.session, "categories")
        self._vocabularies = self.customers, self.items, self.categories
        self._members = PostgresMembers(self.session, self.customers)
        self._head = NOTHING_YET
        try:
            history_store(*self.session.identity)
            if self.segments() is not None:
                with suppress(HistoryUnreachable):  # what is here can be read
                    self.keeping.look(0.0)
        except BaseException:
            self.close()
            raise

    @abstractmethod
    def transaction(self) -> AbstractContextManager[Session]:
        """All or nothing."""

    @abstractmethod
    def _changing_history(self) -> AbstractContextManager[Session]:
        """A transaction that moves the head by statements of its own."""

    def reader(self) -> AbstractContextManager[Reader]:
        """A reader of its own; while it reads, the server keeps old rows."""
        return reader(self.session)

    def merges(self) -> NDArray[np.void]:
        """Every merge and its undoing that is still in the log, in log order."""
        return self._members.merges()

    def profile(self, customer: str) -> list[str]:
        """All ids of the profile that a customer belongs to now, the profile's own first; none of an unknown one."""
        return [name for _, name in self._members.profile(customer)]

    def find(self, message_id: str) -> Event | None:
        """The event of a message id, by the unique index of the message ids; None when the log has none."""
        live = reading.find(self.session, message_id)
        # In this order: an event that is sealed between the two questions is found by the first.
        if live is not None or not self._now().segments:
            return live
        return self.keeping.find(message_id)

    def history(self, customer: str) -> Records:
        """All events of a customer's profile, in log order; empty when there is none."""
        whole = None if self._had_history() else reading.history(self.session, customer)
        return self.keeping.history(customer) if whole is None else whole

    def events(self, customer: str, limit: int) -> list[Event]:
        """The newest `limit` events of a customer's profile with names and properties, newest first."""
        newest = None if self._had_history() else reading.newest(self.session, customer, limit)
        return self.keeping.newest(customer, limit) if newest is None else newest

    def count(self) -> int:
        """How many events the log holds."""
        with self.session.unhurried():
            return int(self.session.run(_COUNT)[0][0])

    def has_unsealed(self, before: int, least: int) -> bool:
        """Whether the oldest `least` events that were never sealed were `received` before `before`."""
        return reading.has_unsealed(self.session, before, least)

    def span(self) -> tuple[int, int] | None:
        """The first and the last `received` in the log; None when it is empty."""
        ((first, last),) = self.session.run(_SPAN)
        return None if first is None else (first, last)

    def changed(self, after: int) -> NDArray[np.int32]:
        """The codes of the customers with something written at an offset above `after`, rising."""
        live = np.array(self.session.run(_CHANGED, (after,)), np.int32).ravel()
        segments = self.segments()
        return np.unique(live) if segments is None else np.union1d(live, segments.customers(after))

    def identity(self) -> str:
        """A text that differs between logs."""
        return rows.digest(bytes(self.session.run("SELECT salt FROM log")[0][0]))

    def erasures(self) -> int:
        """How many ids were ever erased."""
        return self.session.head().erasures

    def offset(self) -> int:
        """The newest offset ever given out; 0 when nothing was ever appended."""
        return self._now().offset

    def about_people(self) -> int:
        """The newest offset ever given to an event about identity or consent; 0 when there was none."""
        return self._now().people

    def dead_letters(self, limit: int, *, after: int = 0, source: str | None = None) -> list[DeadLetter]:
        """The oldest `limit` dead letters numbered above `after`, oldest first; of one source when it is named."""
        return dead_letter_rows.kept(self.session, limit, after, source)

    def trainings(self) -> list[Training]:
        """Every model trained on this log, oldest first."""
        return [Training(*row) for row in self.session.run("SELECT version, until, at FROM trainings ORDER BY 3, 1")]

    def digest(self) -> str:
        """A short hexadecimal digest of how much the log holds: equal for logs built by the same appends."""
        head = self.session.head()
        return rows.digest(self.count(), self.span(), head.offset, head.received, head.erasures)

    def segments(self) -> History | None:
        """The history as it is now; None when no event ever left the database for one."""
        return self.keeping.view() if self._now().segments else None

    @cached_property
    def keeping(self) -> PostgresKeeping:
        """The history of this log."""
        from features.log.postgres.keeping import PostgresKeeping  # Polars, which a log without history does not need

        return PostgresKeeping(self.session, self._changing_history, self._vocabularies, self._members)

    def close(self) -> None:
        """Close the connection; closing twice is harmless."""
        self.session.close()

    def _now(self) -> Head:
        """The head of the log. No other process changes it while a transaction holds the log."""
        return self._head if self.session.depth else self.session.head()

    def _had_history(self) -> bool:
        """Whether this log is known to have a history, which it then has for ever; not so when it merely may have."""
        return "keeping" in vars(self)
