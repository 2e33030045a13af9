"""The lens of a funnel: the steps that each customer reached."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.events import Kind
from insights.journal.acts import Row, enough, matches, tables
from insights.journal.columns import Journal
from insights.journal.groups import NOWHERE
from insights.journal.question import Funnel
from insights.journal.visits import OVER, acts_for, goes_on, latest_act, next_act, open_at, visits_of

NEVER = -1
"""In the place of the start of an attempt, where no attempt waits for a step."""


@dataclass(frozen=True, eq=False)
class Reached:
    """How far each customer of a journal came: `steps` uint8, from 0 (no attempt) to the number of steps.

    `seconds` float32[customers, steps] are the seconds from the first step to each step of the attempt, NaN for those
    that were not reached. `in_time` are the customers whose attempt still waited for its next step when the journal
    ended, and had time left: whether they go on is not known yet. `firsts` are the places in the journal of the first
    steps of the attempts, `NOWHERE` for who made none.
    """

    question: Funnel
    steps: NDArray[np.uint8]
    seconds: NDArray[np.float32]
    in_time: NDArray[np.bool_]
    firsts: NDArray[np.int64]

    def of(self, customers: NDArray[np.int64]) -> Reached:
        """The same of some customers only, those at these places."""
        steps, seconds = self.steps[customers], self.seconds[customers]
        return Reached(self.question, steps, seconds, self.in_time[customers], self.firsts[customers])

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


def funnel(journal: Journal, question: Funnel, *, complete: bool = False, threads: int | None = None) -> Reached:
    """How far each customer came; with `complete`, of attempts that had all their time when the journal ended."""
    kernel, steps = _best if question.best else _first, question.steps
    ends = np.zeros(256, np.uint16)
    for place, step in enumerate(steps):
        ends[list(step.without)] |= np.uint16(1 << place)
    reached = np.zeros(len(journal.customers), np.uint8)
    seconds = np.full((len(reached), len(steps)), np.nan, np.float32)
    in_time = np.zeros(len(reached), np.bool_)
    firsts = np.full(len(reached), NOWHERE, np.int64)
    start, end = question.period.seconds
    if complete:
        end = min(end, journal.end - question.within + 1)
    columns = (journal.starts, journal.at, journal.kind, journal.channel, journal.amount, *tables(steps), ends)
    window = (question.within, acts_for(kinds_of(question)), question.visits, start, end, journal.end)

    def run(first: int, last: int) -> None:
        kernel(first, last, *columns, *window, reached, seconds, in_time, firsts)

    journal.over_customers(run, threads)
    return Reached(question, reached, seconds, in_time, firsts)


def kinds_of(question: Funnel) -> set[Kind]:
    """The kinds that are a step."""
    return {kind for step in question.steps for kind in step.kinds}


@njit(cache=True, nogil=True)
def _first(  # type: ignore[no-untyped-def]
    first, last, starts, at, kind, channel, amount, kinds, channels, least, ends, within, acts, pause, start, end,
    latest, reached, seconds, in_time, firsts,
):  # fmt: skip
    """Follow the first attempt of customers first..last-1; only the step that it waits for is looked at.

    in_time[c] is whether the attempt of customer c still waits for a step at `latest`, the end of the journal, and
    firsts[c] the place of its first step. A visit ends after more than `pause` seconds without one of `acts`; with a
    pause of 0 it never does.
    """
    either = kinds | ends
    for c in range(first, last):
        step, bit, place = 0, np.uint16(1), starts[c]
        began = np.int64(NEVER)
        for i in range(starts[c], starts[c + 1]):
            if not either[kind[i]] & bit:
                continue
            if kinds[kind[i]] & channels[channel[i]] & bit and enough(amount[i], least[step]):
                now = np.int64(at[i])
                if step == 0:
                    if now < start:
                        continue
                    if now >= end:
                        break
                    began, firsts[c] = now, i
                elif now - began > within:
                    break
                elif pause and latest_act(at, kind, acts, place, i + 1, pause) == OVER:
                    began = np.int64(NEVER)
                    break
                seconds[c, step] = now - began
                step += 1
                place = i
                bit = np.uint16(1 << step)
                if step == len(least):
                    began = np.int64(NEVER)
                    break
            elif ends[kind[i]] & bit:
                began = np.int64(NEVER)
                break
        waits = began != NEVER and began + within > latest
        if waits and pause:
            waits = goes_on(at, kind, acts, place, starts[c + 1], pause, latest)
        reached[c], in_time[c] = step, waits


@njit(cache=True, nogil=True)
def _best(  # type: ignore[no-untyped-def]
    first, last, starts, at, kind, channel, amount, kinds, channels, least, ends, within, acts, pause, start, end,
    latest, reached, seconds, in_time, firsts,
):  # fmt: skip
    """Follow all attempts of customers first..last-1 at once.

    Of several attempts that wait for the same step, the one that began last has the most time left, so only that one is
    kept (of several that began in the same second, the first), with the earliest steps that it took. `since[k]` is that
    beginning for attempts that wait for step k, places[k] its place, times[k] their steps. They all end with a visit.
    """
    number = len(least)
    since = np.empty(number + 1, np.int64)
    places = np.empty(number + 1, np.int64)
    times = np.empty((number + 1, number), np.int64)
    for c in range(first, last):
        since[:] = NEVER
        most, act = 0, np.int64(OVER)
        for i in range(starts[c], starts[c + 1]):
            matched, ended = kinds[kind[i]] & channels[channel[i]], ends[kind[i]]
            if not (matched | ended):
                continue
            if pause:
                act, over = next_act(at, kind, acts, act, i, pause)
                if over:
                    since[:] = NEVER
            now = np.int64(at[i])
            further = _advance(since, places, times, now, matched, ended, within, amount[i], least)
            if matched & 1 and start <= now < end and enough(amount[i], least[0]):
                if now > since[1]:
                    since[1] = times[1, 0] = now
                    places[1] = i
                further = max(further, 1)
            if further > most:
                most, firsts[c] = further, places[further]
                for step in range(most):
                    seconds[c, step] = times[most, step] - times[most, 0]
            if most == number:
                break
        began = since[most] if 0 < most < number else np.int64(NEVER)
        waits = began != NEVER and began + within > latest
        if waits and pause:
            waits = goes_on(at, kind, acts, act, starts[c + 1], pause, latest)
        reached[c], in_time[c] = most, waits


@njit(cache=True, nogil=True)
def _advance(since, places, times, now, matched, ended, within, amount, least):  # type: ignore[no-untyped-def]
    """Move the attempts on by one event. Returns the furthest step that one of them reached with it, 0 for none."""
    further = 0
    for step in range(len(least) - 1, 0, -1):  # from the last step back: an event is one step of an attempt
        if since[step] == NEVER:
            continue
        bit = np.uint16(1 << step)
        if now - since[step] > within:
            since[step] = NEVER
        elif matched & bit and enough(amount, least[step]):
            if since[step] > since[step + 1]:
                since[step + 1], places[step + 1] = since[step], places[step]
                times[step + 1, :step] = times[step, :step]
                times[step + 1, step] = now
            further = max(further, step + 1)
        elif ended & bit:
            since[step] = NEVER
    return further


def meaning(
    rows: Sequence[Row], question: Funnel, last: int, *, complete: bool = False
) -> tuple[tuple[int, ...], bool, int | None]:
    """The seconds to each step that a customer with these events, in order, reached.

    And whether it is still in time for the next one at the second `last`, the end of the journal; and the place of the
    first step in `rows`, None without any.
    """
    start, end = question.period.seconds
    if complete:
        end = min(end, last - question.within + 1)
    visits = visits_of(rows, kinds_of(question), question.visits)

    def attempts(places: tuple[int, ...]) -> Iterator[tuple[int, ...]]:
        """The attempt that took its steps at these places, and those that go on from it."""
        yield places
        if len(places) == len(question.steps):
            return
        step = question.steps[len(places)]
        for following in range(places[-1] + 1, len(rows)):
            late = rows[following][0] - rows[places[0]][0] > question.within
            if late or visits[following] != visits[places[0]]:
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
        if visits[places[0]] != visits[-1] or not open_at(rows, kinds_of(question), question.visits, last):
            return False
        return not any(row[1] in question.steps[len(places)].without for row in rows[places[-1] + 1 :])

    begins = [place for place, row in enumerate(rows) if matches(question.steps[0], row) and start <= row[0] < end]
    made = [attempt for begin in (begins if question.best else begins[:1]) for attempt in attempts((begin,))]
    counted = min(made, key=lambda places: (-len(places), places[-1], -rows[places[0]][0], places[::-1]), default=())
    in_time = any(waits(places) for places in made if len(places) == len(counted))
    seconds = tuple(rows[place][0] - rows[counted[0]][0] for place in counted)
    return seconds, in_time, counted[0] if counted else None
