"""GA4's Measurement Protocol: `POST /mp/collect`, and `POST /debug/mp/collect`, which tells what is wrong; and what its
tag in a browser sends to `/g/collect`, which is the same in other letters.

Google answers 204 whatever it was sent, and so do we: what is at fault is kept as a dead letter. Only what could not
be written at all is a failure, so that it is sent again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any

from pydantic_core import from_json
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from features.sources import collect
from features.sources.contract import BadRecord, shown
from features.sources.measurement import MOST_EVENTS, SOURCE, parse, requests
from serving.arrivals import TURN, Arrivals
from serving.doors import authorize_body_key, count_unreadable
from serving.exchange import JSON, read_body, reply
from serving.problems import Problem
from serving.schemas import ValidationAnswer, ValidationMessage
from serving.worker import Worker

MEDIA = (JSON, "text/plain")
FORMS = ("text/plain", "application/x-www-form-urlencoded")
_FIELDS = frozenset(("client_id", "user_id", "timestamp_micros", "events", "event"))


async def post_collect(worker: Worker, request: HttpRequest) -> Response:
    """Take the events of a request in."""
    body, _ = await read_body(request, MEDIA)
    arrivals = await _sorted(worker, body, worker.clock())
    arrivals.outcomes(await worker.record(arrivals.intake))
    return Response(status_code=204)


async def get_hit(worker: Worker, request: HttpRequest) -> Response:
    """Take the event of an address in."""
    return await _collected(worker, request, "", 0)


async def post_hits(worker: Worker, request: HttpRequest) -> Response:
    """Take the events of an address and its form, or of a form a line, in."""
    try:
        body, _ = await read_body(request, FORMS)
    except Problem:
        count_unreadable(request)
        raise
    return await _collected(worker, request, body.decode("utf-8", "replace"), len(body))


async def _collected(worker: Worker, request: HttpRequest, body: str, size: int) -> Response:
    query = request.scope["query_string"]
    sent = collect.hits(query.decode("latin-1"), body)
    secrets = (hit[name] for hit in sent for name in collect.SECRETS if hit.get(name))
    authorize_body_key(request, next(secrets, None))
    now = worker.clock()
    arrivals = _opened(worker, now, size + len(query))
    await _take(arrivals, [part for each in collect.measured(sent) for part in requests(each)], now)
    arrivals.outcomes(await worker.record(arrivals.intake))
    return Response(status_code=204)


async def post_debug_collect(worker: Worker, request: HttpRequest) -> Response:
    """Tell what is wrong with a request; nothing is taken in."""
    body, _ = await read_body(request, MEDIA)
    arrivals = await _sorted(worker, body, worker.clock())
    found = [_message(fault.bad.field, fault.bad.reason) for fault in arrivals.faults]
    number = _number(body)
    if number > MOST_EVENTS:
        found.append(
            ValidationMessage(
                fieldPath="events",
                description=f"{number} events; Google takes at most {MOST_EVENTS} in a request",
                validationCode="EXCEEDED_MAX_ENTITIES",
            )
        )
    return reply(ValidationAnswer(validationMessages=found))


async def _sorted(worker: Worker, body: bytes, now: int) -> Arrivals:
    arrivals = _opened(worker, now, len(body))
    try:
        content = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        arrivals.refuse(0, body, BadRecord("", f"the body is not JSON: {error}"))
        return arrivals
    try:
        if not isinstance(content, dict):
            raise BadRecord("", f"expected an object with `client_id` and `events`, got {shown(content)}")
        parts = requests(content)
    except BadRecord as bad:
        arrivals.refuse(0, content, bad)
        return arrivals
    await _take(arrivals, parts, now)
    return arrivals


def _opened(worker: Worker, now: int, size: int) -> Arrivals:
    return Arrivals(SOURCE.name, worker.settings.privacy, now, size, SOURCE.customer, _FIELDS)


async def _take(arrivals: Arrivals, parts: Sequence[dict[str, Any]], now: int) -> None:
    for index, part in enumerate(parts):
        arrivals.take(index, part, lambda part: parse(part, now))
        if index % TURN == TURN - 1:
            await asyncio.sleep(0)


def _number(body: bytes) -> int:
    try:
        content: Any = from_json(body)
    except ValueError:
        return 0
    events = content.get("events") if isinstance(content, dict) else None
    return len(events) if isinstance(events, list) else 0


def _message(field: str, reason: str) -> ValidationMessage:
    code = "VALUE_REQUIRED" if reason.startswith(("missing", "no customer")) else "VALUE_INVALID"
    return ValidationMessage(fieldPath=field, description=reason, validationCode=code)
