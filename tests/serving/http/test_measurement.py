"""GA4's Measurement Protocol over HTTP."""

from __future__ import annotations

import json
from typing import Any

import pytest
from starlette.testclient import TestClient

from serving.http.resources.measurement import ValidationAnswer
from tests.serving.answers import ok
from tests.serving.conftest import Place

AT = 1_772_352_000_000_000


def collect(client: TestClient, **body: Any) -> None:
    response = client.post("/mp/collect?measurement_id=G-1&api_secret=any", json={"client_id": "1.2", **body})
    assert (response.status_code, response.content) == (204, b"")


def kinds(client: TestClient, customer: str) -> list[str]:
    return sorted(event["kind"] for event in client.get(f"/v1/customers/{customer}").json()["events"])


def test_events_are_taken_in_once_and_two_ids_are_one_customer(client: TestClient) -> None:
    collect(client, timestamp_micros=AT, events=[{"name": "page_view"}])
    assert kinds(client, "1.2") == ["PAGE_VIEW"]
    purchase = {"name": "purchase", "params": {"transaction_id": "o-1", "value": 5, "items": [{"item_id": "item-1"}]}}
    for _ in range(2):
        collect(client, user_id="ada", timestamp_micros=AT + 1, events=[{"name": "login"}, purchase])
    expected = ["IDENTIFY", "LOGIN", "PAGE_VIEW", "PURCHASE", "PURCHASED_ITEM"]
    assert kinds(client, "ada") == kinds(client, "1.2") == expected


def test_what_is_at_fault_is_a_dead_letter_and_the_rest_is_taken(client: TestClient, place: Place) -> None:
    collect(client, events=[{"name": "login"}, {"params": {}}, {"name": "purchase", "params": {"value": "lots"}}])
    assert kinds(client, "1.2") == ["LOGIN", "PURCHASE"]
    for body in (b"{", b"[]", b"", b'{"client_id": "1.2"}'):
        assert client.post("/mp/collect", content=body).status_code == 204
    engine = place.engine()
    letters = engine.states.log.dead_letters(100)
    engine.states.close()
    assert [letter.field for letter in letters] == ["event.name", "", "", "", "events"]
    assert {letter.source for letter in letters} == {"measurement"}
    assert json.loads(letters[0].raw)["event"] == {"params": {}}
    assert [letter.raw for letter in letters[1:4]] == [b"{", b"[]", b""]


def test_a_denied_consent_withholds_what_follows(client: TestClient, place: Place) -> None:
    denied = {"consent": {"ad_user_data": "GRANTED", "ad_personalization": "DENIED"}}
    collect(client, **denied, events=[{"name": "page_view"}])
    collect(client, events=[{"name": "page_view"}])
    place.now += 2_000_000
    collect(client, events=[{"name": "consent_granted"}, {"name": "login"}])
    engine = place.engine()
    found = [event.kind.name for event in engine.states.log.events("1.2", 10)]
    engine.states.close()
    assert found == ["LOGIN", "CONSENT_GRANT", "CONSENT_WITHDRAW"]


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"client_id": "1.2", "events": [{"name": "login"}]}, []),
        ({"events": [{"name": "login"}]}, [("client_id", "VALUE_REQUIRED")]),
        ({"client_id": "1.2", "events": [{}]}, [("event.name", "VALUE_REQUIRED")]),
        ({"client_id": "1.2", "events": 3}, [("events", "VALUE_INVALID")]),
        (
            {"client_id": "1.2", "events": [{"name": "purchase", "params": {"value": "lots", "items": [3]}}]},
            [("event.params.items[0]", "VALUE_INVALID"), ("event.params.value", "VALUE_INVALID")],
        ),
        (3, [("", "VALUE_INVALID")]),
        ({"client_id": "1.2", "timestamp_micros": "x", "events": []}, []),
        ({"client_id": "1.2", "events": [{"name": "login"}] * 26}, [("events", "EXCEEDED_MAX_ENTITIES")]),
    ],
)  # fmt: skip
def test_the_debug_route_tells_what_is_wrong_and_takes_nothing(
    client: TestClient, place: Place, body: Any, expected: list[tuple[str, str]]
) -> None:
    answer = ok(client.post("/debug/mp/collect", json=body), ValidationAnswer)
    told = [(each["fieldPath"], each["validationCode"]) for each in answer["validationMessages"]]
    assert told == expected
    assert all(each["description"] for each in answer["validationMessages"])
    engine = place.engine()
    assert engine.states.log.dead_letters(10) == []
    assert engine.states.log.profile("1.2") == []
    engine.states.close()
