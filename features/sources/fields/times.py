"""Times as senders write them, to microseconds since the epoch, UTC."""

from __future__ import annotations

from datetime import UTC, date, datetime, tzinfo
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from features.events import SECOND
from features.sources.contract import BadRecord, shown
from features.times import micros

SCALES = {"s": SECOND, "ms": 1_000, "us": 1}
"""Microseconds of each unit in which a number can count the time since the epoch."""

_SPELT = {"s": "seconds", "ms": "milliseconds", "us": "microseconds"}


def instant(value: object, field: str, unit: str = "iso", zone: tzinfo = UTC) -> int:
    """The time `value` stands for. Raises BadRecord naming `field`, also when it is absent.

    `unit` is `iso` (ISO 8601 text), `s`, `ms` or `us` (numbers since the epoch), or a pattern of `strptime` such as
    `%d.%m.%Y %H:%M`. Text without an offset, and table columns without a zone, are local times of `zone`.
    """
    if type(value) is str and unit == "iso" and value:
        return _micros(_iso(value, field), zone)
    if isinstance(value, datetime):
        return _micros(value, zone)
    if value is None or value == "":
        raise BadRecord(field, "missing: every event has a time")
    if isinstance(value, date):
        return _micros(datetime(value.year, value.month, value.day, tzinfo=zone), zone)
    if unit == "iso":
        return _micros(_iso(value, field), zone)
    if unit in SCALES:
        return _count(value, field, unit)
    try:
        return _micros(datetime.strptime(str(value), unit), zone)  # noqa: DTZ007  (_micros gives it the zone)
    except ValueError:
        raise BadRecord(field, f"{shown(value)} is not a time written as {unit}") from None


def _iso(value: object, field: str) -> datetime:
    if not isinstance(value, str):
        raise BadRecord(field, f"expected ISO 8601 text, such as 2026-03-01T12:00:00Z, got {shown(value)}")
    try:
        return datetime.fromisoformat(value.removesuffix(" UTC") if value[-1] == "C" else value)
    except ValueError:
        raise BadRecord(field, f"{shown(value)} is not an ISO 8601 time, such as 2026-03-01T12:00:00Z") from None


def _count(value: object, field: str, unit: str) -> int:
    scale = SCALES[unit]
    if isinstance(value, int) and not isinstance(value, bool):
        return value * scale
    if isinstance(value, str | float):
        try:
            return int(value) * scale if isinstance(value, str) and value.isdecimal() else round(float(value) * scale)
        except (ValueError, OverflowError):
            pass
    raise BadRecord(field, f"expected a number of {_SPELT[unit]} since 1970, got {shown(value)}")


def _micros(moment: datetime, zone: tzinfo) -> int:
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=zone)
    return micros(moment)


def time_zone(name: str) -> tzinfo:
    """The zone of an IANA name such as `Europe/Paris`. Raises LookupError when this machine does not know it."""
    if name.upper() == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise LookupError(
            f"unknown time zone {name!r}; expected an IANA name such as Europe/Paris"
            " (a machine without zone data needs: pip install tzdata)"
        ) from None
