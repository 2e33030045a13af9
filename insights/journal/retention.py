"""The lens of retention: which new customers of a week, or a month, are active in later weeks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cached_property

import numpy as np
from numba import njit
from numpy.typing import NDArray

from insights.journal.acts import Row
from insights.journal.columns import Journal
from insights.journal.groups import MONDAY, NOWHERE, WEEK, first_day, months, name_of
from insights.journal.question import By, Retention

NO_COHORT = -2
"""Below every cohort: that of 1 to 4 January 1970 is -1."""


@dataclass(frozen=True, eq=False)
class Triangle:
    """The cohort of each customer and the weeks in which it was active.

    `cohort` int32 counts weeks from Monday 5 January 1970, or months from January 1970 where the question is by month;
    it is `NO_COHORT` for customers without an entry in the period. `firsts` are the places in the journal of the
    entries, `NOWHERE` for these. Bit k of `active` is week k after the entry. `end` is the last second of the journal:
    a week that was not over by then for every customer of the cohort is not known.
    """

    question: Retention
    cohort: NDArray[np.int32]
    active: NDArray[np.uint64]
    firsts: NDArray[np.int64]
    end: int

    def of(self, customers: NDArray[np.int64]) -> Triangle:
        """The same of some customers only, those at these places."""
        own = self.cohort[customers], self.active[customers], self.firsts[customers]
        return Triangle(self.question, *own, self.end)

    def name(self, cohort: int) -> str:
        """The Monday on which the week of a cohort began, or its month."""
        return name_of(By.MONTH if self.question.by == By.MONTH else By.WEEK, cohort)

    @property
    def cohorts(self) -> list[int]:
        """The cohorts that have customers, oldest first."""
        return list(self._sizes)

    @cached_property
    def _sizes(self) -> dict[int, int]:
        """How many customers each cohort has, of those that have any."""
        numbers = np.bincount(self.cohort - NO_COHORT)
        return {place + NO_COHORT: int(numbers[place]) for place in np.flatnonzero(numbers).tolist() if place}

    def size(self, cohort: int) -> int:
        """How many customers entered in that week."""
        return self._sizes.get(cohort, 0)

    def known(self, cohort: int, week: int) -> bool:
        """Whether that week was over for every customer of the cohort when the journal ended."""
        return self._after(cohort) + (week + 1) * WEEK <= self.end + 1

    def _after(self, cohort: int) -> int:
        """The first second after the week or the month of a cohort."""
        if self.question.by == By.MONTH:
            return (first_day(cohort + 1) - first_day(0)).days * 86_400
        return MONDAY + (cohort + 1) * WEEK

    def measured(self, week: int) -> NDArray[np.bool_]:
        """The customers of all cohorts for which that week was over when the journal ended."""
        last = max((cohort for cohort in self.cohorts if self.known(cohort, week)), default=NO_COHORT)
        return np.asarray((self.firsts >= 0) & (self.cohort <= last))

    def active_in(self, week: int) -> NDArray[np.bool_]:
        """The customers who were active in a week after their entry."""
        return np.asarray((self.active & np.uint64(1 << week)) != 0)

    def members(self, cohort: int, week: int) -> NDArray[np.bool_]:
        """The customers of a cohort who were active in a week after their entry."""
        return np.asarray((self.cohort == cohort) & self.active_in(week))

    def counts(self) -> NDArray[np.int64]:
        """How many customers of each of `cohorts` were active in each week, int64[cohorts, weeks]."""
        counts = np.zeros((max(self.cohorts, default=NO_COHORT) - NO_COHORT + 1, self.question.weeks), np.int64)
        _count(self.cohort, self.active, counts)
        return counts[[cohort - NO_COHORT for cohort in self.cohorts]]


def retention(journal: Journal, question: Retention, *, threads: int | None = None) -> Triangle:
    """The cohort and the active weeks of each customer."""
    kinds = np.zeros(256, np.uint8)
    kinds[list(question.entry)] |= 1
    kinds[list(question.activity)] |= 2
    cohort = np.full(len(journal.customers), NO_COHORT, np.int32)
    active = np.zeros(len(cohort), np.uint64)
    firsts = np.full(len(cohort), NOWHERE, np.int64)
    start, end = question.period.seconds

    def run(first: int, last: int) -> None:
        _retention(
            first, last, journal.starts, journal.at, journal.kind, kinds, question.weeks, start, end, cohort, active,
            firsts,
        )  # fmt: skip

    journal.over_customers(run, threads)
    if question.by == By.MONTH:
        cohort[firsts >= 0] = months(journal.at[firsts[firsts >= 0]])
    return Triangle(question, cohort, active, firsts, journal.end)


@njit(cache=True, nogil=True)
def _retention(first, last, starts, at, kind, kinds, weeks, start, end, cohort, active, firsts):  # type: ignore[no-untyped-def]
    """Find the entry of customers first..last-1 and mark the weeks after it."""
    for c in range(first, last):
        stop = starts[c + 1]
        i = starts[c]
        while i < stop and not kinds[kind[i]] & 1:
            i += 1
        if i == stop or at[i] < start or at[i] >= end:
            continue
        entered = np.int64(at[i])
        cohort[c], firsts[c] = (entered - MONDAY) // WEEK, i
        for j in range(i + 1, stop):
            if kinds[kind[j]] & 2:
                week = (np.int64(at[j]) - entered) // WEEK
                if week >= weeks:
                    break
                active[c] |= np.uint64(1) << np.uint64(week)


@njit(cache=True, nogil=True)
def _count(cohort, active, counts):  # type: ignore[no-untyped-def]
    """Add the active weeks of every customer to the row of its cohort, the first of which is `NO_COHORT`."""
    for i in range(len(cohort)):
        week, bits = 0, active[i]
        while bits:
            counts[cohort[i] - NO_COHORT, week] += bits & np.uint64(1)
            bits >>= np.uint64(1)
            week += 1


def meaning(rows: Sequence[Row], question: Retention) -> tuple[str, set[int], int] | None:
    """The name of the cohort, the active weeks and the place of the entry in `rows`, a customer's events in order.

    None for a customer without entry.
    """
    start, end = question.period.seconds
    place = next((place for place, row in enumerate(rows) if row[1] in question.entry), None)
    if place is None or not start <= rows[place][0] < end:
        return None
    entered = rows[place][0]
    active = {(row[0] - entered) // WEEK for row in rows[place + 1 :] if row[1] in question.activity}
    day = datetime.fromtimestamp(entered, UTC).date()
    monthly = question.by == By.MONTH
    cohort = f"{day:%Y-%m}" if monthly else str(day - timedelta(days=day.weekday()))
    return cohort, {week for week in active if week < question.weeks}, place
