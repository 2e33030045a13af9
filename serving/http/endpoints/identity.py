"""Who is whom, taken apart again; and all that is held about a customer, handed out or erased."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict

from starlette.requests import Request as HttpRequest
from starlette.responses import Response, StreamingResponse

from features.times import moment
from serving.engine.erasure import erasing, unmerge
from serving.engine.export import held, lines
from serving.http.endpoints.customers import customer_of
from serving.http.messages import JSON_LINES, reply_with
from serving.http.schemas import ErasureAnswer, UnmergeAnswer
from serving.process.worker import Worker

LINES = 500
"""Lines of an export written at once."""


async def post_unmerge(worker: Worker, request: HttpRequest) -> Response:
    """Take the ids of a profile apart."""
    customer = customer_of(request)
    now = worker.clock()
    separated, profiles = await worker.write(lambda engine: unmerge(engine, customer, now), alone=False)
    answer = UnmergeAnswer(as_of=moment(now), customer=customer, separated=separated, profiles=profiles)
    return reply_with(answer, 200)


async def delete_customer(worker: Worker, request: HttpRequest) -> Response:
    """Erase a customer, under all ids, everywhere."""
    customer = customer_of(request)
    steps = erasing(worker.scoreboard, worker.settings.history, customer, worker.clock())
    return reply_with(ErasureAnswer(**asdict(await worker.erase(steps))), 200)


async def get_export(worker: Worker, request: HttpRequest) -> Response:
    """Stream all that is held about a customer, as lines of JSON."""
    customer = customer_of(request)
    now = worker.clock()
    found = await worker.read(lambda engine: held(engine, customer, now))
    return StreamingResponse(
        _texts(lines(worker.fold, found, worker.scoreboard.current())),
        media_type=JSON_LINES,
        headers={"Content-Disposition": 'attachment; filename="customer.ndjson"', "Cache-Control": "no-store"},
    )


async def _texts(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Some hundred lines at a time; between them, others are served."""
    some: list[bytes] = []
    for line in parts:
        some.append(line)
        if len(some) == LINES:
            yield b"".join(some)
            some.clear()
            await asyncio.sleep(0)
    yield b"".join(some)
