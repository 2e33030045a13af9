"""Messages of Segment's tracking API, many at once: `POST /v1/batch`."""

from __future__ import annotations

import json
from typing import Annotated, Any, Literal

from pydantic import Field
from pydantic_core import to_json
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from features.sources.contract import BadRecord
from features.sources.formats.segment import TYPES
from features.sources.formats.segment_batch import opened
from serving.http.bodies import listed
from serving.http.limits import repeats_too_much
from serving.http.problems import WRITE, Problem
from serving.http.protocols.tracking import (
    ANSWER_EXAMPLE,
    MOST_MESSAGE_BYTES,
    PROBLEMS,
    SegmentMessage,
    TrackingAnswer,
    read_messages,
    take_messages,
)
from serving.http.route import Route
from serving.http.schemas.request import MOST_EVENTS, Open
from serving.http.schemas.words import Properties, named
from serving.process.worker import Worker

MOST_BATCH_BYTES = 500 * 1024
"""Most bytes of one batch, unpacked, as in Segment's specification."""

MessageType = Annotated[Literal["identify", "track", "page", "screen", "group", "alias"], named("MessageType")]


class BatchItem(SegmentMessage):
    """A message with its type."""

    type: MessageType


class BatchRequest(Open):
    """Several messages. `context` and `sentAt` apply to messages without their own."""

    batch: Annotated[list[BatchItem], Field(max_length=MOST_EVENTS)]
    context: Properties | None = None
    sentAt: str | None = None
    writeKey: str | None = Field(None, description="The key, unless a header has it.")


EXAMPLES: dict[str, Any] = {
    "visit": {
        "batch": [
            {"type": "identify", "userId": "household-1", "anonymousId": "a-17", "traits": {"plan": "gold"}},
            {
                "type": "track",
                "userId": "household-1",
                "messageId": "s-1",
                "event": "Order Completed",
                "properties": {
                    "order_id": "order-8",
                    "revenue": 39.9,
                    "products": [{"product_id": "item-42", "price": 39.9, "quantity": 1}],
                },
                "timestamp": "2026-03-01T12:00:00.000Z",
            },
        ],
        "sentAt": "2026-03-01T12:00:01.000Z",
    }
}


async def post_batch(worker: Worker, request: HttpRequest) -> Response:
    """Record a batch of messages."""
    size, content, odd = await read_messages(request, lambda body: listed(body, "batch", _is_message))
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
            f"The fields that the batch shares are too large to be kept with each of its {len(envelope.items)} "
            "messages; expected a `context` of some thousand bytes. Send several batches.",
        )
    return await take_messages(worker, envelope, size, odd)


def _is_message(value: Any) -> bool:
    return isinstance(value, dict) and value.get("type") in TYPES


ROUTES: tuple[Route, ...] = (
    Route(
        name="batchSegment",
        scope="write",
        method="POST",
        path="/v1/batch",
        aliases=("/v1/b", "/beacon/v1/batch"),
        endpoint=post_batch,
        tag="segment",
        summary="Record a batch of Segment's messages",
        doc="Up to 2500 messages in 500 KB, unpacked, each of up to 32 KB; `context` and `sentAt` of the batch apply "
        "to all. Invalid messages are listed in `rejected` and kept as dead letters, and the others are recorded. An "
        "accepted message is on disk, exactly once by its `messageId`, and in every later answer.",
        request=BatchRequest,
        answer=TrackingAnswer,
        answer_doc="What became of the messages.",
        problems=(*PROBLEMS, "too_many_messages", *WRITE),
        examples=EXAMPLES,
        answer_example=ANSWER_EXAMPLE,
        also_reads={"text/plain": json.dumps(EXAMPLES["visit"])},
        key_in="body",
        most_bytes=MOST_BATCH_BYTES,
    ),
)
