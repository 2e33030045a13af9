"""`POST /v1/events`: good events go into the log, bad ones among the dead letters, and the answer tells which."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from typing import Any

from pydantic_core import from_json
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from features.events import Event
from features.log.contract import Appended, DeadLetter
from features.sources.contract import BadRecord
from features.sources.door import KINDS
from features.sources.waypost import COLUMNS
from features.sources.waypost import parse as parse_event
from serving import metrics
from serving.endpoints.shapes import stamp, version_of
from serving.engine import Engine
from serving.exchange import JSON, JSON_LINES, MOST_ERRORS, malformed, read_body, reply, shorten
from serving.problems import Problem
from serving.schemas import EventsAnswer, ProblemError, RejectedEvent, moment
from serving.schemas.requests import MOST_EVENTS
from serving.worker import Worker

SOURCE = "api"
_FIELDS = frozenset(column.name for column in COLUMNS)


@dataclass(slots=True)
class _Sorted:
    """The records of one request: those that are events, and those that are not, with the reasons."""

    events: list[Event] = field(default_factory=list)
    rejected: list[RejectedEvent] = field(default_factory=list)
    letters: list[DeadLetter] = field(default_factory=list)


async def post_events(worker: Worker, request: HttpRequest) -> Response:
    """Take events in."""
    body, media = await read_body(request, (JSON, JSON_LINES))
    now = worker.clock()
    records, pointer = _lines(body) if media == JSON_LINES else _records(body)
    if len(records) > MOST_EVENTS:
        raise Problem(
            "invalid_request",
            f"The request has {len(records)} events; expected at most {MOST_EVENTS}. Send several requests.",
        )
    received = _sort(records, now)
    appended = await worker.write(lambda engine: _record(engine, received))
    _count(received, appended)
    if not received.events:
        raise _nothing_accepted(received.rejected, pointer)
    return reply(
        EventsAnswer(
            as_of=moment(now),
            model=stamp(worker, version_of(worker.champions.current)),
            accepted=appended.accepted_count,
            duplicates=appended.duplicate_count,
            rejected=received.rejected,
        )
    )


def _records(body: bytes) -> tuple[list[Any], str]:
    """The events of a JSON body, and the pattern of the pointer to one of them."""
    try:
        content = from_json(body, allow_inf_nan=False)
    except ValueError as error:
        raise malformed(str(error)) from None
    if isinstance(content, dict) and "events" in content:
        strangers = content.keys() - {"events"}
        if strangers:
            raise Problem(
                "invalid_request",
                f"Unknown field {shorten(repr(min(strangers)))} beside `events`; expected `events` alone.",
            )
        content, pointer = content["events"], "/events/{}/{}"
        if not isinstance(content, list):
            raise Problem("invalid_request", "`events` is not a list; expected a list of events.")
    elif isinstance(content, dict):
        return [content], "/{1}"
    else:
        pointer = "/{}/{}"
    if not isinstance(content, list):
        raise Problem(
            "invalid_request", "The body is neither an event nor a list of events. `/docs` shows what is expected."
        )
    if not content:
        raise Problem("invalid_request", "The list of events is empty; expected at least one event.")
    return content, pointer


def _lines(body: bytes) -> tuple[list[Any], str]:
    """The events of a body with one JSON value a line; a line that is no JSON stays as its bytes."""
    records: list[Any] = []
    for line in body.splitlines():
        if line.strip():
            try:
                records.append(from_json(line, allow_inf_nan=False))
            except ValueError:
                records.append(line)
    if not records:
        raise Problem("invalid_request", "The body has no line; expected one event a line.")
    return records, "/{}/{}"


def _sort(records: Sequence[Any], now: int) -> _Sorted:
    received = _Sorted()
    for index, record in enumerate(records):
        try:
            if not isinstance(record, dict):
                raise BadRecord("", "expected an object with `customer` and `kind`")
            received.events.append(parse_event(record, now, _new_id))
        except BadRecord as fault:
            _reject(received, index, record, fault, now)
    return received


def _new_id() -> str:
    return os.urandom(16).hex()


def _reject(received: _Sorted, index: int, record: Any, fault: BadRecord, now: int) -> None:
    known = record if isinstance(record, dict) else {}
    message_id, customer = known.get("message_id"), known.get("customer")
    at_fault = fault.field if fault.field in _FIELDS else ""
    hint = _hint(known.get("kind")) if at_fault == "kind" else ""
    received.rejected.append(
        RejectedEvent(
            index=index,
            message_id=message_id if isinstance(message_id, str) else None,
            code=f"invalid_{at_fault or 'event'}",
            field=fault.field,
            detail=fault.reason + hint,
        )
    )
    raw = (
        record if isinstance(record, bytes) else json.dumps(record, ensure_ascii=False).encode("utf-8", "surrogatepass")
    )
    received.letters.append(
        DeadLetter(
            source=SOURCE,
            position=index,
            field=fault.field,
            reason=fault.reason,
            raw=raw,
            received=now,
            customer=customer if isinstance(customer, str) else None,
        )
    )


def _hint(kind: object) -> str:
    """The kinds that an unknown kind may stand for: those spelt alike, else all."""
    alike = get_close_matches(kind.strip().upper(), KINDS, 3) if isinstance(kind, str) else []
    return f". Did you mean {' or '.join(alike)}?" if alike else f". The kinds are {', '.join(KINDS)}."


def _record(engine: Engine, received: _Sorted) -> Appended:
    """Events and dead letters in one transaction: an answer speaks for both."""
    with engine.states.transaction():
        if received.letters:
            engine.states.log.reject(received.letters)
        return engine.record(received.events)


def _nothing_accepted(rejected: Sequence[RejectedEvent], pointer: str) -> Problem:
    errors = [
        ProblemError(pointer=pointer.format(each.index, each.field).rstrip("/"), code=each.code, detail=each.detail)
        for each in rejected[:MOST_ERRORS]
    ]
    first = rejected[0]
    what = (
        f"event {first.index}: {first.field}: {first.detail}" if first.field else f"event {first.index}: {first.detail}"
    )
    return Problem(
        "no_event_accepted", f"{what}. All {len(rejected)} rejected events are kept as dead letters.", errors
    )


def _count(received: _Sorted, appended: Appended) -> None:
    counted: dict[tuple[str, str], int] = {}
    for event, accepted in zip(received.events, appended.accepted, strict=True):
        key = event.kind.name, "accepted" if accepted else "duplicate"
        counted[key] = counted.get(key, 0) + 1
    for (kind, outcome), number in counted.items():
        metrics.EVENTS.labels(kind, outcome).inc(number)
    if appended.duplicate_count:
        metrics.DUPLICATES.inc(appended.duplicate_count)
    for each in received.rejected:
        metrics.EVENTS.labels("unknown", "rejected").inc()
        metrics.DEAD_LETTERS.labels(each.code).inc()
