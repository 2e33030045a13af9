"""Visits: the parts of a customer's life between pauses, inside which a funnel or a transition may have to happen.

A visit is over after more than so many seconds without an *act*: an event that a customer makes on a visit
(`features.events.VISITS`), or one of a kind that the question is about. What the shop does, such as a message that is
delivered, neither begins nor prolongs a visit unless the question is about it.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.events import VISITS, Kind
from insights.journal.acts import Row

OVER = -1
"""In place of the latest act of a visit, when the visit is over."""


def acts_for(kinds: Collection[Kind]) -> NDArray[np.bool_]:
    """Which kinds are acts for a question about these kinds, bool[256]."""
    acts = np.zeros(256, np.bool_)
    acts[[*VISITS.kinds, *kinds]] = True
    return acts


@njit(cache=True, nogil=True)
def latest_act(at, kind, acts, place, stop, pause):  # type: ignore[no-untyped-def]
    """The place of the latest act before `stop` of the visit of the act at `place`; `OVER` if a pause came before."""
    latest = place
    for i in range(place + 1, stop):
        if acts[kind[i]]:
            if np.int64(at[i]) - np.int64(at[latest]) > pause:
                return OVER
            latest = i
    return latest


@njit(cache=True, nogil=True)
def next_act(at, kind, acts, act, place, pause):  # type: ignore[no-untyped-def]
    """The latest act of the visit that goes on at `place`, and whether another, with its latest act `act`, is over."""
    if act == OVER:
        return place, False
    latest = latest_act(at, kind, acts, act, place + 1, pause)
    return (place, True) if latest == OVER else (latest, False)


@njit(cache=True, nogil=True)
def goes_on(at, kind, acts, place, stop, pause, end):  # type: ignore[no-untyped-def]
    """Whether the visit of the act at `place` was not over at the second `end`; `stop` is behind the last event."""
    latest = latest_act(at, kind, acts, place, stop, pause)
    return latest != OVER and np.int64(at[latest]) + pause > end


def visits_of(rows: Sequence[Row], kinds: Collection[Kind], pause: int) -> list[int]:
    """The number of the visit that was the latest at every event of a customer, in order, in plain Python.

    All are in one, where `pause` is 0.
    """
    numbers, number, latest = [], 0, None
    for at, kind, *_ in rows:
        if kind in VISITS.kinds or kind in kinds:
            number += latest is not None and 0 < pause < at - latest
            latest = at
        numbers.append(number)
    return numbers


def open_at(rows: Sequence[Row], kinds: Collection[Kind], pause: int, end: int) -> bool:
    """Whether the last visit of a customer with these events was not over at the second `end`, in plain Python."""
    acts = [at for at, kind, *_ in rows if kind in VISITS.kinds or kind in kinds]
    return not pause or (bool(acts) and acts[-1] + pause > end)
