"""Code that a batch and a single call of Segment's tracking API share, as its clients and RudderStack's expect it.

The clients take exactly 200 for success. A fault of one message never fails the request: the client would send all
messages again, or drop all of them.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, Literal

from pydantic import Field
from pydantic_core import to_json
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from features.events import Event
from features.sources.contract import BadRecord, Unread
from features.sources.formats.segment import SOURCE, parse
from features.sources.formats.segment_batch import Envelope
from features.sources.readers.broken_json import Part
from serving.engine.ingest import TURN, Fault, Ingest, new_id
from serving.http.auth import authorize_body_key, count_unreadable
from serving.http.bodies import Body
from serving.http.messages import JSON, read_body, reply
from serving.http.problems import Problem
from serving.http.schemas.answer import Answer
from serving.http.schemas.request import Open
from serving.http.schemas.unread_values import WithWarnings, warnings_of
from serving.http.schemas.words import Properties
from serving.process.worker import Worker

MOST_MESSAGE_BYTES = 32 * 1024
"""Most bytes of one message, as in Segment's specification."""

MEDIA = (JSON, "text/plain")
"""Browsers label JSON as plain text when they send it with `navigator.sendBeacon`."""

PROBLEMS = (
    "malformed_json",
    "malformed_gzip",
    "not_a_message",
    "message_too_large",
    "body_too_slow",
    "unsupported_media_type",
    "unsupported_encoding",
)
"""Ways in which reading a message can fail."""

_FIELDS = frozenset(
    ("type", "userId", "messageId", "event", "properties", "timestamp", "sentAt", "groupId", "previousId", "batch")
)


class SegmentMessage(Open):
    """One message. At least one of `userId` and `anonymousId` is required."""

    userId: str | int | None = Field(None, description="The customer's id, once it is known.")
    anonymousId: str | int | None = Field(None, description="The id of an unknown visitor.")
    messageId: str | None = Field(
        None, max_length=100, description="Makes the event exactly-once. The server makes one when absent."
    )
    timestamp: str | None = Field(None, description="When it happened, ISO 8601, by the sender's clock.")
    sentAt: str | None = Field(
        None,
        description="When it was sent, by the same clock: its difference to the server's clock corrects `timestamp`.",
    )
    context: Properties | None = Field(None, description="`campaign`, `page`, `device`, `channel`, `consent`...")
    writeKey: str | None = Field(None, description="The key, unless a header has it.")


class RejectedMessage(Answer):
    """A message that was not accepted; it is kept as a dead letter."""

    index: int = Field(description="The place of the message in the batch, counted from 0.")
    messageId: str | None
    code: str = Field(description="`invalid_` and the name of the field.", examples=["invalid_timestamp"])
    message: str = Field(description="The field at fault, and what is wrong with it.")


class TrackingAnswer(WithWarnings):
    """What became of the messages. The accepted ones are on disk and in every later score."""

    success: Literal[True]
    accepted: int = Field(description="Messages new in the log.")
    duplicates: int = Field(description="Messages whose `messageId` the log already had.")
    withheld: int = Field(description="Messages not written, because their customer withdrew the consent.")
    rejected: list[RejectedMessage]


ANSWER_EXAMPLE: dict[str, Any] = {
    "success": True,
    "accepted": 1,
    "duplicates": 0,
    "withheld": 0,
    "rejected": [
        {
            "index": 1,
            "messageId": "s-8",
            "code": "invalid_timestamp",
            "message": "timestamp: 'noon' is not an ISO 8601 time, such as 2026-03-01T12:00:00Z",
        }
    ],
    "warnings": [
        {
            "index": 0,
            "field": "properties.price",
            "code": "negative",
            "detail": "expected a number from 0 to 1e+15, got -1",
        }
    ],
    "more_warnings": 0,
}


async def read_messages(
    request: HttpRequest, read: Callable[[bytes], Body]
) -> tuple[int, dict[str, Any], Mapping[int, Part]]:
    """The size of the body, its object, and its odd messages, once the key was checked."""
    try:
        body, _ = await read_body(request, MEDIA, "message_too_large", any_depth=True)
        content, odd = read(body)
    except Problem:
        count_unreadable(request)
        raise
    key = _remove_key(content) or request.query_params.get("writeKey")
    authorize_body_key(request, key if isinstance(key, str) else None)
    if not isinstance(content, dict):
        raise Problem("not_a_message", "The body is not an object. `/docs` shows what is expected.")
    return len(body), content, odd


def _remove_key(content: Any) -> Any:
    """Remove the key from a body and its messages, so that no dead letter holds one. Returns the body's key."""
    if not isinstance(content, dict):
        return None
    messages = content.get("batch")
    for message in messages if isinstance(messages, list) else ():
        if isinstance(message, dict):
            message.pop("writeKey", None)
    return content.pop("writeKey", None)


async def take_messages(worker: Worker, envelope: Envelope, size: int, odd: Mapping[int, Part]) -> Response:
    """Record the messages of a body of `size` bytes, and answer what became of them."""
    now = worker.clock()
    ingested = Ingest(SOURCE.name, worker.settings.privacy, worker.currencies, now, size, SOURCE.customer, _FIELDS)
    rest = size

    def parsed(message: Any, unread: Unread) -> list[Event]:
        return parse(message, now, new_id, False, unread)

    for index in range(len(envelope.items)):
        item = envelope.items[index]
        part = odd.get(index) if odd else None
        raw = part.raw if part else None
        try:
            if part and part.reason:
                raise BadRecord("", part.reason)
            # Once the rest of the body is within the limit of one message, so is every message in it.
            if rest > MOST_MESSAGE_BYTES:
                rest -= _checked_size(len(to_json(item)) if raw is None else len(raw))
            message = envelope.message(index)
        except BadRecord as bad:
            ingested.refuse(index, item, bad, raw)
        else:
            ingested.take(index, message, parsed, raw)
        if index % TURN == TURN - 1:
            await asyncio.sleep(0)
    outcomes = ingested.outcomes(await worker.record(ingested.batch))
    return reply(
        TrackingAnswer(
            success=True,
            accepted=outcomes["accepted"],
            duplicates=outcomes["duplicate"],
            withheld=outcomes["withheld"],
            rejected=[_rejected(fault) for fault in ingested.faults],
            warnings=warnings_of(ingested),
            more_warnings=ingested.more_warnings,
        )
    )


def _checked_size(size: int) -> int:
    if size > MOST_MESSAGE_BYTES:
        raise BadRecord("", f"the message has {size:,} bytes, expected at most {MOST_MESSAGE_BYTES:,}")
    return size


def _rejected(fault: Fault) -> RejectedMessage:
    return RejectedMessage(
        index=fault.index,
        messageId=fault.text("messageId"),
        code=fault.code,
        message=f"{fault.bad.field}: {fault.bad.reason}" if fault.bad.field else fault.bad.reason,
    )
