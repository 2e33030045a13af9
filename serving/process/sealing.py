"""Sealing while the server answers: events that are old enough leave the database for the history beside it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import suppress

from features.log.contract import LogBusy, Sealable
from serving import metrics

LEAST = 5_000
"""Fewer events are not worth a segment: they wait for others."""

IDLE_SECONDS = 10.0
"""Time between two looks for events that are old enough."""

PAUSE_SECONDS = 0.5
"""Time between two sealings, in which others write: each holds the database for some tenths of a second."""


class Sealing:
    """Seals events older than `age` microseconds, none when it is 0. `clock` gives the time in microseconds UTC."""

    def __init__(self, age: int, clock: Callable[[], int]) -> None:
        self._age = age
        self._clock = clock
        self._due = 0.0

    def round(self, history: Callable[[], Sealable]) -> bool:
        """Seal some events if it is time. Returns whether there may be more. Raises a `LogError`.

        `history` is asked for only when it is time. When an import or an erasure changes it, sealing waits its turn.
        """
        if not self._age or time.monotonic() < self._due:
            return False
        moved = 0
        with suppress(LogBusy):
            keeping = history()
            moved = keeping.seal(self._clock() - self._age, least=LEAST)
            metrics.SEALED.inc(moved)
            if moved:
                keeping.compact()
        self._due = time.monotonic() + (PAUSE_SECONDS if moved else IDLE_SECONDS)
        return moved > 0
