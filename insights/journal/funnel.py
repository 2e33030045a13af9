"""The lens of a funnel: the steps that each customer reached."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.events import Channel, Kind
from insights.journal.columns import Journal
from insights.journal.question import Funnel, Step

Amounts = NDArray[np.float32]

NEVER = -1
"""In the place of the start of an attempt, where no attempt waits for a step."""


@dataclass(frozen=True, eq=False)
class Reached:
    """How far each customer of a journal came: `steps` uint8, from 0 (no attempt) to the number of steps.

    `seconds` float32[customers, steps] are the seconds from the first step to each step of the attempt, NaN for those
    that were not reached. `in_time` are the customers whose attempt still waited for its next step when the journal
    ended, and had time left: whether they go on is not known yet.
    """

    question: Funnel
    steps: NDArray[np.uint8]
    seconds: NDArray[np.float32]
    in_time: NDArray[np.bool_]

    @property
    def counts(self) -> list[int]:
        """How many customers reached each step."""
        by_step = np.bincount(self.steps, minlength=len(self.question.steps) + 1)
        return list(map(int, np.cumsum(by_step[::-1])[::-1][1:]))

    def members(self, step: int) -> NDArray[np.bool_]:
        """The customers who reached a step, from 1 on."""
        return self.steps >= step

    def stopped(self, step: int, *, in_time: bool) -> NDArray[np.bool_]:
        """The customers who reached a step and went no further: those still in time, or those who left."""
        return np.asarray((self.steps == step) & (self.in_time == in_time))

    def times(self, step: int) -> NDArray[np.float32]:
        """Seconds from the first step to this one, of the customers who reached it."""
        return np.asarray(self.seconds[self.steps >= step, step - 1])


def funnel(journal: Journal, question: Funnel, *, threads: int | None = None) -> Reached:
    """How far each customer came."""
    kernel, tables = _best if question.best else _first, _tables(question.steps)
    reached = np.zeros(len(journal.customers), np.uint8)
    seconds = np.full((len(reached), len(question.steps)), np.nan, np.float32)
    in_time = np.zeros(len(reached), np.bool_)
    start, end = question.period.seconds
    columns = (journal.starts, journal.at, journal.kind, journal.channel, journal.amount)

    def run(first: int, last: int) -> None:
        kernel(first, last, *columns, *tables, question.within, start, end, journal.end, reached, seconds, in_time)

    journal.over_customers(run, threads)
    return Reached(question, reached, seconds, in_time)


def _tables(steps: Sequence[Step]) -> tuple[NDArray[np.uint16], NDArray[np.uint16], NDArray[np.uint16], Amounts]:
    """The bits of the steps that each kind may be, that each channel may be and that each kind ends; least amounts.

    A step that takes any amount, or none, has the least amount -inf.
    """
    kinds, channels, ends = (np.zeros(256, np.uint16) for _ in range(3))
    for place, step in enumerate(steps):
        bit = np.uint16(1 << place)
        kinds[list(step.kinds)] |= bit
        ends[list(step.without)] |= bit
        channels[list(step.channels) or slice(None)] |= bit
    least = np.array([-np.inf if step.least is None else step.least for step in steps], np.float32)
    return kinds, channels, ends, least


@njit(cache=True, nogil=True)
def _first(  # type: ignore[no-untyped-def]
    first, last, starts, at, kind, channel, amount, kinds, channels, ends, least, within, start, end, latest, reached,
    seconds, in_time,
):  # fmt: skip
    """Follow the first attempt of customers first..last-1; only the step that it waits for is looked at.

    in_time[c] is whether the attempt of customer c still waits for a step at `latest`, the end of the journal.
    """
    either = kinds | ends
    for c in range(first, last):
        step, bit = 0, np.uint16(1)
        began = np.int64(NEVER)
        for i in range(starts[c], starts[c + 1]):
            if not either[kind[i]] & bit:
                continue
            if kinds[kind[i]] & channels[channel[i]] & bit and _enough(amount[i], least[step]):
                now = np.int64(at[i])
                if step == 0:
                    if now < start:
                        continue
                    if now >= end:
                        break
                    began = now
                elif now - began > within:
                    break
                seconds[c, step] = now - began
                step += 1
                bit = np.uint16(1 << step)
                if step == len(least):
                    began = np.int64(NEVER)
                    break
            elif ends[kind[i]] & bit:
                began = np.int64(NEVER)
                break
        reached[c], in_time[c] = step, began != NEVER and began + within > latest


@njit(cache=True, nogil=True)
def _best(  # type: ignore[no-untyped-def]
    first, last, starts, at, kind, channel, amount, kinds, channels, ends, least, within, start, end, latest, reached,
    seconds, in_time,
):  # fmt: skip
    """Follow all attempts of customers first..last-1 at once.

    Of several attempts that wait for the same step, the one that began last has the most time left, so only that one is
    kept, with the earliest steps that it took. `since[k]` is that beginning for attempts that wait for step k, times[k]
    their steps.
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
            now = np.int64(at[i])
            further = _advance(since, times, now, matched, ended, within, amount[i], least)
            if matched & 1 and start <= now < end and _enough(amount[i], least[0]):
                since[1] = times[1, 0] = now
                further = max(further, 1)
            if further > most:
                most = further
                for step in range(most):
                    seconds[c, step] = times[most, step] - times[most, 0]
            if most == number:
                break
        began = since[most] if 0 < most < number else np.int64(NEVER)
        reached[c], in_time[c] = most, began != NEVER and began + within > latest


@njit(cache=True, nogil=True)
def _advance(since, times, now, matched, ended, within, amount, least):  # type: ignore[no-untyped-def]
    """Move the attempts on by one event. Returns the furthest step that one of them reached with it, 0 for none."""
    further = 0
    for step in range(len(least) - 1, 0, -1):  # from the last step back: an event is one step of an attempt
        if since[step] == NEVER:
            continue
        bit = np.uint16(1 << step)
        if now - since[step] > within:
            since[step] = NEVER
        elif matched & bit and _enough(amount, least[step]):
            if since[step] > since[step + 1]:
                since[step + 1] = since[step]
                times[step + 1, :step] = times[step, :step]
                times[step + 1, step] = now
            further = max(further, step + 1)
        elif ended & bit:
            since[step] = NEVER
    return further


@njit(cache=True, nogil=True)
def _enough(amount, least):  # type: ignore[no-untyped-def]
    """Whether an amount, NaN for none, is enough for a step."""
    return least == -np.inf or amount >= least


def meaning(
    rows: Sequence[tuple[int, Kind, Channel, float]], question: Funnel, last: int
) -> tuple[tuple[int, ...], bool]:
    """The seconds to each step that a customer with these events (second, kind, channel, amount), in order, reached.

    And whether it is still in time for the next one at the second `last`, the end of the journal.
    """
    start, end = question.period.seconds

    def matches(step: Step, row: tuple[int, Kind, Channel, float]) -> bool:
        _, kind, channel, amount = row
        priced = step.least is None or bool(amount >= np.float32(step.least))
        return kind in step.kinds and (not step.channels or channel in step.channels) and priced

    def attempts(places: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        """The attempt that took its steps at these places, and those that go on from it."""
        yield places
        if len(places) == len(question.steps):
            return
        step = question.steps[len(places)]
        for following in range(places[-1] + 1, len(rows)):
            if rows[following][0] - rows[places[0]][0] > question.within:
                break
            if matches(step, rows[following]):
                yield from attempts((*places, following))
                if not question.best:
                    break
            elif rows[following][1] in step.without:
                break

    def waits(places: tuple[int, ...]) -> bool:
        """Whether the attempt can still take a further step."""
        if len(places) == len(question.steps) or rows[places[0]][0] + question.within <= last:
            return False
        return not any(row[1] in question.steps[len(places)].without for row in rows[places[-1] + 1 :])

    begins = [place for place, row in enumerate(rows) if matches(question.steps[0], row) and start <= row[0] < end]
    made = [attempt for begin in (begins if question.best else begins[:1]) for attempt in attempts((begin,))]
    counted = min(made, key=lambda places: (-len(places), places[-1], -rows[places[0]][0], places[::-1]), default=())
    in_time = any(waits(places) for places in made if len(places) == len(counted))
    return tuple(rows[place][0] - rows[counted[0]][0] for place in counted), in_time
