"""One message of Segment's tracking API: `POST /v1/identify`, `track`, `page`, `screen`, `group` and `alias`."""

from __future__ import annotations

import json
from typing import Any

from pydantic import BaseModel, Field
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from features.sources.formats.segment_batch import Envelope
from serving.http.bodies import alone
from serving.http.problems import WRITE
from serving.http.protocols.tracking import (
    ANSWER_EXAMPLE,
    MOST_MESSAGE_BYTES,
    PROBLEMS,
    SegmentMessage,
    TrackingAnswer,
    read_messages,
    take_messages,
)
from serving.http.route import Endpoint, Route
from serving.http.schemas.words import Properties
from serving.process.worker import Worker


class IdentifyMessage(SegmentMessage):
    """The identity of a customer: merges `anonymousId` with `userId` when both are given."""

    traits: Properties | None = None


class TrackMessage(SegmentMessage):
    """An event."""

    event: str | int = Field(
        description="An event name of Segment's e-commerce specification, a kind of Waypost, or any other name."
    )
    properties: Properties | None = None


class PageMessage(SegmentMessage):
    """A view of a page or a screen."""

    name: str | None = None
    properties: Properties | None = None


class GroupMessage(SegmentMessage):
    """The group of a customer."""

    groupId: str | int
    traits: Properties | None = None


class AliasMessage(SegmentMessage):
    """Merges `previousId` with `userId`."""

    previousId: str | int


EXAMPLES: dict[str, dict[str, Any]] = {
    "identify": {"userId": "household-1", "anonymousId": "a-18", "messageId": "s-2", "traits": {"plan": "gold"}},
    "track": {
        "userId": "household-1",
        "messageId": "s-3",
        "event": "Product Viewed",
        "properties": {"product_id": "item-42", "price": 39.9},
    },
    "page": {"anonymousId": "a-17", "messageId": "s-4", "name": "Home", "properties": {"path": "/"}},
    "screen": {"anonymousId": "a-17", "messageId": "s-5", "name": "Start"},
    "group": {"userId": "household-1", "messageId": "s-6", "groupId": "family-3"},
    "alias": {"userId": "household-1", "messageId": "s-7", "previousId": "a-16"},
}


def single(kind: str) -> Endpoint:
    """The endpoint of the single call `kind`."""

    async def post(worker: Worker, request: HttpRequest) -> Response:
        size, content, odd = await read_messages(request, alone)
        return await take_messages(worker, Envelope([{**content, "type": kind}], {}, {}), size, odd)

    post.__doc__ = f"Record one {kind} message."
    return post


def _single(kind: str, model: type[BaseModel], summary: str, doc: str) -> Route:
    """The route of one of Segment's single calls."""
    example = EXAMPLES[kind]
    return Route(
        name=f"{kind}Segment",
        scope="write",
        method="POST",
        path=f"/v1/{kind}",
        aliases=(f"/v1/{kind[0]}",),
        endpoint=single(kind),
        tag="segment",
        summary=summary,
        doc=f"{doc} Up to 32 KB. An invalid message is listed in `rejected`, and the answer is still 200.",
        request=model,
        answer=TrackingAnswer,
        answer_doc="What became of the message.",
        problems=(*PROBLEMS, *WRITE),
        examples={kind: example},
        answer_example=ANSWER_EXAMPLE,
        also_reads={"text/plain": json.dumps(example)},
        key_in="body",
        most_bytes=MOST_MESSAGE_BYTES,
    )


ROUTES: tuple[Route, ...] = (
    _single("identify", IdentifyMessage, "Identify a customer", "Merges the anonymous id with the customer's."),
    _single("track", TrackMessage, "Record an event", "Names are those of Segment's e-commerce specification."),
    _single("page", PageMessage, "Record a page view", "A visit to a page of the shop."),
    _single("screen", PageMessage, "Record a screen view", "A visit to a screen of the shop's app."),
    _single("group", GroupMessage, "Record a group", "Kept with the customer; merges no ids."),
    _single("alias", AliasMessage, "Merge two ids", "Merges the previous id with the customer's."),
)
