"""The saved segments: `GET /v1/segments`."""

from __future__ import annotations

from pydantic import Field
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from features.times import moment
from insights.segments import SEGMENTS
from serving.http.messages import reply
from serving.http.problems import SWEPT
from serving.http.route import Route
from serving.http.schemas.answer import Answer
from serving.http.schemas.model_stamp import Stamped, stamp
from serving.http.schemas.past_yield import PastYield, past_yield
from serving.process.worker import Worker


class SegmentSummary(Answer):
    """One saved segment and its size."""

    name: str
    title: str
    doc: str = Field(description="The customers in it.")
    rule: str = Field(description="The condition, over features and probabilities.")
    ordering: str = Field(description="The order of its customers.")
    customers: int
    candidates: int = Field(description="Customers for whom the rule holds; the first of them form the segment.")
    share: float | None = Field(description="Share of all customers.")
    past: PastYield | None = Field(
        description="What the segment would have found in the past, where that was measured."
    )


class SegmentsAnswer(Stamped):
    """All saved segments, as they were at the last sweep of all customers."""

    customers: int
    segments: list[SegmentSummary]


async def get_segments(worker: Worker, request: HttpRequest) -> Response:
    """List the saved segments."""
    generation = worker.generation()
    summaries = [
        SegmentSummary(
            name=segment.name,
            title=segment.title,
            doc=segment.doc,
            rule=str(segment.rule),
            ordering=segment.ordering,
            customers=generation.report["segments"][segment.name],
            candidates=generation.report["candidates"][segment.name],
            past=past_yield(segment, worker.champions.current),
            share=generation.report["segments"][segment.name] / generation.count if generation.count else None,
        )
        for segment in SEGMENTS.values()
    ]
    return reply(
        SegmentsAnswer(
            as_of=moment(generation.as_of),
            model=stamp(worker, generation.report["model_version"]),
            customers=generation.count,
            segments=summaries,
        )
    )


ROUTES: tuple[Route, ...] = (
    Route(
        name="listSegments",
        scope="read",
        method="GET",
        path="/v1/segments",
        endpoint=get_segments,
        tag="customers",
        summary="List the saved segments",
        doc="Every segment with its rule and its size at the latest sweep of all customers.",
        answer=SegmentsAnswer,
        answer_doc="The segments.",
        problems=SWEPT,
    ),
)
