"""Whatever is sent to a route that takes events in, the server answers; what is at fault is never the server."""

from __future__ import annotations

import asyncio
import gzip
import json
import random
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient
from starlette.types import ASGIApp

from features.journey import JOURNEY
from serving.http.app import application
from serving.http.route import Route
from serving.http.routes import ROUTES
from serving.process.worker import Worker
from serving.settings import read_settings
from tests.examples import examples
from tests.serving.conftest import Place

INTAKE = [route for route in ROUTES if route.tag in ("events", "segment", "measurement")]
BODIES = 2_000
TOGETHER = 50
ODD: tuple[Any, ...] = (
    None, True, 0, -1, 10**30, 1e308, "", " ", "null", "\x00", "\ud83d\ude00", "x" * 300, [], {}, [[]], {"": {}},
    "2026-03-01T12:00:00Z", "+275760-09-13", "1e999", {"batch": []}, [None], {"price": "dear"}, {"products": [3]},
    "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", {"consent": {"categoryPreferences": {"x": 3}}},
)  # fmt: skip


def changed(value: Any, chance: random.Random) -> Any:
    """A value with one part of it put in the place of another, or odd."""
    if not isinstance(value, dict | list) or not value or chance.random() < 0.15:
        return chance.choice(ODD)
    copy: Any = list(value) if isinstance(value, list) else dict(value)
    place = chance.randrange(len(copy)) if isinstance(copy, list) else chance.choice(list(copy))
    copy[place] = changed(copy[place], chance)
    if isinstance(copy, dict) and chance.random() < 0.2:
        copy[chance.choice(["traits", "context", "type", "anonymousId", "at", "kind"])] = chance.choice(ODD)
    return copy


def bodies(example: Any, chance: random.Random, number: int) -> Iterator[tuple[bytes, bytes]]:
    """Bodies that are nearly right, with their content encoding."""
    for turn in range(number):
        value = example
        for _ in range(chance.randint(1, 4)):
            value = changed(value, chance)
        body = json.dumps(value).encode()
        if turn % 4 == 1:
            place = chance.randrange(len(body))
            body = body[:place] + chance.randbytes(chance.randint(0, 4)) + body[place + chance.randint(0, 4) :]
        elif turn % 8 == 2:
            body = chance.randbytes(chance.randint(0, 60))
        elif turn % 8 == 6:
            packed = bytearray(gzip.compress(body))
            packed[chance.randrange(len(packed))] ^= 1 << chance.randrange(8)
            yield bytes(packed), b"gzip"
            continue
        yield body, b"identity"


async def post(app: ASGIApp, route: Route, body: bytes, encoding: bytes) -> tuple[int, bytes]:
    """The status and the body that are answered."""
    scope = {
        "type": "http",
        "method": route.method,
        "path": route.path,
        "query_string": b"",
        "headers": [(b"content-type", b"application/json"), (b"content-encoding", encoding), (b"host", b"127.0.0.1")],
        "client": ("127.0.0.1", 5000),
        "server": ("127.0.0.1", 3000),
    }
    status, answer = 0, b""

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body}

    async def send(message: Any) -> None:
        nonlocal status, answer
        status = message.get("status", status)
        answer += message.get("body", b"")

    await app(scope, receive, send)
    return status, answer


def judge(status: int, answer: bytes, route: Route) -> None:
    assert status < 500, answer
    if status >= 400:
        problem = json.loads(answer)
        assert problem["code"] in route.failures and problem["message"] == problem["detail"]
    else:
        assert status == route.success


@pytest.mark.slow
@pytest.mark.parametrize("route", INTAKE, ids=lambda route: route.name)
def test_what_is_nearly_right_is_taken_or_refused(place: Place, route: Route) -> None:
    chance = random.Random(route.name)

    async def run() -> Counter[int]:
        limits = {"WAYPOST_SWEEP_SECONDS": "0", "WAYPOST_REQUESTS_PER_SECOND": "0", "WAYPOST_BUSY_SECONDS": "20"}
        worker = Worker(read_settings(place.environment(**limits)), JOURNEY, lambda: place.now)
        app = application(worker, ROUTES)
        await worker.open()
        statuses: Counter[int] = Counter()
        try:
            for example in route.examples.values():
                sent = list(bodies(example, chance, BODIES // len(route.examples)))
                for start in range(0, len(sent), TOGETHER):
                    group = sent[start : start + TOGETHER]
                    for status, answer in await asyncio.gather(*(post(app, route, *each) for each in group)):
                        judge(status, answer, route)
                        statuses[status] += 1
        finally:
            await worker.close()
        return statuses

    statuses = asyncio.run(run())
    assert sum(statuses.values()) >= BODIES - 1
    assert statuses[route.success] and statuses[400], "some were right enough, and some were not"


NAMES = (
    "batch", "type", "userId", "event", "events", "properties", "context", "sentAt", "timestamp", "name", "client_id",
    "user_id", "params", "items", "traits", "customer", "kind", "messageId", "consent",
)  # fmt: skip
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(NAMES), inner, max_size=6),
    max_leaves=20,
)


@settings(max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=anything, route=st.sampled_from(INTAKE))
def test_any_json_is_taken_or_refused(client: TestClient, body: Any, route: Route) -> None:
    response = client.post(route.path, content=json.dumps(body), headers={"content-type": "application/json"})
    judge(response.status_code, response.content, route)
