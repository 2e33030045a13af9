"""`POST /v1/events`: good events go into the log, bad ones among the dead letters, and the answer tells which."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

from pydantic_core import from_json
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from features.events import Event
from features.sources.contract import BadRecord
from features.sources.door import KINDS
from features.sources.waypost import COLUMNS
from features.sources.waypost import parse as parse_event
from serving.arrivals import TURN, Arrivals, Fault, new_id
from serving.endpoints.shapes import stamp, version_of
from serving.exchange import JSON, JSON_LINES, MOST_ERRORS, malformed, read_body, reply, shorten
from serving.problems import Problem
from serving.schemas import EventsAnswer, ProblemError, RejectedEvent, moment
from serving.schemas.requests import MOST_EVENTS
from serving.worker import Worker

SOURCE = "api"
LONGEST_KIND = 40
"""Characters of an unknown kind that are looked at to tell what it may stand for."""

_FIELDS = frozenset(column.name for column in COLUMNS)


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
    arrivals = Arrivals(SOURCE, worker.settings.privacy, now, len(body), ("customer",), _FIELDS)
    for index, record in enumerate(records):
        arrivals.take(index, record, lambda record: _parse(record, now))
        if index % TURN == TURN - 1:
            await asyncio.sleep(0)
    taken = await worker.record(arrivals.intake)
    outcomes = arrivals.outcomes(taken)
    rejected = [_rejected(fault) for fault in arrivals.faults]
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


def _parse(record: Any, now: int) -> tuple[Event]:
    if not isinstance(record, dict):
        raise BadRecord("", "expected an object with `customer` and `kind`")
    return (parse_event(record, now, new_id),)


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
