"""GA4's Measurement Protocol: `POST /mp/collect`, and `POST /debug/mp/collect`, which tells what is wrong.

Google answers 204 whatever it was sent, and so do we: what is at fault is kept as a dead letter. Only what could not
be written at all is a failure, so that it is sent again.
"""

from __future__ import annotations

import asyncio
from typing import Any

from pydantic_core import from_json
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from features.sources.contract import BadRecord, shown
from features.sources.measurement import MOST_EVENTS, SOURCE, parse, requests
from serving.arrivals import TURN, Arrivals
from serving.exchange import JSON, read_body, reply
from serving.schemas import ValidationAnswer, ValidationMessage
from serving.worker import Worker

MEDIA = (JSON, "text/plain")
_FIELDS = frozenset(("client_id", "user_id", "timestamp_micros", "events", "event"))


async def post_collect(worker: Worker, request: HttpRequest) -> Response:
    """Take the events of a request in."""
    body, _ = await read_body(request, MEDIA)
    arrivals = await _sorted(worker, body, worker.clock())
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
    arrivals = Arrivals(SOURCE.name, worker.settings.privacy, now, len(body), SOURCE.customer, _FIELDS)
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
    for index, part in enumerate(parts):
        arrivals.take(index, part, lambda part: parse(part, now))
        if index % TURN == TURN - 1:
            await asyncio.sleep(0)
    return arrivals


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
