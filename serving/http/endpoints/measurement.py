"""GA4's Measurement Protocol: `POST /mp/collect`, and `POST /debug/mp/collect`, which tells what is wrong; and what its
tag in a browser sends to `/g/collect`, which is the same in other letters.

Google answers 204 whatever it was sent, and so do we: what is at fault is kept as a dead letter. Only what could not
be written at all is a failure, so that it is sent again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

from pydantic_core import to_json
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from features.sources.contract import BadRecord, shown
from features.sources.fields.fields import mended
from features.sources.formats import collect
from features.sources.formats.measurement import MOST_EVENTS, SOURCE, parse, requests
from features.sources.readers.broken_json import Part, without_key
from serving.engine.ingest import TURN, Ingest
from serving.http.auth import authorize_body_key, count_unreadable
from serving.http.bodies import listed
from serving.http.limits import repeats_too_much
from serving.http.messages import JSON, read_body, reply
from serving.http.problems import Problem
from serving.http.schemas import ValidationAnswer, ValidationMessage
from serving.process.worker import Worker

MEDIA = (JSON, "text/plain")
FORMS = ("text/plain", "application/x-www-form-urlencoded")
_OF_EVENTS = frozenset(("name", "params", "timestamp_micros"))
_FIELDS = frozenset(("client_id", "user_id", "timestamp_micros", "events", "event"))


async def post_collect(worker: Worker, request: HttpRequest) -> Response:
    """Take the events of a request in."""
    body, _ = await read_body(request, MEDIA, any_depth=True)
    ingested = await _sorted(worker, body, worker.clock())
    ingested.outcomes(await worker.record(ingested.batch))
    return Response(status_code=204)


async def get_hit(worker: Worker, request: HttpRequest) -> Response:
    """Take the event of an address in."""
    return await _collected(worker, request, "", 0)


async def post_hits(worker: Worker, request: HttpRequest) -> Response:
    """Take the events of an address and its form, or of a form a line, in."""
    try:
        body, _ = await read_body(request, FORMS)
        lines = len(body.splitlines())
        if repeats_too_much(request.scope["query_string"], lines):
            raise Problem("body_too_large", f"The query is too long to hold for each of {lines:,} lines. Send fewer.")
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
    ingested = _opened(worker, now, size + len(query))
    await _take(ingested, [part for each in collect.measured(sent) for part in requests(each)], now, {}, {})
    ingested.outcomes(await worker.record(ingested.batch))
    return Response(status_code=204)


async def post_debug_collect(worker: Worker, request: HttpRequest) -> Response:
    """Tell what is wrong with a request; nothing is taken in."""
    body, _ = await read_body(request, MEDIA, any_depth=True)
    ingested = await _sorted(worker, body, worker.clock())
    bad = [fault.bad for fault in ingested.faults] + [warned.bad for warned in ingested.warnings]
    found = [_message(each.field, each.reason) for each in bad]
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


async def _sorted(worker: Worker, body: bytes, now: int) -> Ingest:
    ingested = _opened(worker, now, len(body))
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
        reason = f"what stands beside the list is too much to be kept with each of its {len(parts):,} events"
        ingested.refuse(0, content, BadRecord("events", reason), without_key(body))
        return ingested
    await _take(ingested, parts, now, odd, shared)
    return ingested


def _opened(worker: Worker, now: int, size: int) -> Ingest:
    return Ingest(SOURCE.name, worker.settings.privacy, worker.currencies, now, size, SOURCE.customer, _FIELDS)


async def _take(
    ingested: Ingest,
    parts: Sequence[dict[str, Any]],
    now: int,
    odd: Mapping[int, Part],
    shared: Mapping[str, Any],
) -> None:
    for index, part in enumerate(parts):
        event = odd.get(part.get("number", -1))
        raw = None if event is None or event.raw is None else _enveloped(shared, event.raw)
        if event and event.reason:
            ingested.refuse(index, part, BadRecord("event", event.reason), raw)
        else:
            ingested.take(index, part, lambda part, unread: parse(part, now, None, False, unread), raw)
        if index % TURN == TURN - 1:
            await asyncio.sleep(0)


def _is_event(value: Any) -> bool:
    return isinstance(value, dict) and "name" in value and value.keys() <= _OF_EVENTS


def _enveloped(shared: Mapping[str, Any], raw: bytes) -> bytes:
    """The request that an event would be by itself, with the event's bytes as they came: it can be mended and read."""
    return to_json({**mended(shared), "events": []})[:-2] + raw + b"]}"


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
