"""The checks of all values: what each must satisfy, whatever its source, before it becomes part of an event.

`name` and `number` refuse what they cannot read. `any_name`, `any_number`, `any_channel` and `any_properties` are for
values that an event can do without: a value that they cannot read is left out and reported in `unread`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from typing import Any, TypeVar

from features.events import DAY, IDENTIFY, SCALES, Channel, Event, Kind
from features.identity.rules import names_nobody
from features.log.membership import JOINS
from features.sources.contract import BadRecord, Unread, shown
from features.sources.fields import numbers
from features.times import iso

LONGEST_NAME = 256
"""Characters of the longest name of a customer, item, category or order."""

MOST_PROPERTIES = 10_000
"""Properties of one event, as in Segment's specification."""

LARGEST = 1e15
"""Largest number that is accepted as money, pieces or a score: a larger one is an error and no amount."""

LONGEST_MESSAGE_ID = 100
"""Characters of the longest message id, as in Segment's specification."""

EARLIEST = 7_305 * DAY
"""1990-01-01, microseconds UTC: anything before is a broken clock or a wrong unit."""

TOLERANCE = DAY
"""How far in the future a sender's clock may be; a time within it counts as now."""

KINDS: Mapping[str, Kind] = {kind.name: kind for kind in Kind if kind not in (Kind.DECISION, Kind.REWARD)}
"""The kinds a record may have, by name. Decisions and rewards are written by Waypost itself, and refused here."""

CHANNELS: Mapping[str, Channel] = {channel.name: channel for channel in Channel}
"""The channels by name."""

_UNKNOWN = Channel.UNKNOWN
_Chosen = TypeVar("_Chosen")

_HALVES = re.compile("[\ud800-\udfff]")

_SURVEYS = frozenset((Kind.SURVEY_NPS, Kind.SURVEY_CSAT, Kind.SURVEY_EFFORT))


def name(value: object, field: str, longest: int = LONGEST_NAME) -> str | None:
    """The text of a name or id; None when absent. Whole numbers are taken as their digits."""
    if type(value) is not str:
        if value is None:
            return None
        value = _digits(value, field)
    text = value.strip()
    if not text:
        return None
    if len(text) > longest:
        raise BadRecord(field, f"{len(text)} characters, expected at most {longest}", "too_long")
    if not text.isprintable():
        _storable(text, field)
    return text


def _digits(value: object, field: str) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    if isinstance(value, str):
        return str(value)
    raise BadRecord(field, f"expected text, got {shown(value)}", "not_text")


def _storable(text: str, field: str) -> None:
    if "\x00" in text:
        raise BadRecord(field, f"holds a zero byte: {shown(text)}", "not_text")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise BadRecord(field, f"holds half a character (a lone surrogate): {shown(text)}", "not_text") from None


def customer(value: object, field: str) -> str | None:
    """The name of a customer; None when absent. Raises BadRecord for an id that names nobody, too."""
    text = name(value, field)
    if text is not None and names_nobody(text):
        raise BadRecord(field, f"{shown(value)} names nobody, so it is the customer of no event")
    return text


def any_name(value: object, field: str, unread: Unread, longest: int = LONGEST_NAME) -> str | None:
    """As `name`; what is no name gives None and is reported in `unread`."""
    if value is None:
        return None
    if type(value) is str and len(value) <= longest and value.isprintable():
        return value.strip() or None
    try:
        return name(value, field, longest)
    except BadRecord as bad:
        unread.append(bad)
        return None


def order_number(value: object, field: str, unread: Unread) -> str | None:
    """As `any_name`; a word that many orders share, such as `undefined`, is refused too, as they are not one order."""
    text = any_name(value, field, unread)
    if text is None or not names_nobody(text):
        return text
    unread.append(BadRecord(field, f"{shown(value)} is the number of no order", "no_order"))
    return None


def label(value: object, field: str, unread: Unread) -> str | None:
    """As `name`, for a text that is no id: one that is too long is cut, half a character is replaced."""
    if type(value) is str and len(value) <= LONGEST_NAME and value.isprintable():
        return value.strip() or None
    try:
        return name(value, field)
    except BadRecord as bad:
        if not isinstance(value, str):
            raise
        unread.append(bad)
        return name(mended_text(value.replace("\x00", "\ufffd"))[:LONGEST_NAME], field)


def mended_text(text: str) -> str:
    """The text with a replacement character in the place of each half character (lone surrogate)."""
    return _HALVES.sub("\ufffd", text)


def mended(value: Any) -> Any:
    """A value with every text in it mended, so that it can be stored and sent on."""
    if isinstance(value, str):
        return mended_text(value)
    if isinstance(value, dict):
        return {mended_text(key): mended(member) for key, member in value.items()}
    if isinstance(value, list):
        return [mended(member) for member in value]
    return value


def number(value: object, field: str, scale: float = 1.0) -> float:
    """A finite number from 0 to `LARGEST`; NaN when absent.

    With a `scale` it is multiplied, and rounded to nine decimals: 4980 cents are 49.8, not 49.800000000000004.
    """
    if type(value) is float and scale == 1.0 and 0.0 <= value <= LARGEST:
        return value
    result = signed(value, field, scale)
    if not 0 <= result <= LARGEST and result == result:  # noqa: PLR0124  (NaN, for what is absent)
        code = "negative" if result < 0 else "too_large"
        raise BadRecord(field, f"expected a number from 0 to {LARGEST:g}, got {shown(value)}", code)
    return result


def signed(value: object, field: str, scale: float = 1.0) -> float:
    """As `number`, but it may be below 0."""
    if value is None or value == "":
        return math.nan
    if isinstance(value, bool):
        raise BadRecord(field, f"expected a number, got {shown(value)}", "not_a_number")
    try:
        result = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        result = _written(value, field)
    if scale != 1.0:
        result = round(result * scale, 9)
    if not math.isfinite(result):
        raise BadRecord(field, f"expected a finite number, got {shown(value)}", "not_finite")
    return result


def _written(value: object, field: str) -> float:
    """The number that a text written by people means."""
    try:
        result = numbers.written(value) if isinstance(value, str) else None
    except numbers.Ambiguous:
        raise BadRecord(field, f"{shown(value)} can mean two numbers; expected such as 1234.5", "ambiguous") from None
    if result is None:
        raise BadRecord(field, f"expected a number, got {shown(value)}", "not_a_number")
    return result


def any_number(value: object, field: str, unread: Unread) -> float:
    """As `number`; what is no number gives NaN and is reported in `unread`."""
    if value is None:
        return math.nan
    if type(value) is float and 0.0 <= value <= LARGEST:
        return value
    try:
        return number(value, field)
    except BadRecord as bad:
        unread.append(bad)
        return math.nan


def kind(value: object, field: str) -> Kind:
    """The kind of this name, in any case of letters."""
    member = KINDS.get(value.strip().upper()) if isinstance(value, str) else None
    if member is not None:
        return member
    if isinstance(value, str) and value.strip().upper() in ("DECISION", "REWARD"):
        raise BadRecord(field, f"{shown(value)} is written by Waypost itself: use /v1/next-best-action and /v1/rewards")
    if value is None or value == "":
        raise BadRecord(field, "missing: every event has a kind, such as ITEM_VIEW")
    raise BadRecord(field, f"unknown kind {shown(value)}; expected one such as ITEM_VIEW (docs/sources.md has all)")


def channel(value: object, field: str) -> Channel:
    """The channel of this name, in any case of letters; UNKNOWN when absent."""
    if value is None or value == "":
        return _UNKNOWN
    member = CHANNELS.get(value.strip().upper().replace(" ", "_")) if isinstance(value, str) else None
    if member is None:
        raise BadRecord(
            field,
            f"unknown channel {shown(value)}; expected one such as EMAIL (docs/sources.md has all)",
            "unknown_channel",
        )
    return member


def any_channel(value: object, field: str, unread: Unread) -> Channel:
    """As `channel`; a name of no channel gives UNKNOWN and is reported in `unread`."""
    try:
        return channel(value, field)
    except BadRecord as bad:
        unread.append(bad)
        return _UNKNOWN


def choice(table: Mapping[str, _Chosen], value: object, field: str) -> _Chosen:
    """What `table` has for exactly this text."""
    if isinstance(value, str) and value in table:
        return table[value]
    raise BadRecord(field, f"expected one of {', '.join(table)}, got {shown(value)}")


def properties(value: object, field: str) -> dict[str, Any]:
    """The sender's further properties, an object; empty when absent, and for `[]`, as PHP writes an empty object."""
    if type(value) is not dict:
        if value is None or value in ("", []):
            return {}
        raise BadRecord(field, f"expected an object, got {shown(value)}", "not_an_object")
    if len(value) > MOST_PROPERTIES:
        raise BadRecord(field, f"{len(value)} properties, expected at most {MOST_PROPERTIES}", "too_many")
    return value


def any_properties(value: object, field: str, unread: Unread) -> dict[str, Any]:
    """As `properties`; what is no object, or too large a one, gives an empty one and is reported in `unread`."""
    if value is None:
        return {}
    if type(value) is dict and len(value) <= MOST_PROPERTIES:
        return value
    try:
        return properties(value, field)
    except BadRecord as bad:
        unread.append(bad)
        return {}


def admit(
    message_id: str,
    customer: str | None,
    kind: Kind,
    at: int,
    received: int,
    history: bool,
    channel: Channel = Channel.UNKNOWN,
    item: str | None = None,
    category: str | None = None,
    quantity: float = math.nan,
    amount: float = math.nan,
    order_id: str | None = None,
    score: float = math.nan,
    properties: Mapping[str, Any] | None = None,
    unread: Unread | None = None,
) -> Event:
    """The event, after the checks of its customer, its time and its score.

    Names and numbers must have passed `name` and `number`. Raises BadRecord naming `customer`, `at`, `score`, or a
    property that should hold another id of the customer and holds none. With `unread`, such a property is left out and
    reported, and so is a score that the event can do without.
    """
    if not customer:
        raise BadRecord("customer", "missing: every event belongs to a customer")
    if kind is IDENTIFY and properties:
        properties = _joining(properties, unread)
    if not EARLIEST <= at <= received:
        at = _clamped(at, received)
    if kind in SCALES:
        score = _within_scale(kind, score, unread)
    return Event(
        message_id,
        customer,
        kind,
        at,
        at if history else received,
        channel,
        item,
        category,
        quantity,
        amount,
        order_id,
        score,
        {} if properties is None else properties,
    )


def _joining(properties: Mapping[str, Any], unread: Unread | None) -> Mapping[str, Any]:
    """The properties of an `IDENTIFY`: the ids in them become customers, so they must be names as customers have."""
    given = {key: properties[key] for key in JOINS if key in properties}
    joined = {
        key: name(value, f"properties.{key}") if unread is None else any_name(value, f"properties.{key}", unread)
        for key, value in given.items()
    }
    return properties if joined == given else {**properties, **joined}


def _clamped(at: int, received: int) -> int:
    if at < EARLIEST:
        raise BadRecord("at", f"{iso(at)} is before 1990: a wrong unit, or a broken clock")
    if at > received + TOLERANCE:
        raise BadRecord("at", f"{iso(at)} is in the future: it is {iso(received)} now")
    return received


def _within_scale(kind: Kind, score: float, unread: Unread | None) -> float:
    """The score of a survey or a review, NaN for one that is left out."""
    low, high = SCALES[kind]
    if math.isnan(score):
        if kind in _SURVEYS:
            raise BadRecord("score", f"missing: {kind.name} is an answer from {low:g} to {high:g}")
    elif not low <= score <= high:
        reason = f"{score:g} is not an answer to {kind.name}: expected {low:g} to {high:g}"
        if unread is None or kind in _SURVEYS:
            raise BadRecord("score", reason)
        unread.append(BadRecord("score", reason, "out_of_scale"))
        return math.nan
    return score
