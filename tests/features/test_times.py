"""Moments, to a calendar and back, and as people read them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from features.times import iso, micros, moment

NOON = 1_772_366_400_000_000


def test_noon() -> None:
    assert moment(NOON) == datetime(2026, 3, 1, 12, tzinfo=UTC)
    assert micros(datetime(2026, 3, 1, 14, tzinfo=timezone(timedelta(hours=2)))) == NOON


@given(st.integers(-(10**16), 10**17))
def test_to_the_calendar_and_back_loses_no_microsecond(at: int) -> None:
    assert micros(moment(at)) == at
    assert micros(datetime.fromisoformat(iso(at))) == at - at % 1_000_000


def test_times_are_shown_as_people_read_them() -> None:
    assert iso(NOON) == moment(NOON).isoformat().replace("+00:00", "Z") == "2026-03-01T12:00:00Z"
    assert iso(-1) == "1969-12-31T23:59:59Z"
    assert iso(10**30) == f"{10**30} us"
