from __future__ import annotations

import json
import math
from typing import Any

import pytest

from features.events import Channel, Event, Kind
from features.sources import SOURCES
from features.sources.contract import Unread
from features.sources.formats.waypost import parse
from features.times import iso
from tests.features.sources.ledger import NOW, refused, take


def test_every_field_finds_its_place() -> None:
    sent = {
        "message_id": "m-1",
        "customer": "ada",
        "kind": "purchased_item",
        "at": "2026-03-01T12:00:00Z",
        "channel": "web",
        "item": "lamp",
        "category": "lighting",
        "quantity": 2,
        "amount": 49.8,
        "order_id": "o-1",
        "properties": {"gift": True},
    }
    assert parse({**sent, "kind": "REVIEW", "score": 4}, NOW) == Event(
        message_id="m-1",
        customer="ada",
        kind=Kind.REVIEW,
        at=1_772_366_400_000_000,
        received=NOW,
        channel=Channel.WEB,
        item="lamp",
        category="lighting",
        quantity=2,
        amount=49.8,
        order_id="o-1",
        score=4,
        properties={"gift": True},
    )
    assert math.isnan(parse(sent, NOW).score)


def test_a_live_event_without_a_time_happened_now_but_history_must_say_when() -> None:
    assert parse({"customer": "ada", "kind": "LOGIN"}, NOW).at == NOW
    assert parse({"customer": "ada", "kind": "LOGIN", "at": ""}, NOW).at == NOW
    with refused("at", "missing"):
        parse({"customer": "ada", "kind": "LOGIN"}, NOW, history=True)


@pytest.mark.parametrize("at", [0, False, [], {}, 1.5])
def test_what_is_no_time_is_not_taken_for_now(at: Any) -> None:
    with refused("at", "ISO 8601"):
        parse({"customer": "ada", "kind": "LOGIN", "at": at}, NOW)


def test_an_event_without_an_id_gets_one_from_its_content() -> None:
    one = parse({"customer": "ada", "kind": "LOGIN"}, NOW)
    assert one.message_id == parse({"kind": "LOGIN", "customer": "ada"}, NOW).message_id
    assert one.message_id != parse({"customer": "bob", "kind": "LOGIN"}, NOW).message_id
    assert one.message_id != parse({"customer": "ada", "kind": "LOGIN"}, NOW + 1).message_id
    assert parse({"customer": "ada", "kind": "LOGIN"}, NOW, lambda: "given").message_id == "given"
    assert parse({"customer": "ada", "kind": "LOGIN", "message_id": "own"}, NOW, lambda: "given").message_id == "own"


@pytest.mark.parametrize(
    ("change", "field", "said"),
    [
        ({"message_id": "m" * 101}, "message_id", "101 characters, expected at most 100"),
        ({"at": iso(NOW + 2 * 86_400_000_000)}, "at", "in the future"),
        ({"kind": "REWARD"}, "kind", "/v1/rewards"),
    ],
)
def test_a_fault_names_its_field(change: dict[str, Any], field: str, said: str) -> None:
    with refused(field, said):
        parse({"customer": "ada", "kind": "ITEM_VIEW", **change}, NOW)


@pytest.mark.parametrize(
    ("change", "field", "code", "said"),
    [
        ({"ammount": 3}, "ammount", "unknown_field", "unknown field; expected amount"),
        ({"amount": -1}, "amount", "negative", "from 0 to 1e+15, got -1"),
        ({"quantity": 1e300}, "quantity", "too_large", "from 0 to 1e+15, got 1e+300"),
        ({"amount": True}, "amount", "not_a_number", "expected a number"),
        ({"amount": math.nan}, "amount", "not_finite", "expected a finite number"),
        ({"properties": [1]}, "properties", "not_an_object", "expected an object"),
        ({"channel": "pigeon"}, "channel", "unknown_channel", "'pigeon'"),
        ({"item": "\ud800"}, "item", "not_text", "half a character"),
        ({"kind": "REVIEW", "score": 11}, "score", "out_of_scale", "expected 1 to 5"),
    ],
)
def test_a_value_that_cannot_be_read_is_left_out_and_told(
    change: dict[str, Any], field: str, code: str, said: str
) -> None:
    unread: Unread = []
    sent = {"customer": "ada", "kind": "ITEM_VIEW", "message_id": "m", **change}
    event = parse(sent, NOW, unread=unread)
    assert [(bad.field, bad.code) for bad in unread] == [(field, code)]
    assert said in unread[0].reason
    kept = {name: value for name, value in sent.items() if name != field}
    assert repr(event) == repr(parse(kept, NOW)), "the event is what it would be without the value"


def test_every_kind_can_be_sent_but_those_that_waypost_writes(tmp_path: Any) -> None:
    path = tmp_path / "kinds.jsonl"
    lines = [
        {"customer": "ada", "kind": kind.name, "at": "2026-03-01T12:00:00Z", "score": 3, "message_id": kind.name}
        for kind in Kind
    ]
    path.write_text("\n".join(map(json.dumps, lines)))
    report, ledger = take(path, "waypost")
    assert {event.kind for event in ledger.events} == set(Kind) - {Kind.DECISION, Kind.REWARD}
    assert report.faults == {"kind": 2}


def test_its_own_shape_also_comes_as_a_table(tmp_path: Any) -> None:
    path = tmp_path / "events.csv"
    path.write_text("customer,kind,at,amount,properties\nada,PURCHASE,2026-03-01T12:00:00Z,12.5,\n")
    assert [event.amount for event in take(path, "waypost")[1].events] == [12.5]
    assert SOURCES["waypost"].parse({"customer": "ada", "kind": "LOGIN"}, NOW)[0].kind is Kind.LOGIN
