"""Logs whose events leave the database for the history at once: what holds for a log must hold for these."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from features.events import Event
from features.log.contract import Appended
from features.log.postgres import PostgresLog
from features.log.sqlite import SqliteLog
from tests.features.log.samples import START, event

if TYPE_CHECKING:
    from features.log.history.keeping import Keeping

LATE = 2 * START
"""Later than every event of a test."""


def seal(keeping: Keeping, appends: int) -> None:
    """Seal all but what stays, three events first; every few appends, write small segments as one."""
    keeping.seal(LATE, most=3)
    keeping.seal(LATE, most=100)
    if appends % 3 == 0:
        keeping.compact()


class SealingLog(SqliteLog):
    """A SQLite log that seals what it has after every append outside of a transaction."""

    def __init__(self, path: str | Path, *, create: bool = True, busy_seconds: float = 30.0) -> None:
        super().__init__(path, create=create, busy_seconds=busy_seconds)
        self._appends = 0

    def append(self, events: Sequence[Event], *, history: bool = False) -> Appended:
        """Append, then seal."""
        appended = super().append(events, history=history)
        if not self.connection.in_transaction and len(appended.records):
            self._appends += 1
            seal(self.keeping, self._appends)
        return appended


class SealingPostgresLog(PostgresLog):
    """A PostgreSQL log that seals what it has after every append outside of a transaction."""

    def __init__(self, url: str, *, create: bool = True, busy_seconds: float = 30.0) -> None:
        super().__init__(url, create=create, busy_seconds=busy_seconds)
        self._appends = 0

    def append(self, events: Sequence[Event], *, history: bool = False) -> Appended:
        """Append, then seal."""
        appended = super().append(events, history=history)
        if not self.session.depth and len(appended.records):
            self._appends += 1
            seal(self.keeping, self._appends)
        return appended


def check_what_is_due(log: SqliteLog | PostgresLog) -> None:
    """Events are due when enough of the oldest that were never sealed are old."""
    log.append([event(number) for number in range(10)], history=True)
    half = event(5).received
    assert [log.has_unsealed(half, least) for least in (1, 5, 6)] == [True, True, False]
    assert (log.keeping.seal(half, least=6), log.keeping.seal(half, least=5)) == (0, 5)
    assert [log.has_unsealed(half, 1), log.has_unsealed(LATE, 5), log.has_unsealed(LATE, 6)] == [False, True, False]
