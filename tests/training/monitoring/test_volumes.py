"""Events a week, and what is too few or too many."""

from __future__ import annotations

import numpy as np
import pytest

from features.events import EVENT, Kind, days
from features.log.contract import MERGE
from features.replay.snapshots import Past, past_of
from training.monitoring.volumes import events_until, volumes

START = days(20_000)


def log_of(counts: list[int], kind: Kind = Kind.ITEM_VIEW) -> tuple[Past, int]:
    """One event, so many in each week from then on, evenly apart, and the end of the last week."""
    moments = [
        START + days(7) * week + days(7) * (number + 1) // count
        for week, count in enumerate(counts)
        for number in range(count)
    ]
    events = np.zeros(len(moments) + 1, EVENT)
    events["at"] = events["received"] = np.sort([START, *moments])
    events["kind"], events["customer"] = int(kind), np.arange(len(events)) % 7
    return past_of([events], np.empty(0, MERGE)), START + days(7) * len(counts)


@pytest.mark.parametrize(
    ("counts", "fell", "rose"),
    [
        ([100] * 8, False, False),
        ([100] * 7 + [60], False, False),
        ([100] * 7 + [0], True, False),
        ([100] * 6 + [0, 0], True, False),
        ([100] * 7 + [300], False, True),
        ([10, 100, 30, 90, 10, 80, 40, 0], False, False),
        ([5] * 7 + [0], False, False),
    ],
)
def test_a_week_is_held_against_those_before(counts: list[int], fell: bool, rose: bool) -> None:
    past, now = log_of(counts)
    (found,) = volumes(past, now)
    assert (found.kind, found.week, found.fell, found.rose) == ("item_view", counts[-1], fell, rose)
    assert [found.lowest, found.highest] == [sorted(counts[:-1])[1], sorted(counts[:-1])[-2]]


@pytest.mark.parametrize("weeks", [1, 2, 3, 4, 5, 6])
def test_a_kind_that_came_later_is_held_against_its_own_weeks(weeks: int) -> None:
    before, now = log_of([100] * 8)
    later, _ = log_of([0] * (8 - weeks) + [50] * weeks, Kind.SEARCH)
    fresh = later.parts[0][1:].copy()
    fresh["customer"] = 7
    events = np.sort(np.concatenate([before.parts[0], fresh]), order="received")
    found = {each.kind: each for each in volumes(past_of([events], np.empty(0, MERGE)), now)}
    assert found.keys() == ({"item_view", "search"} if weeks > 4 else {"item_view"})
    assert not any(each.fell or each.rose for each in found.values())


def test_a_short_log_says_nothing() -> None:
    past, now = log_of([50] * 4)
    assert volumes(past, now) == []


def test_events_are_counted_by_when_they_were_received() -> None:
    past, now = log_of([10, 20, 30])
    assert [events_until(past, START + days(7) * week) for week in range(4)] == [1, 11, 31, 61]
    assert events_until(past, now) == 61
