"""The members of a segment, as of the latest sweep: `GET /v1/segments/NAME`."""

from __future__ import annotations

import math
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from functools import partial
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import ConfigDict, Field
from starlette.requests import Request as HttpRequest
from starlette.responses import Response, StreamingResponse

from features.events import Stage
from features.times import moment
from insights.segments import SEGMENTS
from insights.words import StageName
from models.bundle.answers import ANSWERS
from serving.engine.consent import withdrawn
from serving.engine.customer import number
from serving.engine.engine import Engine
from serving.engine.scoreboard import Generation, member_columns, member_reasons, member_rows
from serving.engine.scoreboard.members import MOST_EXPLAINED, SHOWN, csv_values, shown, valued
from serving.http.messages import parse_query, reply
from serving.http.problems import READ, Problem, ProblemError
from serving.http.route import Route
from serving.http.schemas.answer import Answer
from serving.http.schemas.model_stamp import Stamped, stamp
from serving.http.schemas.past_yield import PastYield, past_yield
from serving.http.schemas.request import Request
from serving.http.schemas.target_scores import Interval, ScoreReason
from serving.http.tables import CSV, csv_headers, csv_text, wants_csv
from serving.process.worker import Worker

ROWS = 500
"""Rows of a CSV stream written at once."""

_CURSOR = re.compile(r"(\d{8,12})-(\d{1,9})", re.ASCII)


class SegmentQuery(Request):
    """Which part of a segment to answer, and in which format."""

    model_config = ConfigDict(extra="forbid", strict=False, frozen=True)

    limit: Annotated[int, Field(ge=1, le=1000)] = Field(100, description="Most members in one page.")
    size: Annotated[float, Field(gt=0)] | None = Field(
        None,
        description="A share of the candidates up to 1, or a number of customers; the segment's own size when absent.",
    )
    cursor: str | None = Field(None, description="`next_cursor` of the page before; the first page when absent.")
    format: Literal["json", "csv"] | None = Field(
        None, description="`csv` streams the whole segment; when absent, the `Accept` header decides."
    )


class LikelyStage(Answer):
    """The most likely of the stages that a customer may enter next."""

    stage: str = Field(description="A stage of the journey, or `stays` for none.")
    probability: float
    days: float | None = Field(description="Expected days until the change.")


class SegmentMember(Answer):
    """One customer of a segment."""

    customer: str
    stage: StageName
    lapsing: bool
    scores: dict[str, float | None] = Field(description="Probabilities and amounts of money, by target.")
    intervals: dict[str, Interval | None] = Field(description="The 90 % interval of each of them.")
    next_stages: dict[str, LikelyStage | None] = Field(description="The stage that is most likely next, by target.")
    reasons: dict[str, list[ScoreReason]] = Field(
        description="The reasons by target that the segment uses, strongest first. Only for the first 100 members."
    )
    features: dict[str, float | None] = Field(
        description="Some features; `GET /v1/customers/{customer}` has all of them."
    )


class SegmentAnswer(Stamped):
    """One page of a segment. Pages linked by cursors are of the same sweep of all customers."""

    name: str
    customers: int
    candidates: int = Field(
        description="Customers for whom the rule holds; `size` limits how many of them are members."
    )
    past: PastYield | None = Field(
        description="What the segment would have found in the past at its own size, where that was measured."
    )
    members: list[SegmentMember]
    next_cursor: str | None = Field(description="Send it as `cursor` for the next page; null on the last page.")


CSV_EXAMPLE = "customer,stage,lapsing,conversion_7d,churn_28d,…\nhousehold-1,retention,0,0.41,0.61,…\n"


async def get_segment(worker: Worker, request: HttpRequest) -> Response:
    """Answer one page of a segment, or stream all of it as CSV."""
    name = request.path_params["segment"]
    if name not in SEGMENTS:
        raise Problem("unknown_segment", f"There is no segment {name[:60]!r}; there are {', '.join(SEGMENTS)}.")
    query = parse_query(SegmentQuery, request.query_params)
    if wants_csv(query.format, request):
        return await _csv(worker, name, size_of(query.size))
    generation, start = _place(worker, query.cursor)
    try:
        places = generation.members(name, size_of(query.size))
    except FileNotFoundError:  # the revision was dropped since its report was read
        raise _expired() from None
    page = places[start : start + query.limit]
    members = await worker.read(lambda engine: list(_members(engine, generation, page)))
    following = start + len(page)
    return reply(
        SegmentAnswer(
            as_of=moment(generation.as_of),
            model=stamp(worker, generation.report["model_version"]),
            name=name,
            customers=len(places),
            candidates=generation.report["candidates"][name],
            past=past_yield(SEGMENTS[name], worker.champions.current),
            members=members,
            next_cursor=f"{generation.name}-{following}" if following < len(places) else None,
        )
    )


def size_of(size: float | None) -> float | None:
    """The requested size. Raises a `Problem` for one that is neither a share nor a whole number."""
    if size is not None and size > 1 and size != round(size):
        detail = f"{size:g} is no size; expected a share such as 0.2, or a number of customers such as 500"
        errors = [ProblemError(pointer="?size", code="invalid_size", detail=detail)]
        raise Problem("invalid_request", f"?size: {detail}.", errors)
    return size


def _place(worker: Worker, cursor: str | None) -> tuple[Generation, int]:
    """The generation that a cursor names, and the first place of its page."""
    if cursor is None:
        return worker.generation(), 0
    match = _CURSOR.fullmatch(cursor)
    if match is None:
        detail = "is not a cursor of this server; send `next_cursor` unchanged, or none for the first page"
        raise Problem(
            "invalid_request",
            f"?cursor: {detail}.",
            [ProblemError(pointer="?cursor", code="invalid_cursor", detail=detail)],
        )
    generation = worker.scoreboard.generation(match[1])
    if generation is None:
        raise _expired()
    return generation, int(match[2])


def _expired() -> Problem:
    detail = "The customers were swept or refreshed many times since the first page. Start again without a cursor."
    return Problem("cursor_expired", detail)


def _listed(
    engine: Engine, generation: Generation, places: NDArray[np.int32]
) -> Iterator[tuple[str, dict[str, float]]]:
    """The id and the columns of members, without those who withdrew the consent to be profiled since the sweep."""
    engine.consents.refresh()
    for customer, values in member_rows(engine.states.log, generation, places, engine.champions.current):
        if customer not in engine.consents.suspects or not withdrawn(engine.states.load(customer)):
            yield customer, values


def _members(engine: Engine, generation: Generation, places: NDArray[np.int32]) -> Iterator[SegmentMember]:
    reasons, code_of, report = generation.reasons(), engine.states.log.customers.code, generation.report
    targets = valued(report)
    rows = dict(zip(generation.customers[places].tolist(), places.tolist(), strict=True))
    for customer, values in _listed(engine, generation, places):
        row = rows.get(code_of(customer))
        yield SegmentMember(
            customer=customer,
            stage=Stage(int(values["stage"])).name.lower(),
            lapsing=values["lapsing"] > 0,
            scores={target: number(values[target]) for target in targets},
            intervals={target: _interval(values[f"{target}_low"], values[f"{target}_high"]) for target in targets},
            next_stages={target: _likely(values, target) for target in report["stages"]},
            reasons={
                target: [ScoreReason.model_validate(reason) for reason in by_row[row]]
                for target, by_row in reasons.items()
                if row in by_row
            },
            features={name: number(values[name]) for name in SHOWN},
        )


def _interval(low: float, high: float) -> Interval | None:
    return Interval(low=low, high=high) if math.isfinite(low) else None


def _likely(values: Mapping[str, float], target: str) -> LikelyStage | None:
    if math.isnan(values[target]):
        return None
    return LikelyStage(
        stage=ANSWERS[int(values[target])],
        probability=values[f"{target}_probability"],
        days=number(values[f"{target}_days"]),
    )


async def _csv(worker: Worker, name: str, size: float | None) -> Response:
    generation = worker.generation()
    places = generation.members(name, size)
    _ = generation.columns  # opened now: a generation may be removed while its lines are sent
    return StreamingResponse(
        _csv_parts(worker, generation, name, places),
        media_type=CSV,
        headers=csv_headers(name, generation),
    )


async def _csv_parts(
    worker: Worker, generation: Generation, name: str, places: NDArray[np.int32]
) -> AsyncIterator[str]:
    """The lines of a segment, `ROWS` at a time, read outside of the event loop."""
    yield csv_text([("customer", *member_columns(generation), "reasons")])
    for start in range(0, len(places), ROWS):
        part, explained = places[start : start + ROWS], start < MOST_EXPLAINED
        yield await worker.read(partial(_csv_rows, generation=generation, name=name, places=part, explained=explained))


def _csv_rows(engine: Engine, generation: Generation, name: str, places: NDArray[np.int32], explained: bool) -> str:
    code_of = engine.states.log.customers.code
    reasons = member_reasons(generation, name, places, engine.champions.current) if explained else {}
    return csv_text(
        (customer, *csv_values(shown(generation, values)), reasons.get(code_of(customer), ""))
        for customer, values in _listed(engine, generation, places)
    )


ROUTES: tuple[Route, ...] = (
    Route(
        name="getSegment",
        scope="read",
        method="GET",
        path="/v1/segments/{segment}",
        endpoint=get_segment,
        tag="customers",
        summary="List the members of a segment",
        doc="A page of members, or all of them as CSV with `?format=csv` or `Accept: text/csv`. The CSV has its "
        "moment and model in the headers `X-As-Of`, `X-Model-Version` and `X-Fingerprint`.",
        answer=SegmentAnswer,
        answer_doc="Members, in the segment's order.",
        query=SegmentQuery,
        problems=("unknown_segment", "cursor_expired", "invalid_request", "scoreboard_missing", *READ),
        path_parameters={"segment": ("Name of a saved segment.", "at-risk")},
        also_answers={"text/csv": CSV_EXAMPLE},
    ),
)
