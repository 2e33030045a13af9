"""A SQLite log whose events leave the database for its history at once: what holds for a log must hold for this one."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from features.events import Event
from features.log.contract import Appended
from features.log.sqlite import SqliteLog
from tests.features.log.samples import START

LATE = 2 * START
"""Later than every event of a test."""


class SealingLog(SqliteLog):
    """A log that seals what it has after every append outside of a transaction, three events at a time."""

    def __init__(self, path: str | Path, *, create: bool = True, busy_seconds: float = 30.0) -> None:
        super().__init__(path, create=create, busy_seconds=busy_seconds)
        self._appends = 0

    def append(self, events: Sequence[Event], *, history: bool = False) -> Appended:
        """Append, then seal all but what stays; every few appends, write small segments as one."""
        appended = super().append(events, history=history)
        if not self.connection.in_transaction and len(appended.records):
            self._appends += 1
            self.keeping.seal(LATE, most=3)
            self.keeping.seal(LATE, most=100)
            if self._appends % 3 == 0:
                self.keeping.compact()
        return appended
