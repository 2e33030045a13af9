from __future__ import annotations

from typing import Any

import pytest

from features.events import Event, Kind
from features.identity.rules import joined
from features.sources.fields.names import GA4
from features.sources.formats import ga4
from features.sources.formats.measurement import parse, requests
from tests.features.sources.ledger import NOW, refused

AT = 1_772_352_000_000_000


def events(**body: Any) -> list[Event]:
    return parse({"client_id": "1.2", "timestamp_micros": AT, **body}, NOW)


@pytest.mark.parametrize("name", GA4)
def test_every_name_of_google_is_understood(name: str) -> None:
    (event,) = events(events=[{"name": name}])
    assert (event.kind, event.customer, event.at) == (GA4[name], "1.2", AT)


def test_equal_events_of_a_request_are_several() -> None:
    viewed = {"name": "page_view", "params": {"page_title": "Lamps"}}
    body = {"client_id": "1.2", "events": [viewed, viewed]}
    for dated in (body, {**body, "timestamp_micros": AT}):
        assert len({event.message_id for event in parse(dated, NOW)}) == 2


def test_a_purchase_is_the_purchase_of_the_export() -> None:
    items = [
        {"item_id": "L1", "item_category": "lighting", "price": 24.9, "quantity": 2},
        {"item_id": "B1", "price": 3},
    ]
    params = {"transaction_id": "o-1", "value": 52.8, "tax": 9, "items": items, "coupon": "SPRING"}
    sent = events(events=[{"name": "purchase", "params": params}])
    row = {
        "event_name": "purchase",
        "event_timestamp": AT,
        "user_pseudo_id": "1.2",
        "platform": "WEB",
        "event_params": [{"key": key, "value": {"value": value}} for key, value in params.items() if key != "items"],
        "items": items,
    }
    exported = ga4.parse(row, NOW)
    assert repr(sent) == repr(exported)
    assert [(event.kind, event.amount) for event in sent] == [
        (Kind.PURCHASE, 52.8),
        (Kind.PURCHASED_ITEM, 49.8),
        (Kind.PURCHASED_ITEM, 3.0),
    ]


def test_a_user_is_joined_to_the_client_once() -> None:
    first = events(user_id="ada", events=[{"name": "page_view"}])
    later = parse({"client_id": "1.2", "user_id": "ada", "events": []}, NOW)
    assert [(event.kind, event.customer) for event in first] == [(Kind.IDENTIFY, "ada"), (Kind.PAGE_VIEW, "ada")]
    assert joined(first[0]) == "1.2"
    assert [event.message_id for event in later] == [first[0].message_id]
    assert parse({"client_id": "ada", "user_id": "ada", "events": []}, NOW) == []
    (alone,) = events(user_id="undefined", events=[{"name": "page_view"}])
    assert alone.customer == "1.2", "an id that names nobody is none"


def test_a_request_with_its_time_makes_the_same_events_again() -> None:
    body = {"events": [{"name": "add_to_cart", "params": {"items": [{"item_id": "L1"}, {"item_id": "L2"}]}}] * 2}
    first, again = events(**body), parse({"client_id": "1.2", "timestamp_micros": AT, **body}, NOW + 5)
    ids = [event.message_id for event in first]
    assert [event.message_id for event in again] == ids
    assert len(set(ids)) == 4, "two equal events of one request are two"
    later = parse({"client_id": "1.2", "timestamp_micros": AT + 1, **body}, NOW)
    assert not {event.message_id for event in later} & set(ids)


def test_an_event_may_have_a_time_of_its_own_and_none_means_now() -> None:
    own, shared = events(events=[{"name": "login", "timestamp_micros": str(AT + 7)}, {"name": "login"}])
    assert (own.at, shared.at) == (AT + 7, AT)
    (now,) = parse({"client_id": "1.2", "events": [{"name": "login"}]}, NOW)
    assert (now.at, now.received) == (NOW, NOW)


def test_a_request_is_taken_apart_so_that_a_faulty_event_is_alone() -> None:
    parts = requests({"client_id": "1.2", "user_id": "ada", "api": 1, "events": [{"name": "login"}, 3]})
    assert [part.get("event", "who") for part in parts] == ["who", {"name": "login"}, 3]
    assert parse(parts[1], NOW)[0].kind is Kind.LOGIN
    with refused("event", "expected an object"):
        parse(parts[2], NOW)
    with refused("events"):
        requests({"client_id": "1.2"})
