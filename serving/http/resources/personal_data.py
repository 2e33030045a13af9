"""What is held about a customer, exported (`GET /v1/customers/ID/export`) or erased (`DELETE /v1/customers/ID`)."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from dataclasses import asdict
from datetime import datetime
from typing import Literal

from pydantic import Field
from starlette.requests import Request as HttpRequest
from starlette.responses import Response, StreamingResponse

from serving.engine.erasure import erasing
from serving.engine.export import held, lines
from serving.http.customer_path import CUSTOMER, customer_of
from serving.http.messages import JSON_LINES, reply_with
from serving.http.problems import READ, WRITE
from serving.http.route import Route
from serving.http.schemas.answer import Answer
from serving.process.worker import Worker

LINES = 500
"""Lines of an export written at once."""


class ErasedHistory(Answer):
    """What was removed from the second log, the one of `WAYPOST_HISTORY`."""

    events: int
    dead_letters: int
    merges: int


class ErasureAnswer(Answer):
    """The receipt of an erasure. It names nobody, so that it can be kept."""

    receipt_id: str
    as_of: datetime
    erased: bool = Field(description="Whether anything was held about the customer.")
    complete: bool = Field(
        description="False when a long read of the store left bytes in unused pages: send the request again to "
        "overwrite them."
    )
    customer_ids: int = Field(description="Number of ids of the profile, all of which were erased.")
    events: int = Field(description="Events removed from the store, decisions among them.")
    decisions: int = Field(description="How many of the events were decisions.")
    states: int = Field(description="States removed.")
    merges: int = Field(description="Merges, and undoings of merges, removed.")
    dead_letters: int = Field(description="Dead letters removed, because they name the customer.")
    scoreboard_rows: int = Field(description="Rows blanked in all generations of the scoreboard that are kept.")
    history: ErasedHistory | None = Field(description="Null when the server has no second log.")
    models: list[str] = Field(
        description="Versions of the models trained on any of the events, oldest first. A training that begins now "
        "uses none of them."
    )
    tombstone: Literal[True] = Field(
        description="Only a salted digest of each id and `as_of` are kept, so that an import does not bring back what "
        "was received earlier."
    )


EXPORT_EXAMPLE = (
    '{"record":"customer","customer":"household-1","ids":["household-1","visitor-7"],"known":true,…}\n'
    '{"record":"event","message_id":"m-1","customer":"visitor-7","kind":"ITEM_VIEW","at":"2026-06-01T12:00:00Z",…}\n'
)


async def get_export(worker: Worker, request: HttpRequest) -> Response:
    """Stream all that is held about a customer, as lines of JSON."""
    customer = customer_of(request)
    now = worker.clock()
    export = await worker.read(lambda engine: held(engine, customer, now))
    return StreamingResponse(
        _texts(lines(worker.fold, export, worker.scoreboard.current())),
        media_type=JSON_LINES,
        headers={"Content-Disposition": 'attachment; filename="customer.ndjson"', "Cache-Control": "no-store"},
    )


async def _texts(parts: Iterator[bytes]) -> AsyncIterator[bytes]:
    """Lines joined, `LINES` at a time; between them, other requests are served."""
    some: list[bytes] = []
    for line in parts:
        some.append(line)
        if len(some) == LINES:
            yield b"".join(some)
            some.clear()
            await asyncio.sleep(0)
    yield b"".join(some)


async def delete_customer(worker: Worker, request: HttpRequest) -> Response:
    """Erase a customer, under all ids, everywhere."""
    customer = customer_of(request)
    steps = erasing(worker.scoreboard, worker.settings.journal, worker.settings.history, customer, worker.clock())
    return reply_with(ErasureAnswer(**asdict(await worker.erase(steps))), 200)


ROUTES: tuple[Route, ...] = (
    Route(
        name="exportCustomer",
        scope="admin",
        method="GET",
        path="/v1/customers/{customer}/export",
        endpoint=get_export,
        tag="customers",
        summary="Export all that is held about a customer",
        doc="Lines of JSON: the customer with scores, segments and features, then every merge, event and dead letter "
        "of all ids of the profile, each kind oldest first. `record` says what a line is.",
        answer_doc="The export.",
        problems=("not_found", "invalid_request", *READ),
        path_parameters=CUSTOMER,
        also_answers={JSON_LINES: EXPORT_EXAMPLE},
    ),
    Route(
        name="eraseCustomer",
        scope="admin",
        method="DELETE",
        path="/v1/customers/{customer}",
        endpoint=delete_customer,
        tag="customers",
        summary="Erase a customer",
        doc="Removes the customer under all ids of the profile: events, decisions, state, merges, dead letters, rows "
        "of the scoreboard and of the second log. After the answer no file holds an id any more, in used or unused "
        "space. Erasing an unknown customer is not an error.",
        answer=ErasureAnswer,
        answer_doc="The receipt.",
        problems=("not_found", "invalid_request", *WRITE),
        path_parameters=CUSTOMER,
    ),
)
