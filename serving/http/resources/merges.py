"""Undoing merges: `POST /v1/customers/ID/unmerge`."""

from __future__ import annotations

from datetime import datetime

from pydantic import Field
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from features.times import moment
from serving.engine.erasure import unmerge
from serving.http.customer_path import CUSTOMER, customer_of
from serving.http.messages import reply_with
from serving.http.problems import WRITE
from serving.http.route import Route
from serving.http.schemas.answer import Answer
from serving.process.worker import Worker


class UnmergeAnswer(Answer):
    """The ids separated. From now on, every history is what it would be had the ids never been merged."""

    as_of: datetime
    customer: str
    separated: list[str] = Field(description="Ids taken out of the profile; empty when it had no other.")
    profiles: list[list[str]] = Field(description="The ids of every profile that there is now, its own first.")


async def post_unmerge(worker: Worker, request: HttpRequest) -> Response:
    """Separate the ids of a profile."""
    customer = customer_of(request)
    now = worker.clock()
    separated, profiles = await worker.write(lambda engine: unmerge(engine, customer, now), alone=False)
    answer = UnmergeAnswer(as_of=moment(now), customer=customer, separated=separated, profiles=profiles)
    return reply_with(answer, 200)


ROUTES: tuple[Route, ...] = (
    Route(
        name="unmergeCustomer",
        scope="admin",
        method="POST",
        path="/v1/customers/{customer}/unmerge",
        endpoint=post_unmerge,
        tag="customers",
        summary="Separate merged ids",
        doc="Takes an id out of the profile it was merged into; for the profile's own id, takes all others out. From "
        "then on every history, state and score is what it would be had the ids never been merged, and later events do "
        "not merge the same two again.",
        answer=UnmergeAnswer,
        answer_doc="The ids separated; none when nothing was merged.",
        problems=("not_found", "invalid_request", *WRITE),
        path_parameters=CUSTOMER,
    ),
)
