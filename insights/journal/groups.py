"""By what an answer is split: the group of a customer, read off the first event that the question is about."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cached_property

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.events import Channel, Kind
from insights.journal.columns import Journal
from insights.journal.question import By, Period

WEEK = 7 * 86_400
MONDAY = 4 * 86_400
"""The second at which the first Monday after 1 January 1970 began, UTC."""

NOWHERE = -1
"""In place of an event or a group of a customer, where there is none."""


@dataclass(frozen=True, eq=False)
class Groups:
    """The customers of an answer: `of` int32[customers] is the place in `names` of the group of each, or `NOWHERE`.

    Names are of channels, of Mondays or of months; of one group of all customers the name is empty.
    """

    names: list[str]
    of: NDArray[np.int32]

    @cached_property
    def whole(self) -> bool:
        """Whether all customers of the journal are in one group."""
        return self.names == [""] and not self.of.any()

    def items(self) -> Iterator[tuple[str, NDArray[np.int64]]]:
        """The name of every group and the places of its customers, rising."""
        order = np.argsort(self.of, kind="stable")
        ends = np.searchsorted(self.of[order], np.arange(len(self.names) + 1))
        for group, name in enumerate(self.names):
            yield name, order[ends[group] : ends[group + 1]]

    def members(self, name: str) -> NDArray[np.bool_]:
        """Which customers are in a group; nobody is in one of a name that there is not."""
        return np.asarray(self.of == (self.names.index(name) if name in self.names else len(self.names)))


def everyone(journal: Journal) -> Groups:
    """All customers in one group."""
    return Groups([""], np.zeros(len(journal.customers), np.int32))


def groups_of(
    journal: Journal, by: By | None, firsts: NDArray[np.int64] | None, chosen: NDArray[np.bool_] | None
) -> Groups:
    """The groups of the customers who are `chosen` (of all, where it is None).

    `firsts` are the places in the journal of the first event of each customer, `NOWHERE` for who has none; they may be
    left out where `by` is.
    """
    if by is None or firsts is None:
        return everyone(journal) if chosen is None else Groups([""], chosen.astype(np.int32) - 1)
    inside = firsts >= 0 if chosen is None else (firsts >= 0) & chosen
    places = firsts[inside]
    values, groups = np.unique(values_of(by, journal, places), return_inverse=True)
    of = np.full(len(journal.customers), NOWHERE, np.int32)
    of[inside] = groups
    return Groups([name_of(by, value) for value in values.tolist()], of)


def values_of(by: By, journal: Journal, places: NDArray[np.int64]) -> NDArray[np.int64]:
    """The numbers of the channels, weeks or months of the events at these places."""
    if by == By.CHANNEL:
        return journal.channel[places].astype(np.int64)
    return (weeks if by == By.WEEK else months)(journal.at[places])


def weeks(seconds: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Weeks from Monday 5 January 1970, UTC, to those of these seconds."""
    return (seconds.astype(np.int64) - MONDAY) // WEEK


def months(seconds: NDArray[np.uint32]) -> NDArray[np.int64]:
    """Months from January 1970, UTC, to those of these seconds."""
    return seconds.astype(np.int64).astype("datetime64[s]").astype("datetime64[M]").astype(np.int64)


def name_of(by: By, value: int) -> str:
    """The name of a group: a channel, the Monday of a week, or a month such as 2026-01."""
    match by:
        case By.CHANNEL:
            return Channel(value).name
        case By.WEEK:
            return str(datetime.fromtimestamp(MONDAY + value * WEEK, UTC).date())
        case By.MONTH:
            return str(first_day(value))[:7]


def first_day(month: int) -> date:
    """The first day of a month, counted from January 1970."""
    return date(1970 + month // 12, month % 12 + 1, 1)


def firsts_of(journal: Journal, kinds: tuple[Kind, ...], period: Period) -> NDArray[np.int64]:
    """The place in the journal of the first event of one of these kinds in the period, `NOWHERE` for who has none."""
    wanted = np.zeros(256, np.bool_)
    wanted[list(kinds)] = True
    out = np.full(len(journal.customers), NOWHERE, np.int64)
    columns = (journal.starts, journal.at, journal.kind, wanted, *period.seconds, out)
    journal.over_customers(lambda first, last: _firsts(first, last, *columns))
    return out


@njit(cache=True, nogil=True)
def _firsts(first, last, starts, at, kind, wanted, start, end, out):  # type: ignore[no-untyped-def]
    """Find the first event of customers first..last-1."""
    for c in range(first, last):
        for i in range(starts[c], starts[c + 1]):
            if wanted[kind[i]] and at[i] >= start:
                if at[i] < end:
                    out[c] = i
                break
