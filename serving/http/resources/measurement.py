"""Events of GA4's Measurement Protocol: `POST /mp/collect`, and `POST /debug/mp/collect`, which lists faults."""

from __future__ import annotations

import json
from typing import Any

from pydantic import Field
from pydantic_core import to_json
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from features.sources.contract import BadRecord, shown
from features.sources.fields.fields import mended
from features.sources.formats.measurement import MOST_EVENTS as GOOGLES_MOST_EVENTS
from features.sources.formats.measurement import requests
from features.sources.readers.broken_json import without_key
from serving.engine.ingest import Ingest
from serving.http.bodies import listed
from serving.http.limits import repeats_too_much
from serving.http.messages import JSON, read_body, reply
from serving.http.problems import UNREADABLE, WRITE, Problem
from serving.http.protocols.ga4 import new_ingest, take_events
from serving.http.route import Route
from serving.http.schemas.answer import Answer
from serving.http.schemas.request import Open, Request
from serving.http.schemas.words import Properties
from serving.process.worker import Worker

MEDIA = (JSON, "text/plain")
_OF_EVENTS = frozenset(("name", "params", "timestamp_micros"))


class MeasurementEvent(Open):
    """One event of the Measurement Protocol."""

    name: str = Field(description="GA4's name of the event.")
    params: Properties | None = Field(None, description="`items`, `value`, `currency`, `transaction_id`...")


class MeasurementRequest(Open):
    """A client and its events."""

    client_id: str | int | None = Field(None, description="The browser; `app_instance_id` for an app.")
    user_id: str | int | None = Field(
        None, description="The customer, where the shop knows it: merged with `client_id`."
    )
    timestamp_micros: str | int | None = Field(
        None,
        description="When it happened, microseconds since 1970. With it, a request that is sent again adds nothing.",
    )
    consent: Properties | None = Field(None, description="`ad_personalization` `DENIED` withdraws the consent.")
    non_personalized_ads: bool | None = Field(None, description="True withdraws the consent.")
    events: list[MeasurementEvent]


class MeasurementQuery(Request):
    """The stream and the key."""

    measurement_id: str | None = Field(None, description="The stream; ignored.")
    firebase_app_id: str | None = Field(None, description="The app; ignored.")
    api_secret: str | None = Field(None, description="The write key, unless a header has it.")


class ValidationMessage(Answer):
    """One fault of a request, in Google's format."""

    fieldPath: str
    description: str
    validationCode: str = Field(examples=["VALUE_INVALID", "VALUE_REQUIRED", "EXCEEDED_MAX_ENTITIES"])


class ValidationAnswer(Answer):
    """The faults of a request; empty when all of it would be recorded."""

    validationMessages: list[ValidationMessage]


EXAMPLES: dict[str, Any] = {
    "purchase": {
        "client_id": "1790000000.1780000000",
        "user_id": "household-1",
        "timestamp_micros": "1772366400000000",
        "events": [
            {
                "name": "purchase",
                "params": {
                    "transaction_id": "order-9",
                    "currency": "EUR",
                    "value": 39.9,
                    "items": [{"item_id": "item-42", "price": 39.9, "quantity": 1}],
                },
            }
        ],
    }
}
ANSWER_EXAMPLE: dict[str, Any] = {
    "validationMessages": [
        {
            "fieldPath": "event.name",
            "description": "missing: every row has an event name",
            "validationCode": "VALUE_REQUIRED",
        }
    ]
}


async def post_collect(worker: Worker, request: HttpRequest) -> Response:
    """Record the events of a request."""
    body, _ = await read_body(request, MEDIA, any_depth=True)
    ingested = await _ingested(worker, body, worker.clock())
    ingested.outcomes(await worker.record(ingested.batch))
    return Response(status_code=204)


async def post_debug_collect(worker: Worker, request: HttpRequest) -> Response:
    """List the faults of a request; nothing is recorded."""
    body, _ = await read_body(request, MEDIA, any_depth=True)
    ingested = await _ingested(worker, body, worker.clock())
    bad = [fault.bad for fault in ingested.faults] + [warned.bad for warned in ingested.warnings]
    messages = [_message(fault.field, fault.reason) for fault in bad]
    number = _number(body)
    if number > GOOGLES_MOST_EVENTS:
        messages.append(
            ValidationMessage(
                fieldPath="events",
                description=f"{number} events; Google takes at most {GOOGLES_MOST_EVENTS} in a request",
                validationCode="EXCEEDED_MAX_ENTITIES",
            )
        )
    return reply(ValidationAnswer(validationMessages=messages))


async def _ingested(worker: Worker, body: bytes, now: int) -> Ingest:
    ingested = new_ingest(worker, now, len(body))
    try:
        content, odd = listed(body, "events", _is_event)
    except Problem as problem:
        ingested.refuse(0, None, BadRecord("", problem.detail), without_key(body))
        return ingested
    try:
        if not isinstance(content, dict):
            raise BadRecord("", f"expected an object with `client_id` and `events`, got {shown(content)}")
        parts = requests(content)
    except BadRecord as bad:
        ingested.refuse(0, content, bad)
        return ingested
    shared = {name: value for name, value in content.items() if name != "events"}
    if repeats_too_much(to_json(mended(shared)), len(parts)):
        reason = f"the fields beside the list are too large to be kept with each of its {len(parts):,} events"
        ingested.refuse(0, content, BadRecord("events", reason), without_key(body))
        return ingested
    await take_events(ingested, parts, now, odd, shared)
    return ingested


def _is_event(value: Any) -> bool:
    return isinstance(value, dict) and "name" in value and value.keys() <= _OF_EVENTS


def _number(body: bytes) -> int:
    try:
        content = listed(body, "events", _is_event).content
    except Problem:
        return 0
    events = content.get("events") if isinstance(content, dict) else None
    return len(events) if isinstance(events, list) else 0


def _message(field: str, reason: str) -> ValidationMessage:
    code = "VALUE_REQUIRED" if reason.startswith(("missing", "no customer")) else "VALUE_INVALID"
    return ValidationMessage(fieldPath=field, description=reason, validationCode=code)


ROUTES: tuple[Route, ...] = (
    Route(
        name="collectMeasurements",
        scope="write",
        method="POST",
        path="/mp/collect",
        endpoint=post_collect,
        tag="measurement",
        summary="Record events of GA4's Measurement Protocol",
        doc="The answer is 204 also for invalid events, as from Google's own address. These are kept as dead letters; "
        "`POST /debug/mp/collect` lists their faults.",
        request=MeasurementRequest,
        query=MeasurementQuery,
        answer_doc="Valid events are on disk, and the others are dead letters.",
        success=204,
        problems=(*UNREADABLE, *WRITE),
        examples=EXAMPLES,
        also_reads={"text/plain": json.dumps(EXAMPLES["purchase"])},
        key_in="query",
    ),
    Route(
        name="validateMeasurements",
        scope="write",
        method="POST",
        path="/debug/mp/collect",
        endpoint=post_debug_collect,
        tag="measurement",
        summary="List the faults of a request of the Measurement Protocol",
        doc="Nothing is recorded.",
        request=MeasurementRequest,
        query=MeasurementQuery,
        answer=ValidationAnswer,
        answer_doc="The faults; empty when all of the request would be recorded.",
        problems=(*UNREADABLE, "internal_error"),
        examples=EXAMPLES,
        answer_example=ANSWER_EXAMPLE,
        also_reads={"text/plain": json.dumps(EXAMPLES["purchase"])},
        key_in="query",
    ),
)
