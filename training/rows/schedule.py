"""When customers are looked at, and how those moments are parted by time.

Calendar targets are asked at cutoffs, the same for everyone, parted oldest to newest:

    purged fit . . (fit . .) stop . . | gap: one horizon | calibrate . . | gap: one horizon | test . . . | horizon | end
    `- trees are grown -------------'                     `- held back -'                  `- newest complete -'

No slice reaches into a gap, so no label in one of the three parts looks past the first cutoff of the next: what is
measured on `calibrate` was the future to the trees measured there, and what is measured on `test` was the future to
everything judged on it. `stop` is the newest part of training, on which early stopping listens. Its gap is inside
`fit`: while the trees that it is to judge are grown, the rows of `fit` whose horizon passes the first cutoff of `stop`
are left out (`purged_fit`; the purging of de Prado, 2018).

What is served is fitted once more on every row whose answer is known, those of the test and of the gaps (`between`)
included. The test judges how it is fitted, a horizon earlier.

Targets that are asked within visits have moments of their own for every customer; the parts are spans of time that
begin at midnight UTC, and the gap is the longest that a visit is followed.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.events import DAY, SECOND, VISITS, days
from features.grammar import duration_text
from features.outcomes import VISIT_GAP
from features.replay.replay import Cutoffs, Histories
from training.targets import InVisit, Target


class NotEnoughHistory(ValueError):
    """The log is too short, or too one-sided, to train and to test a target."""


@dataclass(frozen=True)
class Schedule:
    """When customers are looked at: every `every` microseconds, counted back from the newest complete cutoff.

    `test`, `calibrate` and `stop` are numbers of cutoffs; all older ones, at most `fit` (more where the horizon is
    longer than those), grow trees, but none in the first `warm_up` of the log, when every customer looks new. `every`
    is no whole number of weeks, so that the cutoffs fall on every day of the week. Of a log of visits, a fifth of the
    days tests, an eighth each calibrates and stops; no more than `fit` times `every` before them grow trees.
    """

    every: int = days(6)
    test: int = 3
    calibrate: int = 3
    stop: int = 3
    fit: int = 40
    warm_up: int = days(42)


@dataclass(frozen=True)
class Split:
    """The moments of each slice, oldest first, int64 microseconds; no two slices overlap.

    They are the cutoffs of a calendar target, and for a target asked within visits the first and the last moment that a
    row may have. `between` are the cutoffs in the gaps: only what is served learns from them.
    """

    fit: NDArray[np.int64]
    stop: NDArray[np.int64]
    calibrate: NDArray[np.int64]
    test: NDArray[np.int64]
    between: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

    @property
    def cutoffs(self) -> NDArray[np.int64]:
        """All of them, oldest first."""
        return np.sort(np.concatenate([self.fit, self.stop, self.calibrate, self.test, self.between]))


def split(target: Target, start: int, end: int, schedule: Schedule | None = None) -> Split:
    """The moments of `target` in a log that spans `start` to `end`. Raises `NotEnoughHistory`."""
    plan = schedule or Schedule()
    if isinstance(target.moments, InVisit):
        return _split_visits(target, start, end, plan)
    plan = _of_every_weekday(plan, target.horizon)
    test = _back_from(end - target.horizon, plan.test, plan.every)
    calibrate = _back_from(int(test[0]) - target.horizon, plan.calibrate, plan.every)
    gap = -(-target.horizon // plan.every)
    # However long the horizon is, some cutoffs are one before those of `stop`.
    train = _back_from(int(calibrate[0]) - target.horizon, plan.stop + max(plan.fit, gap + plan.stop), plan.every)
    train = train[train >= start + plan.warm_up]
    fit, stop = train[: -plan.stop], train[-plan.stop :]
    if not purged(fit, stop, target.horizon).any():
        least = plan.warm_up + 3 * target.horizon + (plan.test + plan.calibrate + plan.stop - 3 + gap) * plan.every
        raise _too_short(target, start, end, least)
    between = [
        _inside(int(before[-1]), int(after[0]), plan.every) for before, after in pairwise([stop, calibrate, test])
    ]
    return Split(fit, stop, calibrate, test, np.concatenate(between))


def _inside(before: int, after: int, every: int) -> NDArray[np.int64]:
    """The moments every so often before `after` that are later than `before`."""
    return _back_from(after - every, (after - before - 1) // every, every)


def _of_every_weekday(plan: Schedule, horizon: int) -> Schedule:
    """The plan with at least seven cutoffs in each slice held back, where the answer depends on the day of the week."""
    if horizon >= 7 * DAY:
        return plan
    return replace(plan, test=max(plan.test, 7), calibrate=max(plan.calibrate, 7), stop=max(plan.stop, 7))


def _split_visits(target: Target, start: int, end: int, plan: Schedule) -> Split:
    gap, last = target.horizon, end - target.horizon
    number = (last - start) // DAY
    tenure = max(1, number // 5), max(1, number // 8), max(1, number // 8)
    spans = []
    for length in tenure:  # test, calibrate, stop
        first = (last - length * DAY) // DAY * DAY
        spans.append(np.array([first, last]))
        last = first - gap
    test, calibrate, stop = spans
    fit = np.array([max(start, int(stop[0]) - plan.fit * plan.every), int(stop[0]) - 1])
    if stop[0] - gap < start + DAY:
        raise _too_short(target, start, end, 7 * DAY + 4 * gap)
    return Split(fit, stop, calibrate, test)


def _too_short(target: Target, start: int, end: int, least: int) -> NotEnoughHistory:
    return NotEnoughHistory(
        f"The log spans {(end - start) / DAY:.0f} days; training {target.name} takes at least "
        f"{duration_text(least)}: a horizon of {duration_text(target.horizon)} before each of early stopping, "
        "calibration, test and the end. Import more history with `waypost import`, or train a target with a "
        "shorter horizon."
    )


def purged(fit: NDArray[np.int64], stop: NDArray[np.int64], horizon: int) -> NDArray[np.bool_]:
    """Which of the cutoffs `fit` have labels that look no further than the first cutoff of `stop`."""
    ahead: NDArray[np.bool_] = fit <= stop.min(initial=np.iinfo(np.int64).max) - horizon
    return ahead


def ripe(target: Target, start: int, end: int, schedule: Schedule | None = None) -> NDArray[np.int64]:
    """The moments of a log too short to be parted: all whose answers are known, as a slice of `Split` has them."""
    plan, newest = schedule or Schedule(), end - target.horizon
    if newest <= start:
        return np.empty(0, np.int64)
    if isinstance(target.moments, InVisit):
        return np.array([start, newest])
    cutoffs = _back_from(newest, plan.test + plan.calibrate + plan.stop + plan.fit, plan.every)
    return cutoffs[cutoffs > start]


def _back_from(newest: int, number: int, every: int) -> NDArray[np.int64]:
    return newest - every * np.arange(number - 1, -1, -1, dtype=np.int64)


def visit_moments(asked: InVisit, histories: Histories, first: int, last: int) -> Cutoffs:
    """The moments of `asked` from `first` to `last`: when a visit of a customer has had one of so many acts.

    Visits are those of the feature `session_depth`: in log order, an act that arrives late belongs to the visit that is
    open when it arrives.
    """
    listens = np.zeros(256, np.bool_)
    listens[[int(kind) for kind in VISITS.kinds]] = True
    places = np.zeros(max(asked.places) + 1, np.bool_)
    places[list(asked.places)] = True
    starts = np.zeros(len(histories.customers) + 1, np.int64)
    arguments = (histories.events, histories.starts, listens, places, VISIT_GAP // SECOND, first, last, starts)
    _visits(*arguments, np.empty(0, np.int64))
    np.cumsum(starts, out=starts)
    at = np.empty(starts[-1], np.int64)
    _visits(*arguments, at)
    return Cutoffs(at, starts)


@njit(cache=True, nogil=True)
def _visits(events, starts, listens, places, gap, first, last, found, at):  # type: ignore[no-untyped-def]
    """Count the moments of customer c into found[c + 1], or, given room for them in `at`, write them there."""
    for c in range(len(starts) - 1):
        depth, moment, j = 0, 0, starts[c]
        row = found[c]
        number = 0
        while j < starts[c + 1]:
            received = events[j]["received"]
            acted = False
            while j < starts[c + 1] and events[j]["received"] == received:
                if listens[events[j]["kind"]]:
                    happened = events[j]["at"] // 1_000_000
                    depth = 1 if depth == 0 or happened - moment > gap else depth + 1
                    moment = happened if depth == 1 else max(moment, happened)
                    acted = True
                j += 1
            if acted and depth < len(places) and places[depth] and first <= received <= last:
                if len(at):
                    at[row + number] = received
                number += 1
        if not len(at):
            found[c + 1] = number
