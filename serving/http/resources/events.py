"""Events in Waypost's own format: `POST /v1/events`. Valid ones go into the log, others become dead letters."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import lru_cache
from typing import Annotated, Any

from pydantic import AwareDatetime, Field, RootModel
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from features.events import Event
from features.sources.contract import BadRecord, Unread
from features.sources.fields import fields
from features.sources.fields.fields import KINDS
from features.sources.formats.waypost import COLUMNS
from features.sources.formats.waypost import parse as parse_event
from features.sources.readers.broken_json import Part
from features.times import moment
from insights.words import one_of
from serving.engine.ingest import TURN, Fault, Ingest, new_id
from serving.http.bodies import Body, alone, lined, listed
from serving.http.messages import JSON, JSON_LINES, MOST_ERRORS, read_body, reply, shorten
from serving.http.problems import BODY, WRITE, Problem, ProblemError
from serving.http.route import Route
from serving.http.schemas.answer import Answer
from serving.http.schemas.model_stamp import STAMP_EXAMPLE, Stamped, stamp, version_of
from serving.http.schemas.request import MOST_EVENTS, ChannelName, CustomerId, EventId, Name, Request
from serving.http.schemas.unread_values import WithWarnings, warnings_of
from serving.http.schemas.words import Properties
from serving.process.worker import Worker

SOURCE = "api"
LONGEST_KIND = 40
"""Characters of an unknown kind that are compared with the known kinds."""

_FIELDS = frozenset(column.name for column in COLUMNS)
_LIST = re.compile(rb'\s*\{\s*"events"')

KindName = Annotated[str, one_of("KindName", KINDS)]


class EventRequest(Request):
    """One event. Only `customer` and `kind` are required."""

    message_id: EventId | None = Field(
        None,
        description="Makes the event exactly-once: sent again, it is counted as a duplicate. The server makes one when "
        "absent, and then cannot recognise a repeated request.",
    )
    customer: CustomerId
    kind: KindName = Field(description="What happened. The server understands lower case too.", examples=["ITEM_VIEW"])
    at: AwareDatetime | None = Field(
        None,
        description="When it happened; the moment of arrival when absent. A time at most one day ahead is set to the "
        "moment of arrival, a later one is rejected.",
    )
    channel: ChannelName | None = Field(None, description="Where it happened. The server understands lower case too.")
    item: Name | None = Field(None, description="The product.")
    category: Name | None = Field(None, description="The product's category.")
    quantity: float | None = Field(None, ge=0, le=fields.LARGEST, description="Number of pieces.")
    amount: float | None = Field(
        None,
        ge=0,
        le=fields.LARGEST,
        description="Money in the shop's currency: the order's total for PURCHASE, price times quantity for "
        "PURCHASED_ITEM and CART_ADD.",
    )
    order_id: Name | None = Field(None, description="The order it belongs to.")
    score: float | None = Field(
        None,
        description="Answer to a survey: 0 to 10 for SURVEY_NPS, 1 to 5 for SURVEY_CSAT and REVIEW, 1 to 7 for "
        "SURVEY_EFFORT.",
    )
    properties: Properties | None = Field(
        None,
        description="Anything else. Names that no list allows are dropped, above all personal ones.",
    )


class EventBatch(Request):
    """Several events in an object."""

    events: Annotated[list[EventRequest], Field(min_length=1, max_length=MOST_EVENTS)]


class EventsRequest(
    RootModel[EventRequest | Annotated[list[EventRequest], Field(min_length=1, max_length=MOST_EVENTS)] | EventBatch]
):
    """One event, a list of events, or `{"events": [...]}`."""


class RejectedEvent(Answer):
    """An event that was not accepted; it is kept as a dead letter."""

    index: int = Field(description="The place of the event in the request, counted from 0.")
    message_id: str | None
    code: str = Field(description="`invalid_` and the name of the field.", examples=["invalid_amount"])
    field: str = Field(description="The field at fault; empty when the event is not an object.")
    detail: str


class EventsAnswer(Stamped, WithWarnings):
    """What became of the events. The accepted ones are on disk and in every later score."""

    accepted: int = Field(description="Events new in the log.")
    duplicates: int = Field(description="Events whose `message_id` the log already had.")
    withheld: int = Field(description="Events not written, because their customer withdrew the consent to be profiled.")
    rejected: list[RejectedEvent]


EXAMPLES: dict[str, Any] = {
    "one": {"customer": "household-1", "kind": "ITEM_VIEW", "item": "item-42", "channel": "WEB", "message_id": "w-1"},
    "order": {
        "events": [
            {
                "customer": "household-1",
                "kind": "PURCHASE",
                "order_id": "order-7",
                "amount": 39.9,
                "message_id": "order-7",
            },
            {
                "customer": "household-1",
                "kind": "PURCHASED_ITEM",
                "order_id": "order-7",
                "item": "item-42",
                "quantity": 1,
                "amount": 39.9,
                "message_id": "order-7-1",
            },
        ]
    },
}
LINES_EXAMPLE = (
    '{"customer": "household-1", "kind": "SEARCH", "message_id": "w-2"}\n{"customer": "household-2", "kind": "LOGIN"}\n'
)
ANSWER_EXAMPLE: dict[str, Any] = {
    **STAMP_EXAMPLE,
    "accepted": 1,
    "duplicates": 0,
    "withheld": 0,
    "rejected": [
        {
            "index": 1,
            "message_id": "w-3",
            "code": "invalid_amount",
            "field": "amount",
            "detail": "expected a number from 0 to 1e+15, got -5",
        }
    ],
    "warnings": [
        {"index": 0, "field": "amount", "code": "negative", "detail": "expected a number from 0 to 1e+15, got -1"}
    ],
    "more_warnings": 0,
}


async def post_events(worker: Worker, request: HttpRequest) -> Response:
    """Record events."""
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
    outcomes = ingested.outcomes(await worker.record(ingested.batch))
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
            warnings=warnings_of(ingested),
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
    """The events of a JSON body, the format of a pointer to one of them, and the odd ones."""
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
    """The events of a body with one JSON value a line, the format of a pointer to one of them, and the odd ones."""
    lines = list(filter(bytes.strip, body.splitlines()))
    _check_number(len(lines))
    if not lines:
        raise Problem("invalid_request", "The body has no line; expected one event a line.")
    content, odd = lined(lines)
    return content, "/{}/{}", odd


def _parse(record: Any, now: int, unread: Unread) -> tuple[Event]:
    if not isinstance(record, dict):
        raise BadRecord("", "expected an object with `customer` and `kind`")
    return (parse_event(record, now, new_id, False, unread),)


def _rejected(fault: Fault) -> RejectedEvent:
    hint = _hint((fault.text("kind") or "")[:LONGEST_KIND]) if fault.bad.field == "kind" else ""
    return RejectedEvent(
        index=fault.index,
        message_id=fault.text("message_id"),
        code=fault.code,
        field=fault.bad.field,
        detail=fault.bad.reason + hint,
    )


@lru_cache(maxsize=256)
def _hint(kind: str) -> str:
    """A hint for an unknown kind: the kinds with a similar spelling, else all kinds.

    Cached, because a sender repeats the same misspelling and a comparison takes half a millisecond.
    """
    alike = get_close_matches(kind.strip().upper(), KINDS, 3)
    return f". Did you mean {' or '.join(alike)}?" if alike else f". The kinds are {', '.join(KINDS)}."


def _nothing_accepted(rejected: Sequence[RejectedEvent], pointer: str) -> Problem:
    errors = [
        ProblemError(pointer=pointer.format(event.index, event.field).rstrip("/"), code=event.code, detail=event.detail)
        for event in rejected[:MOST_ERRORS]
    ]
    first = rejected[0]
    what = (
        f"event {first.index}: {first.field}: {first.detail}" if first.field else f"event {first.index}: {first.detail}"
    )
    return Problem(
        "no_event_accepted", f"{what}. All {len(rejected)} rejected events are kept as dead letters.", errors
    )


ROUTES: tuple[Route, ...] = (
    Route(
        name="recordEvents",
        scope="write",
        method="POST",
        path="/v1/events",
        endpoint=post_events,
        tag="events",
        summary="Record events",
        doc='One event, a list, or `{"events": [...]}` of up to 2500; or one JSON object a line. Valid events are '
        "recorded, invalid ones are kept as dead letters and listed in `rejected`; when all are invalid the answer is "
        "a problem. An accepted event is on disk, exactly once by its `message_id`, and in every later answer.",
        request=EventsRequest,
        answer=EventsAnswer,
        answer_doc="What became of the events.",
        problems=(*BODY, "no_event_accepted", *WRITE),
        examples=EXAMPLES,
        answer_example=ANSWER_EXAMPLE,
        also_reads={JSON_LINES: LINES_EXAMPLE},
    ),
)
