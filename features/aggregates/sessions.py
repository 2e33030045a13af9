"""Visits: runs of activity without a longer pause."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from features.aggregates.base import Aggregate, Row, Slots
from features.aggregates.kernels import NAN, NEVER, elapsed, second
from features.grammar import duration_text


def pause(moment: int, happened: int) -> int:
    """Seconds of silence before an event; never negative."""
    return happened - moment if happened > moment else 0


def visits_of(rows: Sequence[Row], gap: int) -> list[list[Row]]:
    """The rows of each visit, in log order; a visit is over after a pause of more than `gap` microseconds."""
    visits: list[list[Row]] = []
    latest = NEVER
    for row in rows:
        happened = second(row.at)
        if not visits or happened - latest > gap // 1_000_000:
            visits.append([])
            latest = happened
        visits[-1].append(row)
        latest = max(latest, happened)
    return visits


@dataclass(frozen=True)
class Sessions(Aggregate):
    """Visits that end with a pause longer than `gap`: how many, how deep, how long, how many of one act only.

    An event that arrives late counts to the visit that is open when it arrives.
    """

    texts: ClassVar[dict[str, str]] = {
        "number": "number of sessions",
        "depth": "acts in the latest session",
        "mean_depth": "mean acts in a session",
        "mean_minutes": "mean minutes of a session",
        "bounce_rate": "share of sessions with a single act",
        "age": "time since the open session began",
    }
    gap: int
    uses: ClassVar[tuple[Callable[..., Any], ...]] = (pause,)

    def parameters(self) -> dict[str, float | int]:
        """The pause in whole seconds."""
        return {"gap": self.gap // 1_000_000}

    def empty(self) -> Slots:
        """No visit yet."""
        return {
            "started": np.uint32(NEVER),
            "moment": np.uint32(NEVER),
            "number": np.uint32(0),
            "bounces": np.uint32(0),
            "events": np.uint32(0),
            "seconds": np.uint32(0),
            "depth": np.uint16(0),
        }

    @staticmethod
    def update(
        started: int, moment: int, number: int, bounces: int, events: int, seconds: int, depth: int, at: int, gap: int
    ) -> tuple[int, int, int, int, int, int, int]:
        happened = second(at)
        silence = pause(moment, happened)
        if number == 0 or silence > gap:
            left = 1 if depth == 1 else 0
            return happened, happened, number + 1, bounces + left, events + 1, seconds, 1
        deeper = depth + 1 if depth < 65_535 else depth
        return started, moment + silence, number, bounces, events + 1, seconds + silence, deeper

    @staticmethod
    def read_number(number: int) -> float:
        return float(number)

    @staticmethod
    def read_depth(depth: int) -> float:
        return float(depth) if depth > 0 else NAN

    @staticmethod
    def read_mean_depth(events: int, number: int) -> float:
        return events / number if number > 0 else NAN

    @staticmethod
    def read_mean_minutes(seconds: int, number: int) -> float:
        return seconds / 60.0 / number if number > 0 else NAN

    @staticmethod
    def read_bounce_rate(number: int, bounces: int, depth: int, moment: int, now: int, gap: int) -> float:
        if number == 0:
            return NAN
        left = 1 if depth == 1 and elapsed(moment, now) > gap * 1e6 else 0
        return (bounces + left) / number

    @staticmethod
    def read_age(started: int, number: int, moment: int, now: int, gap: int) -> float:
        if number == 0 or elapsed(moment, now) > gap * 1e6:
            return NAN
        return elapsed(started, now)

    def _sessions(self, history: Sequence[Row]) -> list[list[int]]:
        """The moments of each visit, in seconds, in log order."""
        return [[second(row.at) for row in visit] for visit in visits_of(self.selected(history), self.gap)]

    def _open(self, session: list[int], now: int) -> bool:
        return now // 1_000_000 - max(session) <= self.gap // 1_000_000

    def meaning_number(self, history: Sequence[Row], now: int) -> float:
        """How many visits there were."""
        return float(len(self._sessions(history)))

    def meaning_depth(self, history: Sequence[Row], now: int) -> float:
        """Acts in the latest visit (at most 65,535)."""
        sessions = self._sessions(history)
        return float(min(len(sessions[-1]), 65_535)) if sessions else NAN

    def meaning_mean_depth(self, history: Sequence[Row], now: int) -> float:
        """Mean number of acts in a visit."""
        sessions = self._sessions(history)
        return sum(map(len, sessions)) / len(sessions) if sessions else NAN

    def meaning_mean_minutes(self, history: Sequence[Row], now: int) -> float:
        """Mean minutes from the first to the last act of a visit."""
        sessions = self._sessions(history)
        return sum(max(session) - session[0] for session in sessions) / 60 / len(sessions) if sessions else NAN

    def meaning_bounce_rate(self, history: Sequence[Row], now: int) -> float:
        """Share of visits that ended after a single act."""
        sessions = self._sessions(history)
        ended = [
            len(session) == 1 for session in sessions if session is not sessions[-1] or not self._open(session, now)
        ]
        return sum(ended) / len(sessions) if sessions else NAN

    def meaning_age(self, history: Sequence[Row], now: int) -> float:
        """Microseconds since the open visit began; unknown between visits."""
        sessions = self._sessions(history)
        if not sessions or not self._open(sessions[-1], now):
            return NAN
        return max(0, now // 1_000_000 - sessions[-1][0]) * 1e6

    def __str__(self) -> str:
        return f"visits ({self.selection}) with pauses up to {duration_text(self.gap)}"
