from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.sources import BadRecord
from features.sources.fields.times import instant, time_zone

NOON = 1_772_366_400_000_000  # 2026-03-01T12:00:00Z
PARIS = time_zone("Europe/Paris")


@pytest.mark.parametrize(
    ("value", "unit"),
    [
        ("2026-03-01T12:00:00Z", "iso"),
        ("2026-03-01T13:00:00+01:00", "iso"),
        ("2026-03-01 12:00:00 UTC", "iso"),
        ("20260301T120000Z", "iso"),
        (datetime(2026, 3, 1, 12, tzinfo=UTC), "iso"),
        (1_772_366_400, "s"),
        ("1772366400", "s"),
        ("1772366400.0", "s"),
        (1_772_366_400_000, "ms"),
        (1_772_366_400_000_000, "us"),
        ("01.03.2026 12:00", "%d.%m.%Y %H:%M"),
    ],
)
def test_the_same_noon_in_every_form(value: object, unit: str) -> None:
    assert instant(value, "at", unit) == NOON


def test_local_times_are_read_in_their_zone_and_offsets_win() -> None:
    assert instant("2026-03-01T13:00:00", "at", zone=PARIS) == NOON
    assert instant("2026-07-01T14:00:00", "at", zone=PARIS) == instant("2026-07-01T12:00:00Z", "at")
    assert instant("2026-03-01T12:00:00Z", "at", zone=PARIS) == NOON
    assert instant(date(2026, 3, 2), "at", zone=PARIS) == instant("2026-03-01T23:00:00Z", "at")


@pytest.mark.parametrize(
    ("value", "unit", "said"),
    [
        (None, "iso", "missing"),
        ("", "iso", "missing"),
        ("tomorrow", "iso", "'tomorrow' is not an ISO 8601 time"),
        ("2026-02-30", "iso", "2026-02-30"),
        (1_772_366_400, "iso", "expected ISO 8601 text"),
        (True, "s", "expected a number of seconds since 1970, got True"),
        ("soon", "ms", "expected a number of milliseconds"),
        (float("nan"), "s", "nan"),
        (float("inf"), "s", "inf"),
        ([1], "s", "[1]"),
        ("1.3.26", "%d.%m.%Y", "not a time written as %d.%m.%Y"),
    ],
)
def test_what_is_no_time_is_refused_with_the_value(value: object, unit: str, said: str) -> None:
    with pytest.raises(BadRecord) as caught:
        instant(value, "when", unit)
    assert caught.value.field == "when"
    assert said in caught.value.reason


@given(st.integers(631_152_000, 4_102_444_800), st.integers(0, 999_999))
def test_microseconds_survive(seconds: int, micros: int) -> None:
    moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=micros)
    assert instant(moment.isoformat(), "at") == instant(moment, "at") == seconds * 1_000_000 + micros


def test_an_unknown_zone_says_what_is_expected() -> None:
    with pytest.raises(LookupError, match=r"Europe/Atlantis.*expected an IANA name"):
        time_zone("Europe/Atlantis")
