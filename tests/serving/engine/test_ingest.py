"""What arrives is sorted: no id that a log cannot hold joins another, and letters are found by every id they name."""

from __future__ import annotations

import asyncio
import json
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from starlette.testclient import TestClient

from features.log import open_log
from features.log.contract import DeadLetter
from serving.engine.dead_letters import DeadLetterReport
from serving.engine.engine import Engine
from serving.engine.ingest import only_customer
from serving.http.resources import measurement
from serving.process.worker import Worker
from tests import postgres
from tests.serving.conftest import Place, serve
from tests.serving.engine.test_dead_letters import letter, replayed
from tests.serving.process.test_worker import worker_at

UNFIT = ("visitor\x00", "v" * 20_000)
"""Ids that PostgreSQL cannot store, or cannot index."""


def batch(client: TestClient, *messages: dict[str, Any]) -> dict[str, Any]:
    """The answer to a batch, which must be 200."""
    response = client.post("/v1/batch", json={"batch": list(messages)})
    assert response.status_code == 200, response.text
    told: dict[str, Any] = response.json()
    return told


def letters(place: Place) -> list[DeadLetter]:
    """The dead letters of a place."""
    with closing(open_log(place.store)) as log:
        return log.dead_letters(100)


@pytest.mark.parametrize("kind", ["sqlite", pytest.param("postgresql", marks=pytest.mark.slow)])
def test_an_id_that_cannot_be_a_customers_joins_nothing_and_holds_nobody_up(
    place: Place, tmp_path: Path, kind: str
) -> None:
    store = place.store if kind == "sqlite" else postgres.place(tmp_path)
    with serve(place, WAYPOST_STORE=store) as client:
        wrong = [{"type": "identify", "userId": "anna", "anonymousId": each} for each in UNFIT]
        told = batch(client, *wrong, {"type": "track", "userId": "anna", "event": "Product Viewed"})
        assert (told["accepted"], told["rejected"]) == (3, [])
        assert [(each["index"], each["field"], each["code"]) for each in told["warnings"]] == [
            (0, "properties.anonymous_id", "not_text"),
            (1, "properties.anonymous_id", "too_long"),
        ]
        for each in UNFIT:
            event = {"customer": "anna", "kind": "IDENTIFY", "properties": {"previous_id": each}}
            (warning,) = client.post("/v1/events", json=event).json()["warnings"]
            assert warning["field"] == "properties.previous_id"
        assert client.get("/v1/customers/anna").json()["ids"] == ["anna"]


def test_half_a_character_in_a_letter_stays_a_letter_and_the_others_are_read(engine: Engine) -> None:
    half = rb'{"customer": "\ud800", "kind": "LOGIN"}'
    unfit = {"customer": "anna\x00", "kind": "LOGIN"}
    engine.states.log.reject([letter(half), letter(unfit, 1), letter({"customer": "anna", "kind": "LOGIN"}, 2)])
    assert replayed(engine) == DeadLetterReport(letters=3, settled=1, accepted=1, remaining=2)


def test_a_letter_of_several_ids_is_erased_with_any_of_them(place: Place) -> None:
    bad = {"timestamp": "noon"}
    with serve(place) as client:
        batch(
            client,
            {"type": "track", "userId": "anna", "anonymousId": "visitor-1", "event": "Product Viewed", **bad},
            {"type": "alias", "userId": "anna", "previousId": "visitor-2", **bad},
            {"type": "track", "userId": " berta ", "event": "Product Viewed", **bad},
        )
        event = {"customer": "anna", "kind": "IDENTIFY", "at": "noon", "properties": {"anonymous_id": "visitor-3"}}
        client.post("/v1/events", json=event)
        assert len(letters(place)) == 4
        for who in ("visitor-1", "visitor-2", "visitor-3", "berta"):
            assert client.delete(f"/v1/customers/{who}").json()["dead_letters"] == 1
    assert letters(place) == []


def test_a_letter_of_several_ids_is_handed_out_to_its_customer_alone(place: Place) -> None:
    bad = {"timestamp": "noon", "properties": {"quantity": 5}}
    with serve(place) as client:
        batch(client, {"type": "track", "userId": "anna", "anonymousId": "visitor-1", "event": "Product Viewed", **bad})
        for who, number in (("anna", 1), ("visitor-1", 1), ("5", 0), ("Product", 0)):
            lines = client.get(f"/v1/customers/{who}/export").text.splitlines()
            assert sum(json.loads(line)["record"] == "dead_letter" for line in lines) == number


@pytest.mark.parametrize(
    ("record", "expected"),
    [
        ({"userId": "anna", "anonymousId": "anna"}, "anna"),
        ({"userId": 17}, "17"),
        ({"userId": "anna", "anonymousId": None}, "anna"),
        ({"userId": "anna", "anonymousId": 17}, None),
        ({"userId": ["anna"]}, None),
        ({"userId": "anna", "properties": {"anonymous_id": "visitor"}}, None),
        ({"userId": "anna", "properties": "none"}, "anna"),
        (b"{", None),
    ],
)
def test_the_customer_of_a_letter_is_told_when_it_is_the_only_id(record: object, expected: str | None) -> None:
    assert only_customer(record, ("userId", "anonymousId")) == expected


def test_no_letter_holds_a_key(place: Place) -> None:
    with serve(place) as client:
        batch(client, {"type": "dance", "userId": "anna", "writeKey": "secret"})
    (kept,) = letters(place)
    assert b"secret" not in kept.raw


def test_a_long_request_of_measurements_leaves_turns_to_others(place: Place) -> None:
    body = json.dumps({"client_id": "1.2", "events": [{"name": "login"}] * 2_000}).encode()

    async def turns(worker: Worker) -> int:
        sorting = asyncio.ensure_future(measurement._ingested(worker, body, place.now))
        number = 0
        while not sorting.done():
            number += 1
            await asyncio.sleep(0)
        assert len((await sorting).batch.events) == 2_000
        return number

    assert asyncio.run(turns(worker_at(place))) > 5
