"""Sealing while the server answers: events that are old enough leave the database for the history beside it.

Where the history lies in an object store, the copies on this machine follow it at each look.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

from features.log.contract import DatabaseLog, HistoryUnreachable, LogBusy
from serving import metrics

LEAST = 5_000
"""Fewer events are not worth a segment: they wait for others."""

IDLE_SECONDS = 10.0
"""Time between two looks for events that are old enough."""

PAUSE_SECONDS = 0.5
"""Time between two sealings, in which others write: each holds the database for some tenths of a second."""


logger = logging.getLogger("waypost")


class Sealing:
    """Seals events older than `age` microseconds, none when it is 0. `clock` gives the time in microseconds UTC.

    With `copies` the history has copies on this machine.
    """

    def __init__(self, age: int, clock: Callable[[], int], *, copies: bool = False) -> None:
        self._age = age
        self._clock = clock
        self._copies = copies
        self._due = 0.0
        self._logged = ""

    def round(self, log: Callable[[], DatabaseLog]) -> bool:
        """Look after copies and seal some events if it is time. Returns whether there may be more. Raises a `LogError`.

        `log` is asked for only when it is time. When an import or an erasure changes it, sealing waits its turn;
        when the object store fails, it tries again at the next look.
        """
        if not (self._age or self._copies) or time.monotonic() < self._due:
            return False
        moved, failure = 0, ""
        try:
            moved = self._look(log())
        except HistoryUnreachable as error:
            failure = str(error)
        except LogBusy:
            failure = self._logged
        self._log(failure)
        self._due = time.monotonic() + (PAUSE_SECONDS if moved else IDLE_SECONDS)
        return moved > 0

    def _look(self, log: DatabaseLog) -> int:
        """How many events were sealed."""
        if self._copies:
            log.keeping.look()
        before = self._clock() - self._age
        # Where there is a history already, sealing finishes what a process that was killed left of it.
        if not self._age or not (log.has_unsealed(before, LEAST) or log.segments() is not None):
            return 0
        keeping = log.keeping
        moved = keeping.seal(before, least=LEAST)
        metrics.SEALED.inc(moved)
        if moved:
            keeping.compact()
        return moved

    def _log(self, failure: str) -> None:
        """Log that the object store fails when it failed otherwise before, and that it works again."""
        if failure != self._logged:
            logger.warning("%s", failure or "the object store of the history works again")
            self._logged = failure
