"""Segment's tracking API: `POST /v1/batch` and its six single calls, as its clients and RudderStack's expect them, and
the settings that the clients in browsers ask for first.

They take exactly 200 for success. What is wrong with one message never fails the request: the client would send all of
it again, or drop all of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any

from pydantic_core import to_json
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from features.events import Event
from features.sources.contract import BadRecord, Unread
from features.sources.formats.segment import SOURCE, TYPES, parse
from features.sources.formats.segment_batch import Envelope, opened
from features.sources.readers.broken_json import Part
from serving.engine.ingest import TURN, Fault, Ingest, new_id
from serving.http.auth import authorize_body_key, count_unreadable
from serving.http.bodies import Body, alone, listed
from serving.http.endpoints.shapes import told
from serving.http.limits import repeats_too_much
from serving.http.messages import JSON, read_body, reply
from serving.http.problems import Problem
from serving.http.route import Endpoint
from serving.http.schemas import RejectedMessage, TrackingAnswer
from serving.http.schemas.requests import MOST_EVENTS
from serving.process.worker import Worker

MOST_MESSAGE_BYTES = 32 * 1024
"""Of one message, as in Segment's specification."""

MOST_BATCH_BYTES = 500 * 1024
"""Of one batch, unpacked, as in Segment's specification."""

MEDIA = (JSON, "text/plain")
"""Browsers that send with `navigator.sendBeacon` call JSON plain text."""

_FIELDS = frozenset(
    ("type", "userId", "messageId", "event", "properties", "timestamp", "sentAt", "groupId", "previousId", "batch")
)


async def post_batch(worker: Worker, request: HttpRequest) -> Response:
    """Take a batch of messages in."""
    size, content, odd = await _read(request, lambda body: listed(body, "batch", _is_message))
    try:
        envelope = opened(content)
    except BadRecord as bad:
        raise Problem("not_a_message", f"{bad.field}: {bad.reason}.") from None
    if len(envelope.items) > MOST_EVENTS:
        raise Problem(
            "too_many_messages",
            f"The batch has {len(envelope.items)} messages; expected at most {MOST_EVENTS}. Send several batches.",
        )
    if size > MOST_MESSAGE_BYTES and repeats_too_much(
        to_json((envelope.shared, envelope.context)), len(envelope.items)
    ):
        raise Problem(
            "message_too_large",
            f"What the batch says for all of its {len(envelope.items)} messages is too much to be kept with each; "
            "expected a `context` of some thousand bytes. Send several batches.",
        )
    return await _taken(worker, envelope, size, odd)


def single(kind: str) -> Endpoint:
    """The endpoint of the single call `kind`."""

    async def post(worker: Worker, request: HttpRequest) -> Response:
        size, content, odd = await _read(request, alone)
        return await _taken(worker, Envelope([{**content, "type": kind}], {}, {}), size, odd)

    post.__doc__ = f"Take one {kind} message in."
    return post


def _is_message(value: Any) -> bool:
    return isinstance(value, dict) and value.get("type") in TYPES


async def _read(request: HttpRequest, read: Callable[[bytes], Body]) -> tuple[int, dict[str, Any], Mapping[int, Part]]:
    """The size of the body, the object that it is, and its odd messages, from somebody who may write."""
    try:
        body, _ = await read_body(request, MEDIA, "message_too_large", any_depth=True)
        content, odd = read(body)
    except Problem:
        count_unreadable(request)
        raise
    key = _taken_out(content) or request.query_params.get("writeKey")
    authorize_body_key(request, key if isinstance(key, str) else None)
    if not isinstance(content, dict):
        raise Problem("not_a_message", "The body is not an object. `/docs` shows what is expected.")
    return len(body), content, odd


def _taken_out(content: Any) -> Any:
    """The key of a body, which it loses, as do its messages: no dead letter may hold one."""
    if not isinstance(content, dict):
        return None
    messages = content.get("batch")
    for message in messages if isinstance(messages, list) else ():
        if isinstance(message, dict):
            message.pop("writeKey", None)
    return content.pop("writeKey", None)


async def _taken(worker: Worker, envelope: Envelope, size: int, odd: Mapping[int, Part]) -> Response:
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
            # Once the rest of the body is no larger than one message may be, no message of it is too large.
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
            warnings=told(ingested),
            more_warnings=ingested.more_warnings,
        )
    )


def _checked_size(size: int) -> int:
    if size > MOST_MESSAGE_BYTES:
        raise BadRecord("", f"the message has {size:,} bytes, expected at most {MOST_MESSAGE_BYTES:,}")
    return size


def _rejected(fault: Fault) -> RejectedMessage:
    known = fault.record if isinstance(fault.record, dict) else {}
    message_id = known.get("messageId")
    return RejectedMessage(
        index=fault.index,
        messageId=message_id if isinstance(message_id, str) else None,
        code=fault.code,
        message=f"{fault.bad.field}: {fault.bad.reason}" if fault.bad.field else fault.bad.reason,
    )
