"""The schedule of the scoreboard: changed customers are refreshed at once, all are swept now and then."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import NamedTuple

from serving.engine.engine import Engine
from serving.engine.leader import LeaderLock
from serving.engine.scoreboard.board import Scoreboard
from serving.engine.scoreboard.files import BLANK, Generation
from serving.engine.scoreboard.refresh import refresh
from serving.engine.scoreboard.sweep import sweep

LOCK = "LOCK"

LARGEST_SHARE = 0.1
"""Share of one core that sweeping may take: after a sweep of 10 s, the next begins no sooner than 90 s later."""

REFRESH_SECONDS = 0.5
"""Longest pause between two checks for changed customers."""

OLDEST_SECONDS = 3600.0
"""A scoreboard is swept again after this time even without new events, because recency changes with time."""


class Round(NamedTuple):
    """The result of one check of the scoreboard."""

    rest: float
    """Seconds until the next check."""
    swept: float | None
    """Seconds that a sweep took; None when there was none."""


class Sweeper:
    """Keeps the scoreboard fresh. Of all processes on one scoreboard, the one that holds the lock does it.

    Sweeps are at least `period` seconds apart.
    """

    def __init__(self, scoreboard: Scoreboard, period: float) -> None:
        self.scoreboard = scoreboard
        self.period = period
        self._leader = LeaderLock(scoreboard.directory / LOCK)
        self._next = 0.0

    def refresh(self, engine: Engine, clock: Callable[[], int]) -> Round:
        """Sweep all customers if that is due, else refresh those who changed."""
        if not self._leader.held():
            return Round(REFRESH_SECONDS, None)
        begun = time.monotonic()
        current = self.scoreboard.current()
        if current is None or (begun >= self._next and self._due(current, engine, clock())):
            sweep(engine, self.scoreboard, clock())
            took = time.monotonic() - begun
            self._next = begun + took + _rest(took, self.period)
            return Round(min(self._next - time.monotonic(), REFRESH_SECONDS), took)
        refresh(engine, self.scoreboard, clock())
        return Round(_rest(time.monotonic() - begun, min(self.period, REFRESH_SECONDS)), None)

    def release(self) -> None:
        """Let another process keep it fresh."""
        self._leader.release()

    def _due(self, current: Generation, engine: Engine, now: int) -> bool:
        champion = engine.champions.current
        return (
            current.revision > 0
            or current.offset != engine.states.log.offset()
            or current.report["model_version"] != (champion.bundle.version if champion else None)
            or abs(now - current.as_of) / 1e6 > OLDEST_SECONDS
            or bool((current.customers == BLANK).any())
        )


def _rest(took: float, least: float) -> float:
    """Seconds to rest after work that took so long."""
    return max(least, took * (1 / LARGEST_SHARE - 1))
