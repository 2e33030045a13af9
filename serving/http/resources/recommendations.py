"""Products to recommend: `POST /v1/recommendations`."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from features.times import moment
from serving.http.auth import authorize_customers
from serving.http.messages import parse, read_body, reply
from serving.http.problems import BODY, READ
from serving.http.route import Route
from serving.http.schemas.model_stamp import STAMP_EXAMPLE, Stamped, stamp
from serving.http.schemas.recommended import RecommendedItem, recommended
from serving.http.schemas.request import CustomerId, Name, Request
from serving.process.worker import Worker

MOST_ITEMS = 100


class RecommendationsRequest(Request):
    """For whom to recommend products, and how many."""

    customer: CustomerId
    limit: Annotated[int, Field(ge=1, le=MOST_ITEMS)] = 10
    exclude: Annotated[list[Name], Field(max_length=1000)] = Field(
        default_factory=list, description="Products that must not be recommended, such as those already on the page."
    )


class RecommendationsAnswer(Stamped):
    """Products, best first; the popular ones for an unknown customer."""

    customer: str
    known: bool
    items: list[RecommendedItem]
    why: str | None = Field(
        description="Why all customers get the same products, or none; null where the products are personal."
    )


EXAMPLES: dict[str, Any] = {"five": {"customer": "household-1", "limit": 5, "exclude": ["item-42"]}}
ANSWER_EXAMPLE: dict[str, Any] = {
    **STAMP_EXAMPLE,
    "customer": "household-1",
    "known": True,
    "items": [
        {"item": "item-9", "score": 0.83, "reason": "because of item-42"},
        {"item": "item-1", "score": 0.02, "reason": "popular"},
    ],
    "why": None,
}


async def post_recommendations(worker: Worker, request: HttpRequest) -> Response:
    """Recommend products."""
    body, _ = await read_body(request)
    asked = parse(RecommendationsRequest, body)
    authorize_customers(request, [asked.customer])
    now = worker.clock()
    recommendation = await worker.ask(lambda engine: engine.recommend(asked.customer, asked.limit, now, asked.exclude))
    return reply(
        RecommendationsAnswer(
            as_of=moment(recommendation.as_of),
            model=stamp(worker, recommendation.version),
            customer=asked.customer,
            known=recommendation.known,
            items=recommended(recommendation.items),
            why=recommendation.why,
        )
    )


ROUTES: tuple[Route, ...] = (
    Route(
        name="recommendItems",
        scope="answers",
        visitors=True,
        method="POST",
        path="/v1/recommendations",
        endpoint=post_recommendations,
        tag="answers",
        summary="Recommend products",
        doc="Products that fit those the customer recently looked at and bought; else the popular ones.",
        request=RecommendationsRequest,
        answer=RecommendationsAnswer,
        answer_doc="Products, best first.",
        problems=(*BODY, "model_missing", *READ),
        examples=EXAMPLES,
        answer_example=ANSWER_EXAMPLE,
    ),
)
