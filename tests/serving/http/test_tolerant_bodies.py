"""One message of a body is broken, in any way: its neighbours go in, and it is read or kept with its bytes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from dataclasses import replace
from time import perf_counter
from typing import Any, NamedTuple

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic_core import from_json

from features.journey import JOURNEY
from features.sources.fields.privacy import DEFAULT
from features.sources.readers.broken_json import parts
from serving.engine.batch import Batch, BatchResult
from serving.engine.dead_letters import DeadLetterReport, Replay
from serving.http.app import application
from serving.http.routes import ROUTES
from serving.process.worker import Worker
from serving.settings import read_settings
from tests.examples import examples
from tests.serving.answers import fails
from tests.serving.breaks import some
from tests.serving.conftest import NOW, Place, serve
from tests.serving.http.test_bodies import post

NUMBER = 50
PRODUCT = {"product_id": "L1", "name": "Blue lamp", "price": 12.5, "quantity": 2}
AROUND = {"library": {"name": "a client", "version": "2.4.0"}}


class Shape(NamedTuple):
    """What one client sends: where to, one of its messages, and the body around messages."""

    path: str
    message: Callable[[int], dict[str, Any]]
    before: str
    after: str
    closely: bool = False


def _python(number: int) -> dict[str, Any]:
    return {
        "integrations": {}, "anonymousId": None, "properties": {"revenue": 25, "products": [PRODUCT, PRODUCT]},
        "timestamp": "2026-05-21T20:41:12.331+00:00", "context": AROUND, "type": "track", "event": "Order Completed",
        "userId": f"u-{number}", "messageId": f"m-{number}",
    }  # fmt: skip


def _rudder(number: int) -> dict[str, Any]:
    return {
        "integrations": {"All": True}, "anonymousId": f"a-{number}", "properties": PRODUCT, "context": AROUND,
        "timestamp": "2026-05-21T20:41:31.946Z", "type": "track", "event": "Product Viewed",
        "messageId": f"m-{number}", "channel": "server", "traits": [],
    }  # fmt: skip


def _node(number: int) -> dict[str, Any]:
    return {
        "timestamp": "2026-05-21T20:41:56.074Z", "integrations": {}, "type": "track", "userId": f"u-{number}",
        "event": "Products Searched", "properties": {"filters": [{"type": "colour", "value": "blue"}], **PRODUCT},
        "context": {"page": {"path": "/"}, **AROUND}, "messageId": f"node-{number}",
        "_metadata": {"nodeVersion": "v20.20.2", "jsRuntime": "node"},
    }  # fmt: skip


def _ga4(number: int) -> dict[str, Any]:
    item = {"item_id": "L1", "item_name": "Blue lamp", "price": 12.5, "quantity": 1}
    return {"name": "purchase", "params": {"transaction_id": f"t-{number}", "value": 25, "items": [item, item]}}


def _own(number: int) -> dict[str, Any]:
    properties = {"name": "Blue lamp", "products": [PRODUCT], "source": "till"}
    return {
        "customer": f"u-{number}", "kind": "PURCHASE", "amount": 12.5, "message_id": f"m-{number}",
        "properties": properties,
    }  # fmt: skip


SHAPES = {
    "segment-analytics-python": Shape("/v1/batch", _python, '{"batch": [', '], "sentAt": "2026-05-28T20:26:40+00:00"}'),
    "rudder-sdk-python": Shape("/v1/batch", _rudder, '{"sentAt": "2026-05-28T20:26:40Z", "batch": [', "]}"),
    "analytics-node": Shape("/v1/batch", _node, '{"batch":[', '],"writeKey":"k","context":{"a":[1,"]"]}}', True),
    "ga4": Shape("/mp/collect", _ga4, '{"client_id": "1.2", "events": [', '], "timestamp_micros": 1779000000000000}'),
    "own list": Shape("/v1/events", _own, "[", "]\n"),
    "own events": Shape("/v1/events", _own, '{"events": [', "]}"),
}
ROUTE = {route.path: route for route in ROUTES if route.method == "POST"}


def body_of(shape: Shape, messages: list[bytes]) -> bytes:
    """The body of a shape around messages."""
    return shape.before.encode() + (b"," if shape.closely else b", ").join(messages) + shape.after.encode()


def written(shape: Shape, number: int) -> bytes:
    """A message as its client writes it."""
    return json.dumps(shape.message(number), separators=(",", ": ")).encode()


def own(shape: Shape, number: int) -> str:
    """By what the events of a message can be told: its id, or its order."""
    message = shape.message(number)
    found: str = message.get("messageId") or message.get("message_id") or message["params"]["transaction_id"]
    return found


@pytest.mark.slow
@pytest.mark.parametrize("name", SHAPES)
def test_of_fifty_messages_one_of_which_is_broken_all_others_go_in(
    place: Place, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape = SHAPES[name]
    good = [written(shape, number) for number in range(NUMBER)]
    neighbours = {own(shape, number) for number in range(1, NUMBER)}
    taken: list[Batch] = []
    kept = read = 0

    async def record(worker: Worker, batch: Batch) -> BatchResult:
        taken.append(batch)
        return BatchResult(["accepted"] * len(batch.events), 0)

    async def run() -> None:
        nonlocal kept, read
        worker = Worker(read_settings(place.environment(WAYPOST_REQUESTS_PER_SECOND="0")), JOURNEY, lambda: place.now)
        app = application(worker, ROUTES)
        for turn, broken in enumerate(some(good[0])):
            at = (0, NUMBER - 1, turn % NUMBER)[turn % 3]
            body = body_of(shape, [*good[1 : at + 1], broken, *good[at + 1 :]])
            status, answer = await post(app, ROUTE[shape.path], body, b"identity")
            assert status == ROUTE[shape.path].success, (broken, answer)
            batch = taken.pop()
            judge(batch, broken, answer)
            kept, read = kept + len(batch.dead_letters), read + (not batch.dead_letters)

    def judge(batch: Batch, broken: bytes, answer: bytes) -> None:
        found = {name for event in batch.events for name in (event.message_id, event.order_id)}
        assert neighbours <= found, (broken, neighbours - found)
        assert len(batch.dead_letters) <= 1, (broken, [letter.raw for letter in batch.dead_letters])
        for letter in batch.dead_letters:
            assert is_json(broken) or broken.strip() in letter.raw or letter.raw in broken
            assert letter.reason
            if answer:
                assert [each["index"] for each in json.loads(answer)["rejected"]] == [letter.position]

    monkeypatch.setattr(Worker, "record", record)
    asyncio.run(run())
    assert kept + read == 200
    assert kept > 100 and read > 20


def is_json(text: bytes) -> bool:
    """Whether a text is JSON to the letter."""
    try:
        from_json(text, allow_inf_nan=False)
    except ValueError:
        return False
    return True


@pytest.mark.parametrize("name", SHAPES)
def test_a_letter_has_the_bytes_that_came_and_becomes_events_once_it_is_mended(place: Place, name: str) -> None:
    shape = SHAPES[name]
    good = written(shape, 0)
    broken = good.replace(b": 12.5", b": {{price}}", 1)
    with serve(place) as client:
        body = body_of(shape, [written(shape, 1), broken, written(shape, 2)])
        headers = {"content-type": "application/json"}
        assert client.post(shape.path, content=body, headers=headers).status_code == ROUTE[shape.path].success
    engine = place.engine()
    try:
        log = engine.states.log
        (letter,) = log.dead_letters(10)
        assert letter.raw == broken or (name == "ga4" and broken in letter.raw)
        assert Replay(engine, NOW, DEFAULT).run().remaining == 1
        log.settle([letter])
        log.reject([replace(letter, raw=letter.raw.replace(b"{{price}}", b"12.5"))])
        report = Replay(engine, NOW, DEFAULT).run()
        assert (report.settled, report.remaining) == (1, 0) and report.accepted
        assert Replay(engine, NOW, DEFAULT).run() == DeadLetterReport()
    finally:
        engine.states.close()


def test_no_letter_of_a_broken_message_holds_a_key(place: Place) -> None:
    body = b'{"batch": [{"type": "track", "writeKey": "secret-1", "userId": "ann", "event": }], "writeKey": "secret-2"}'
    with serve(place) as client:
        answer = client.post("/v1/batch", content=body).json()
        single = client.post("/v1/track", content=b'{"userId": "ann", "writeKey": "secret-3", "event": }').json()
    assert len(answer["rejected"]) == len(single["rejected"]) == 1
    engine = place.engine()
    found = [letter.raw for letter in engine.states.log.dead_letters(10)]
    engine.states.close()
    assert len(found) == 2 and all(b"secret" not in raw and b'"userId": "ann"' in raw for raw in found)


def test_a_body_of_brackets_is_read_in_its_own_time() -> None:
    """What costs the most to search: many places where a message might begin, and none does."""
    begins = b'{"batch": ['
    for body in (
        begins + b'{"a":' * 90_000,
        begins + b'{"type":"track",' * 30_000,
        b"[{" * 200_000,
        begins + b'{"type":"page"},"b":2},' * 90_000,
        begins + b"NaN,1" + b",1" * 4_000_000 + b"]}",
    ):
        begun = perf_counter()
        parts(body, "batch", lambda value: isinstance(value, dict) and "type" in value)
        assert perf_counter() - begun < 5, "a tenth of it on a machine that does nothing else"


def test_what_a_body_says_for_all_of_its_records_is_not_kept_many_times(place: Place) -> None:
    much = "x" * 30_000
    with serve(place) as client:
        batch = {"context": {"campaign": {"name": much}}, "batch": [{}] * 1000}
        fails(client.post("/v1/batch", json=batch), "message_too_large")
        batch["batch"] = [{"type": "page", "userId": "ann"}]
        assert client.post("/v1/batch", json=batch).json()["accepted"] == 1
        body = {"client_id": "1.2", "user_properties": {"more": much}, "events": [{}] * 1000}
        assert client.post("/mp/collect", json=body).status_code == 204
        query = "&".join(f"ep.{number}=1" for number in range(4_000))
        fails(
            client.post(f"/g/collect?{query}", content=b"a\n" * 1000, headers={"content-type": "text/plain"}),
            "body_too_large",
        )
    engine = place.engine()
    (letter,) = engine.states.log.dead_letters(10)
    engine.states.close()
    assert (letter.source, letter.field) == ("measurement", "events") and letter.raw.count(b"{}") == 1000


messages = st.lists(st.dictionaries(st.text(max_size=4), st.integers() | st.text(max_size=6)), max_size=5)


@settings(max_examples=examples(200), deadline=None)
@given(values=messages, data=st.data())
def test_what_is_whole_is_read_as_it_is(values: list[Any], data: st.DataObject) -> None:
    """Taken apart, a body that is JSON gives what the parser gives; cut anywhere, nothing but the last is lost."""
    body = json.dumps({"batch": values, "sentAt": "now"}).encode()
    found = parts(body, "batch", lambda value: True)
    assert found is not None and [part.value for part in found.parts] == values
    assert found.around["sentAt"] == "now" and all(part.raw is None for part in found.parts)
    place = data.draw(st.integers(len(b'{"batch": ['), len(body)))
    cut = parts(body[:place], "batch", lambda value: True)
    assert cut is not None
    read = [part.value for part in cut.parts if not part.reason]
    assert read == values[: len(read)] and len(cut.parts) - len(read) <= 1
