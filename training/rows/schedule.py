"""The cutoffs at which training asks about customers, and their split by time.

Calendar targets have the same cutoffs for all customers, split from the oldest to the newest:

    purged fit . . (fit . .) stop . . | gap: one horizon | calibrate . . | gap: one horizon | test . . . | horizon | end
    `- trees are grown -------------'                     `- held back -'                  `- newest complete -'

No slice reaches into a gap, so no label in one of the three parts looks past the first cutoff of the next: `calibrate`
is in the future of the trees measured on it, and `test` is in the future of everything judged on it. `stop` is the
newest part of training, for early stopping. Its gap is inside `fit`: while the trees that it judges are grown, the rows
of `fit` whose horizon passes the first cutoff of `stop` are left out (`purged_fit`; the purging of de Prado, 2018).

The model served is fitted once more on every row whose answer is known, including those of the test and of the gaps
(`between`). The test judges the same procedure a horizon earlier.

Targets within visits have different times for every customer; their slices are spans of time that begin at midnight
UTC, and the gap is the longest time that a visit is followed.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from itertools import pairwise

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.events import DAY, SECOND, VISITS, days
from features.grammar import duration_text
from features.histories import Histories
from features.outcomes import VISIT_GAP
from features.replay.replay import Cutoffs
from training.targets import InVisit, Target


class NotEnoughHistory(ValueError):
    """The log is too short to train and to test a target, or a slice of it has only yes or only no."""


@dataclass(frozen=True)
class Schedule:
    """The cutoffs: one every `every` microseconds, counted back from the newest whose answer is known.

    `test`, `calibrate` and `stop` are numbers of cutoffs. The older ones, at most `fit` (more where the horizon is
    longer than those), are for growing trees, except those in the first `warm_up` of the log, when every customer looks
    new. `every` is no whole number of weeks, so that the cutoffs fall on every day of the week. Of a log of visits, a
    fifth of the days are for the test, an eighth each for calibration and early stopping, and at most `fit` times
    `every` before them for growing trees.
    """

    every: int = days(6)
    test: int = 3
    calibrate: int = 3
    stop: int = 3
    fit: int = 40
    warm_up: int = days(42)


@dataclass(frozen=True)
class Split:
    """The times of each slice, oldest first, int64 microseconds; no two slices overlap.

    They are the cutoffs of a calendar target, and for a target within visits the first and the last time that a row may
    have. `between` are the cutoffs in the gaps: only the model served is fitted on them.
    """

    fit: NDArray[np.int64]
    stop: NDArray[np.int64]
    calibrate: NDArray[np.int64]
    test: NDArray[np.int64]
    between: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))

    @property
    def cutoffs(self) -> NDArray[np.int64]:
        """The times of all slices and gaps, oldest first."""
        return np.sort(np.concatenate([self.fit, self.stop, self.calibrate, self.test, self.between]))


def split(target: Target, start: int, end: int, schedule: Schedule | None = None) -> Split:
    """The split of `target` in a log that spans `start` to `end`. Raises `NotEnoughHistory`."""
    plan = schedule or Schedule()
    if isinstance(target.timing, InVisit):
        return _split_visits(target, start, end, plan)
    plan = _of_every_weekday(plan, target.horizon)
    test = _back_from(end - target.horizon, plan.test, plan.every)
    calibrate = _back_from(int(test[0]) - target.horizon, plan.calibrate, plan.every)
    gap = -(-target.horizon // plan.every)
    # However long the horizon is, some cutoffs are at least one horizon before those of `stop`.
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
    """The times between `before` and `after` that are multiples of `every` before `after`."""
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
    """The times of a log too short for a split: all whose answers are known, in the form of a slice of `Split`."""
    plan, newest = schedule or Schedule(), end - target.horizon
    if newest <= start:
        return np.empty(0, np.int64)
    if isinstance(target.timing, InVisit):
        return np.array([start, newest])
    cutoffs = _back_from(newest, plan.test + plan.calibrate + plan.stop + plan.fit, plan.every)
    return cutoffs[cutoffs > start]


def _back_from(newest: int, number: int, every: int) -> NDArray[np.int64]:
    return newest - every * np.arange(number - 1, -1, -1, dtype=np.int64)


def visit_times(asked: InVisit, histories: Histories, first: int, last: int) -> Cutoffs:
    """The times from `first` to `last` at which a customer's visit has had one of the numbers of acts of `asked`.

    Visits are those of the feature `session_depth`, in the order of the log: an act that arrives late belongs to the
    visit that is open when it arrives.
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
def _visits(events, starts, listens, places, gap, first, last, counts, at):  # type: ignore[no-untyped-def]
    """Count the times of customer c in counts[c + 1], or, where `at` has room for them, write them there."""
    for c in range(len(starts) - 1):
        depth, moment, j = 0, 0, starts[c]
        row = counts[c]
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
            counts[c + 1] = number
