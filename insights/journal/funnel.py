"""The lens of a funnel: how far each customer came."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.events import Channel, Kind
from insights.journal.columns import Journal
from insights.journal.question import Funnel, Step

NEVER = -1
"""The start of an attempt that there is none of."""


@dataclass(frozen=True, eq=False)
class Reached:
    """How far each customer of a journal came: `steps` uint8, from 0 (no attempt) to the number of steps.

    `seconds` float32[customers, steps] are the seconds from the first step to each step of the attempt, NaN for those
    that were not reached.
    """

    question: Funnel
    steps: NDArray[np.uint8]
    seconds: NDArray[np.float32]

    @property
    def counts(self) -> list[int]:
        """How many customers reached each step."""
        by_step = np.bincount(self.steps, minlength=len(self.question.steps) + 1)
        return list(map(int, np.cumsum(by_step[::-1])[::-1][1:]))

    def members(self, step: int, *, left: bool = False) -> NDArray[np.bool_]:
        """The customers who reached a step, from 1 on; with `left`, only those who went no further."""
        return self.steps == step if left else self.steps >= step

    def times(self, step: int) -> NDArray[np.float32]:
        """Seconds from the first step to this one, of the customers who reached it."""
        return np.asarray(self.seconds[self.steps >= step, step - 1])


def funnel(journal: Journal, question: Funnel, *, threads: int | None = None) -> Reached:
    """How far each customer came."""
    tables = (*_tables(question.steps), np.array([step.least or 0.0 for step in question.steps], np.float32))
    reached = np.zeros(len(journal.customers), np.uint8)
    seconds = np.full((len(reached), len(question.steps)), np.nan, np.float32)
    start, end = question.period.seconds
    columns = (journal.starts, journal.at, journal.kind, journal.channel, journal.amount)

    def run(first: int, last: int) -> None:
        _funnel(first, last, *columns, *tables, question.within, start, end, question.best, reached, seconds)

    journal.over_customers(run, threads)
    return Reached(question, reached, seconds)


def _tables(steps: Sequence[Step]) -> tuple[NDArray[np.uint16], NDArray[np.uint16], NDArray[np.uint16], int]:
    """By step bits: what each kind may be, what each channel may be, what each kind ends; and those with an amount."""
    kinds, channels, ends = (np.zeros(256, np.uint16) for _ in range(3))
    priced = 0
    for place, step in enumerate(steps):
        bit = np.uint16(1 << place)
        kinds[list(step.kinds)] |= bit
        ends[list(step.without)] |= bit
        channels[list(step.channels) or slice(None)] |= bit
        priced |= int(bit) if step.least is not None else 0
    return kinds, channels, ends, priced


@njit(cache=True, nogil=True)
def _funnel(  # type: ignore[no-untyped-def]
    first, last, starts, at, kind, channel, amount, kinds, channels, ends, priced, least, within, start, end, best,
    reached, seconds,
):  # fmt: skip
    """One pass over the events of customers first..last-1.

    An attempt that waits for a step is known by when it began: of several, the one that began last has the longest
    left, so it alone is kept. `since[k]` is that beginning for attempts that wait for step k, times[k] their steps.
    """
    number = len(least)
    since = np.empty(number + 1, np.int64)
    times = np.empty((number + 1, number), np.int64)
    for c in range(first, last):
        since[:] = NEVER
        most = 0
        for i in range(starts[c], starts[c + 1]):
            matched, ended = kinds[kind[i]] & channels[channel[i]], ends[kind[i]]
            if not (matched | ended):
                continue
            if priced:
                for step in range(number):
                    if priced & 1 << step and not amount[i] >= least[step]:
                        matched &= ~np.uint16(1 << step)
            now = np.int64(at[i])
            further = _advance(since, times, now, matched, ended, within, best)
            if matched & 1 and start <= now < end and (best or most == 0):
                since[1] = times[1, 0] = now
                further = max(further, 1)
            if further > most:
                most = further
                for step in range(most):
                    seconds[c, step] = times[most, step] - times[most, 0]
            if most == number or (most > 0 and not best and since[most] == NEVER):
                break
        reached[c] = most


@njit(cache=True, nogil=True)
def _advance(since, times, now, matched, ended, within, best):  # type: ignore[no-untyped-def]
    """Move the attempts on by one event; the furthest step that one of them reached with it, 0 for none."""
    further = 0
    for step in range(len(since) - 2, 0, -1):  # from the last step back: an event is one step of an attempt
        if since[step] == NEVER:
            continue
        bit = np.uint16(1 << step)
        if now - since[step] > within:
            since[step] = NEVER
        elif matched & bit:
            since[step + 1] = since[step]
            times[step + 1, :step] = times[step, :step]
            times[step + 1, step] = now
            further = max(further, step + 1)
            if not best:
                since[step] = NEVER
        elif ended & bit:
            since[step] = NEVER
    return further


def meaning(rows: Sequence[tuple[int, Kind, Channel, float]], question: Funnel) -> int:
    """How far a customer with these events (second, kind, channel, amount), in order, came: in plain Python."""
    start, end = question.period.seconds

    def matches(step: Step, row: tuple[int, Kind, Channel, float]) -> bool:
        _, kind, channel, amount = row
        priced = step.least is None or bool(amount >= np.float32(step.least))
        return kind in step.kinds and (not step.channels or channel in step.channels) and priced

    def furthest(began: int, place: int, step: int) -> int:
        """The steps of the best attempt that began then, has done `step` steps, the last of them at `place`."""
        if step == len(question.steps):
            return step
        result = step
        for following in range(place + 1, len(rows)):
            if rows[following][0] - began > question.within:
                break
            if matches(question.steps[step], rows[following]):
                result = max(result, furthest(began, following, step + 1))
                if not question.best:
                    break
            elif rows[following][1] in question.steps[step].without:
                break
        return result

    begins = [place for place, row in enumerate(rows) if matches(question.steps[0], row) and start <= row[0] < end]
    attempts = begins if question.best else begins[:1]
    return max((furthest(rows[place][0], place, 1) for place in attempts), default=0)
