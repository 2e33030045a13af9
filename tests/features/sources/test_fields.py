from __future__ import annotations

import math

import pytest

from features.events import DAY, Channel, Event, Kind
from features.sources import BadRecord
from features.sources.fields import fields
from tests.features.sources.ledger import refused

NOW = 1_772_366_400_000_000


def admit(at: int = NOW, customer: str | None = "ada", kind: Kind = Kind.ITEM_VIEW, score: float = math.nan) -> Event:
    return fields.admit("m", customer, kind, at, NOW, False, score=score)


def test_a_clock_that_is_a_little_ahead_is_taken_as_now() -> None:
    assert admit(NOW + DAY).at == NOW
    assert admit(NOW - 5).at == NOW - 5
    with refused("at", "2026-03-02T12:00:01Z is in the future: it is 2026-03-01T12:00:00Z now"):
        admit(NOW + DAY + 1_000_000)


def test_a_time_before_1990_is_a_wrong_unit() -> None:
    assert admit(fields.EARLIEST).at == fields.EARLIEST
    with refused("at"):
        admit(fields.EARLIEST - 1)


def test_history_was_received_when_it_happened() -> None:
    assert fields.admit("m", "ada", Kind.ITEM_VIEW, NOW - DAY, NOW, True).received == NOW - DAY
    assert fields.admit("m", "ada", Kind.ITEM_VIEW, NOW - DAY, NOW, False).received == NOW
    ahead = fields.admit("m", "ada", Kind.ITEM_VIEW, NOW + 1, NOW, True)
    assert ahead.at == ahead.received == NOW


def test_an_id_that_joins_is_a_name_like_any_customers() -> None:
    def joining(other: object, kind: Kind = Kind.IDENTIFY) -> object:
        told = {"anonymous_id": other, "plan": "gold"}
        return fields.admit("m", "ada", kind, NOW, NOW, False, properties=told).properties["anonymous_id"]

    assert [joining(other) for other in ("visitor", " visitor ", 123, 7.0, "")] == [
        "visitor",
        "visitor",
        "123",
        "7",
        None,
    ]
    for other in ("a\0b", "\ud800", "x" * 257, True, {"id": "visitor"}):
        with refused("properties.anonymous_id"):
            joining(other)
        assert joining(other, Kind.ITEM_VIEW) == other


@pytest.mark.parametrize("customer", [None, ""])
def test_every_event_has_a_customer(customer: str | None) -> None:
    with refused("customer"):
        admit(customer=customer)


@pytest.mark.parametrize(
    ("kind", "score", "fits"),
    [
        (Kind.SURVEY_NPS, 0, True),
        (Kind.SURVEY_NPS, 10, True),
        (Kind.SURVEY_NPS, 10.5, False),
        (Kind.SURVEY_NPS, math.nan, False),
        (Kind.SURVEY_CSAT, 0, False),
        (Kind.SURVEY_EFFORT, 7, True),
        (Kind.REVIEW, 5, True),
        (Kind.REVIEW, 6, False),
        (Kind.REVIEW, math.nan, True),
        (Kind.ITEM_VIEW, 99, True),
    ],
)
def test_scores_stay_on_their_scale(kind: Kind, score: float, fits: bool) -> None:
    if fits:
        admit(kind=kind, score=score)
    else:
        with refused("score"):
            admit(kind=kind, score=score)


def test_names_are_text_within_bounds() -> None:
    assert fields.name("  ada ", "customer") == "ada"
    assert fields.name(42, "customer") == "42"
    assert fields.name(42.0, "customer") == "42"
    assert fields.name("Zoë 👩\u200d💻", "customer") == "Zoë 👩\u200d💻"
    assert fields.name("x" * 256, "customer") == "x" * 256
    assert fields.name(None, "customer") is fields.name("  ", "customer") is None


@pytest.mark.parametrize("value", ["x" * 257, True, 4.2, ["ada"], {"id": 1}, "a\x00b", "\ud800"])
def test_other_names_are_refused(value: object) -> None:
    with refused("item"):
        fields.name(value, "item")


def test_numbers_are_finite_and_not_negative() -> None:
    assert fields.number("12.5", "amount") == 12.5
    assert fields.number(4_980, "amount", 0.01) == 49.8
    assert fields.number(0, "amount") == 0
    assert math.isnan(fields.number(None, "amount"))
    assert math.isnan(fields.number("", "amount"))


@pytest.mark.parametrize("value", [-0.01, "-1", math.nan, math.inf, "inf", "1e999", 10**400, True, "ten", [1], {}])
def test_other_numbers_are_refused(value: object) -> None:
    with refused("amount"):
        fields.number(value, "amount")


def test_kinds_and_channels_go_by_name_in_any_case() -> None:
    assert fields.kind("item_view", "kind") is Kind.ITEM_VIEW
    assert fields.channel("Direct mail", "channel") is Channel.DIRECT_MAIL
    assert fields.channel(None, "channel") is Channel.UNKNOWN
    for strange in ("gaze", None, 14, ""):
        with refused("kind"):
            fields.kind(strange, "kind")
    for strange in ("pigeon", 1):
        with refused("channel"):
            fields.channel(strange, "channel")


@pytest.mark.parametrize("name", ["DECISION", "reward"])
def test_what_waypost_writes_itself_cannot_be_sent(name: str) -> None:
    with refused("kind", "written by Waypost itself: use /v1/"):
        fields.kind(name, "kind")


def test_a_reason_shows_a_long_value_shortly() -> None:
    with pytest.raises(BadRecord) as caught:
        fields.number("9" * 5_000 + "x", "amount")
    assert len(caught.value.reason) < 120
