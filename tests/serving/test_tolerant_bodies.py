"""One message of a body is broken, in any way: its neighbours go in, and it is read or kept with its bytes."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any, NamedTuple

import pytest
from pydantic_core import from_json

from features.journey import JOURNEY
from serving.application import application
from serving.intake import Intake, Taken
from serving.routes import ROUTES
from serving.settings import read_settings
from serving.worker import Worker
from tests.serving.breaks import some
from tests.serving.conftest import Place
from tests.serving.test_intake_bodies import post

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


@pytest.mark.parametrize("name", SHAPES)
def test_of_fifty_messages_one_of_which_is_broken_all_others_go_in(
    place: Place, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape = SHAPES[name]
    good = [written(shape, number) for number in range(NUMBER)]
    neighbours = {own(shape, number) for number in range(1, NUMBER)}
    taken: list[Intake] = []
    kept = read = 0

    async def record(worker: Worker, intake: Intake) -> Taken:
        taken.append(intake)
        return Taken(["accepted"] * len(intake.events), 0)

    async def run() -> None:
        nonlocal kept, read
        worker = Worker(read_settings(place.environment(WAYPOST_REQUESTS_PER_SECOND="0")), JOURNEY, lambda: place.now)
        app = application(worker, ROUTES)
        for turn, broken in enumerate(some(good[0])):
            at = (0, NUMBER - 1, turn % NUMBER)[turn % 3]
            body = body_of(shape, [*good[1 : at + 1], broken, *good[at + 1 :]])
            status, answer = await post(app, ROUTE[shape.path], body, b"identity")
            assert status == ROUTE[shape.path].success, (broken, answer)
            intake = taken.pop()
            judge(intake, broken, answer)
            kept, read = kept + len(intake.letters), read + (not intake.letters)

    def judge(intake: Intake, broken: bytes, answer: bytes) -> None:
        found = {name for event in intake.events for name in (event.message_id, event.order_id)}
        assert neighbours <= found, (broken, neighbours - found)
        assert len(intake.letters) <= 1, (broken, [letter.raw for letter in intake.letters])
        for letter in intake.letters:
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
