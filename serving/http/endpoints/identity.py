"""Who is whom, taken apart again; and all that is held about a customer, handed out or erased."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator

from starlette.requests import Request as HttpRequest
from starlette.responses import Response, StreamingResponse

from serving.engine.erasure import both, erase, erase_history, known_as, receipt, unmerge
from serving.engine.export import held, lines
from serving.http.endpoints.customers import customer_of
from serving.http.messages import JSON_LINES, reply_with
from serving.http.schemas import UnmergeAnswer, moment
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
    now, place = worker.clock(), worker.settings.history
    # The second log first: only the store knows the profile's ids, and it must do so still if this has to be repeated.
    known = await worker.read(lambda engine: known_as(engine.states.log, customer))
    history = await asyncio.to_thread(erase_history, place, known.customers, now) if place else None
    try:
        found = await worker.write(lambda engine: erase(engine, customer, now))
    finally:
        blanked = await worker.read(
            lambda engine: worker.scoreboard.blank(engine.states.log.customers.names(), known.apart)
        )
    late = [name for name in found.customers if name not in known.customers]
    if history and late:  # joined since the second log was asked
        history = both(history, await asyncio.to_thread(erase_history, place, late, now))
    return reply_with(receipt(found, history, blanked, now), 200)


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
