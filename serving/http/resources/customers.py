"""What is known about one customer: `GET /v1/customers/ID`."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from pydantic import ConfigDict, Field
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from features.events import Event, Kind
from features.log.contract import EventStore
from features.times import moment
from insights.words import StageName
from models.decisions.actions import DO_NOTHING
from serving.engine.customer import event_fields, number, position, segments_of, target_scores
from serving.http.customer_path import CUSTOMER, customer_of
from serving.http.messages import parse_query, reply
from serving.http.problems import READ
from serving.http.route import Route
from serving.http.schemas.answer import Answer
from serving.http.schemas.model_stamp import Stamped, stamp, version_of
from serving.http.schemas.request import Request
from serving.http.schemas.target_scores import TARGET_SCORES, TargetScore
from serving.http.schemas.words import Properties
from serving.process.worker import Worker


class CustomerQuery(Request):
    """How much of a customer to include."""

    model_config = ConfigDict(extra="forbid", strict=False, frozen=True)

    events: Annotated[int, Field(ge=0, le=500)] = Field(20, description="How many of the newest events to include.")


class EventAnswer(Answer):
    """One event of the log."""

    message_id: str
    customer: str = Field(description="The id that the event named.")
    kind: str
    at: datetime
    received: datetime
    channel: str
    item: str | None
    category: str | None
    quantity: float | None
    amount: float | None
    order_id: str | None
    score: float | None
    properties: Properties


class CustomerAnswer(Stamped):
    """Everything known about one customer, under all ids."""

    customer: str
    known: bool
    ids: list[str] = Field(description="All ids of the profile, its own first; none when the log knows no such id.")
    merged_into: str | None = Field(description="The profile's own id, when the request named another; else null.")
    stage: StageName | None
    previous_stage: StageName | None
    days_in_stage: float | None
    lapsing: bool = Field(description="Silent for longer than the customer's own rhythm suggests.")
    scores: dict[str, TargetScore]
    segments: list[str]
    features: dict[str, float | None] = Field(
        description="Every feature, by name; `docs/features.md` has their meanings."
    )
    events: list[EventAnswer] = Field(description="The newest events, newest first.")


async def get_customer(worker: Worker, request: HttpRequest) -> Response:
    """Answer what is known about a customer."""
    query = parse_query(CustomerQuery, request.query_params)
    customer = customer_of(request)
    now = worker.clock()
    scores, events, ids = await worker.read(
        lambda engine: (
            engine.profile(customer, now),
            newest_events(engine.states.log, customer, query.events),
            engine.states.log.profile(customer),
        )
    )
    return reply(
        CustomerAnswer(
            as_of=moment(scores.as_of),
            model=stamp(worker, version_of(scores.champion)),
            customer=customer,
            known=scores.known,
            ids=ids,
            merged_into=ids[0] if ids and ids[0] != customer else None,
            **position(worker.fold, scores),
            scores=TARGET_SCORES.validate_python(target_scores(scores)),
            segments=segments_of(worker.fold, scores, worker.scoreboard.current()),
            features={
                name: number(value) for name, value in zip(worker.fold.names, scores.features.tolist(), strict=True)
            },
            events=[EventAnswer(**event_fields(event)) for event in events],
        )
    )


def newest_events(log: EventStore, customer: str, limit: int) -> list[Event]:
    """The newest events of a customer, newest first, without the many decisions to do nothing."""
    asked = limit
    while True:
        events = log.events(customer, asked)
        shown = [event for event in events if event.kind is not Kind.DECISION or event.category != DO_NOTHING.name]
        if len(shown) >= limit or len(events) < asked:
            return shown[:limit]
        asked *= 4


ROUTES: tuple[Route, ...] = (
    Route(
        name="getCustomer",
        scope="read",
        method="GET",
        path="/v1/customers/{customer}",
        endpoint=get_customer,
        tag="customers",
        summary="Show what is known about a customer",
        doc="All ids, stage, scores, segments, every feature, and the newest events, all at this moment.",
        answer=CustomerAnswer,
        answer_doc="The customer; `known` is false when there is no event.",
        query=CustomerQuery,
        problems=("not_found", "invalid_request", *READ),
        path_parameters=CUSTOMER,
    ),
)
