"""What the shop sends: events, in its own words or in those of others' clients."""

from __future__ import annotations

import json

from pydantic import BaseModel

from serving.http import examples
from serving.http.endpoints import events, measurement, segment
from serving.http.messages import JSON_LINES
from serving.http.route import Route
from serving.http.routes.failures import BODY, MESSAGE, WRITE
from serving.http.schemas import (
    AliasMessage,
    BatchRequest,
    EventsAnswer,
    EventsRequest,
    GroupMessage,
    IdentifyMessage,
    MeasurementQuery,
    MeasurementRequest,
    PageMessage,
    TrackingAnswer,
    TrackMessage,
    ValidationAnswer,
)

_COLLECT = (
    "malformed_json",
    "malformed_gzip",
    "body_too_slow",
    "body_too_large",
    "unsupported_media_type",
    "unsupported_encoding",
)


def _single(kind: str, model: type[BaseModel], summary: str, doc: str) -> Route:
    """The route of one of Segment's single calls."""
    example = examples.SEGMENT_MESSAGES[kind]
    return Route(
        name=f"{kind}Segment",
        scope="write",
        method="POST",
        path=f"/v1/{kind}",
        aliases=(f"/v1/{kind[0]}",),
        endpoint=segment.single(kind),
        tag="segment",
        summary=summary,
        doc=f"{doc} Of up to 32 KB. A fault of the message is told in `rejected`, and the answer is 200 all the same.",
        request=model,
        answer=TrackingAnswer,
        answer_doc="What became of the message.",
        problems=(*MESSAGE, *WRITE),
        examples={kind: example},
        answer_example=examples.TRACKING_ANSWER,
        also_reads={"text/plain": json.dumps(example)},
        key_in="body",
        most_bytes=segment.MOST_MESSAGE_BYTES,
    )


ROUTES: tuple[Route, ...] = (
    Route(
        name="recordEvents",
        scope="write",
        method="POST",
        path="/v1/events",
        endpoint=events.post_events,
        tag="events",
        summary="Take events in",
        doc='One event, a list, or `{"events": [...]}` of up to 2500; or one JSON object a line. Good events are taken '
        "in and bad ones are kept as dead letters, each named in `rejected`; when all are bad the answer is a problem. "
        "Once answered, an event is on disk, exactly once by its `message_id`, and in every later answer.",
        request=EventsRequest,
        answer=EventsAnswer,
        answer_doc="What became of the events.",
        problems=(*BODY, "no_event_accepted", *WRITE),
        examples=examples.EVENTS,
        answer_example=examples.EVENTS_ANSWER,
        also_reads={JSON_LINES: examples.EVENT_LINES},
    ),
    Route(
        name="batchSegment",
        scope="write",
        method="POST",
        path="/v1/batch",
        aliases=("/v1/b", "/beacon/v1/batch"),
        endpoint=segment.post_batch,
        tag="segment",
        summary="Take a batch of Segment's messages in",
        doc="Up to 2500 messages in 500 KB, unpacked, each of up to 32 KB; `context` and `sentAt` of the batch hold "
        "for all. Faulty messages are told in `rejected` and kept as dead letters, and the rest is taken in. Once "
        "answered, a message is on disk, exactly once by its `messageId`, and in every later answer.",
        request=BatchRequest,
        answer=TrackingAnswer,
        answer_doc="What became of the messages.",
        problems=(*MESSAGE, "too_many_messages", *WRITE),
        examples=examples.BATCHES,
        answer_example=examples.TRACKING_ANSWER,
        also_reads={"text/plain": json.dumps(examples.BATCHES["visit"])},
        key_in="body",
        most_bytes=segment.MOST_BATCH_BYTES,
    ),
    _single("identify", IdentifyMessage, "Tell who it is", "Joins the anonymous id to the customer's."),
    _single("track", TrackMessage, "Tell what happened", "Names are those of Segment's e-commerce specification."),
    _single("page", PageMessage, "Tell of a page that was seen", "A visit to a page of the shop."),
    _single("screen", PageMessage, "Tell of a screen that was seen", "A visit to a screen of the shop's app."),
    _single("group", GroupMessage, "Tell of a group", "Kept with the customer; joins no ids."),
    _single("alias", AliasMessage, "Join two ids", "Joins the previous id to the customer's."),
    Route(
        name="collectMeasurements",
        scope="write",
        method="POST",
        path="/mp/collect",
        endpoint=measurement.post_collect,
        tag="measurement",
        summary="Take events of GA4's Measurement Protocol in",
        doc="As Google's own address: 204 whatever was sent. What is at fault is kept as a dead letter; ask "
        "`POST /debug/mp/collect` what it is.",
        request=MeasurementRequest,
        query=MeasurementQuery,
        answer_doc="What could be taken in is on disk, and the rest among the dead letters.",
        success=204,
        problems=(*_COLLECT, *WRITE),
        examples=examples.MEASUREMENTS,
        also_reads={"text/plain": json.dumps(examples.MEASUREMENTS["purchase"])},
        key_in="query",
    ),
    Route(
        name="validateMeasurements",
        scope="write",
        method="POST",
        path="/debug/mp/collect",
        endpoint=measurement.post_debug_collect,
        tag="measurement",
        summary="Tell what is wrong with a request of the Measurement Protocol",
        doc="Nothing is taken in.",
        request=MeasurementRequest,
        query=MeasurementQuery,
        answer=ValidationAnswer,
        answer_doc="The faults; none, when the request would be taken in whole.",
        problems=(*_COLLECT, "internal_error"),
        examples=examples.MEASUREMENTS,
        answer_example=examples.VALIDATION_ANSWER,
        also_reads={"text/plain": json.dumps(examples.MEASUREMENTS["purchase"])},
        key_in="query",
    ),
)
