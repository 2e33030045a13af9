"""`POST /v1/events`: good events go into the log, bad ones among the dead letters, and the answer tells which."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from features.events import Event
from features.sources.contract import BadRecord, Unread
from features.sources.fields.fields import KINDS
from features.sources.formats.waypost import COLUMNS
from features.sources.formats.waypost import parse as parse_event
from features.sources.readers.broken_json import Part
from features.times import moment
from serving.engine.ingest import TURN, Fault, Ingest, new_id
from serving.http.bodies import Body, alone, listed, record_of
from serving.http.endpoints.shapes import stamp, told, version_of
from serving.http.messages import JSON, JSON_LINES, MOST_ERRORS, read_body, reply, shorten
from serving.http.problems import Problem
from serving.http.schemas import EventsAnswer, ProblemError, RejectedEvent
from serving.http.schemas.requests import MOST_EVENTS
from serving.process.worker import Worker

SOURCE = "api"
LONGEST_KIND = 40
"""Characters of an unknown kind that are looked at to tell what it may stand for."""

_FIELDS = frozenset(column.name for column in COLUMNS)
_LIST = re.compile(rb'\s*\{\s*"events"')


async def post_events(worker: Worker, request: HttpRequest) -> Response:
    """Take events in."""
    body, media = await read_body(request, (JSON, JSON_LINES), any_depth=True)
    now = worker.clock()
    records, pointer, odd = _lines(body) if media == JSON_LINES else _records(body)
    _check_number(len(records))
    ingested = Ingest(SOURCE, worker.settings.privacy, worker.currencies, now, len(body), ("customer",), _FIELDS)
    for index, record in enumerate(records):
        part = odd.get(index)
        if part and part.reason:
            ingested.refuse(index, record, BadRecord("", part.reason), part.raw)
        else:
            ingested.take(index, record, lambda record, unread: _parse(record, now, unread), part and part.raw)
        if index % TURN == TURN - 1:
            await asyncio.sleep(0)
    taken = await worker.record(ingested.batch)
    outcomes = ingested.outcomes(taken)
    rejected = [_rejected(fault) for fault in ingested.faults]
    if len(rejected) == len(records):
        raise _nothing_accepted(rejected, pointer)
    return reply(
        EventsAnswer(
            as_of=moment(now),
            model=stamp(worker, version_of(worker.champions.current)),
            accepted=outcomes["accepted"],
            duplicates=outcomes["duplicate"],
            withheld=outcomes["withheld"],
            rejected=rejected,
            warnings=told(ingested),
            more_warnings=ingested.more_warnings,
        )
    )


def _check_number(records: int) -> None:
    if records > MOST_EVENTS:
        raise Problem(
            "invalid_request",
            f"The request has {records} events; expected at most {MOST_EVENTS}. Send several requests.",
        )


def _records(body: bytes) -> tuple[list[Any], str, Mapping[int, Part]]:
    """The events of a JSON body, the pattern of the pointer to one of them, and those that are odd."""
    content, odd = _content(body)
    if isinstance(content, dict) and "events" in content:
        unknown = content.keys() - {"events"}
        if unknown:
            raise Problem(
                "invalid_request",
                f"Unknown field {shorten(repr(min(unknown)))} beside `events`; expected `events` alone.",
            )
        content, pointer = content["events"], "/events/{}/{}"
        if not isinstance(content, list):
            raise Problem("invalid_request", "`events` is not a list; expected a list of events.")
    elif isinstance(content, dict):
        return [content], "/{1}", odd
    else:
        pointer = "/{}/{}"
    if not isinstance(content, list):
        raise Problem(
            "invalid_request", "The body is neither an event nor a list of events. `/docs` shows what is expected."
        )
    if not content:
        raise Problem("invalid_request", "The list of events is empty; expected at least one event.")
    return content, pointer, odd


def _content(body: bytes) -> Body:
    if body.lstrip().startswith(b"["):
        return listed(body, None, _is_event)
    return listed(body, "events", _is_event) if _LIST.match(body) else alone(body)


def _is_event(value: Any) -> bool:
    return isinstance(value, dict) and "customer" in value and "kind" in value


def _lines(body: bytes) -> tuple[list[Any], str, Mapping[int, Part]]:
    """The events of a body with one JSON value a line, and those that are odd."""
    records: list[Any] = []
    odd: dict[int, Part] = {}
    lines = list(filter(bytes.strip, body.splitlines()))
    _check_number(len(lines))
    for line in lines:
        content, strange = record_of(line)
        if strange:
            odd[len(records)] = strange
        records.append(content)
    if not lines:
        raise Problem("invalid_request", "The body has no line; expected one event a line.")
    return records, "/{}/{}", odd


def _parse(record: Any, now: int, unread: Unread) -> tuple[Event]:
    if not isinstance(record, dict):
        raise BadRecord("", "expected an object with `customer` and `kind`")
    return (parse_event(record, now, new_id, False, unread),)


def _rejected(fault: Fault) -> RejectedEvent:
    known = fault.record if isinstance(fault.record, dict) else {}
    message_id = known.get("message_id")
    return RejectedEvent(
        index=fault.index,
        message_id=message_id if isinstance(message_id, str) else None,
        code=fault.code,
        field=fault.bad.field,
        detail=fault.bad.reason + (_hint_of(known.get("kind")) if fault.bad.field == "kind" else ""),
    )


def _hint_of(kind: object) -> str:
    return _hint(kind[:LONGEST_KIND] if isinstance(kind, str) else "")


@lru_cache(maxsize=256)
def _hint(kind: str) -> str:
    """The kinds that an unknown kind may stand for: those spelt alike, else all.

    A sender that spells a kind wrong does so again and again, and to compare it takes half a millisecond.
    """
    alike = get_close_matches(kind.strip().upper(), KINDS, 3)
    return f". Did you mean {' or '.join(alike)}?" if alike else f". The kinds are {', '.join(KINDS)}."


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
