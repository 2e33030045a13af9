"""What is known of one customer, and of the segments as of the latest sweep."""

from __future__ import annotations

import math
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from functools import partial

import numpy as np
from numpy.typing import NDArray
from starlette.requests import Request as HttpRequest
from starlette.responses import Response, StreamingResponse

from features.events import Event, Kind, Stage
from features.log.contract import EventStore
from features.sources.contract import BadRecord
from features.sources.fields import fields
from features.times import moment
from insights.segments import SEGMENTS
from models.bundle.answers import ANSWERS
from models.decisions.actions import DO_NOTHING
from serving.engine.consent import withdrawn
from serving.engine.customer import number, position, segments_of, target_scores
from serving.engine.engine import Engine
from serving.engine.scoreboard import Generation, member_columns, member_reasons, member_rows
from serving.engine.scoreboard.members import MOST_EXPLAINED, SHOWN, csv_values, shown, valued
from serving.http.endpoints.shapes import event_answer, past_yield, stamp, version_of
from serving.http.endpoints.tables import csv_headers, csv_text, wants_csv
from serving.http.messages import parse_query, reply
from serving.http.problems import Problem
from serving.http.schemas import (
    CustomerAnswer,
    CustomerQuery,
    LikelyStage,
    ProblemError,
    SegmentAnswer,
    SegmentMember,
    SegmentQuery,
    SegmentsAnswer,
    SegmentSummary,
)
from serving.http.schemas.scores import TARGET_SCORES, Interval, ScoreReason
from serving.process.worker import Worker

ROWS = 500
"""Rows of a CSV stream written at once."""

_CURSOR = re.compile(r"(\d{8,12})-(\d{1,9})", re.ASCII)


async def get_customer(worker: Worker, request: HttpRequest) -> Response:
    """Tell what is known of a customer."""
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
            events=[event_answer(event) for event in events],
        )
    )


def newest_events(log: EventStore, customer: str, limit: int) -> list[Event]:
    """The newest events of a customer, newest first, without the decisions to do nothing: of those there are many."""
    asked = limit
    while True:
        found = log.events(customer, asked)
        told = [each for each in found if each.kind is not Kind.DECISION or each.category != DO_NOTHING.name][:limit]
        if len(told) == limit or len(found) < asked:
            return told
        asked *= 4


def customer_of(request: HttpRequest) -> str:
    """The customer that an address names, by the rule by which events name one."""
    try:
        customer = fields.name(request.path_params["customer"], "customer")
    except BadRecord as fault:
        raise Problem(
            "invalid_request",
            f"The customer in the address: {fault.reason}.",
            [ProblemError(pointer="{customer}", code="invalid_customer", detail=fault.reason)],
        ) from None
    if customer is None:
        raise Problem("not_found", "The address names no customer; expected /v1/customers/ID.")
    return customer


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


async def get_segment(worker: Worker, request: HttpRequest) -> Response:
    """Give one page of a segment, or stream all of it as CSV."""
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
    """How many members are asked for. Raises a `Problem` for what is neither a share nor a whole number."""
    if size is not None and size > 1 and size != round(size):
        detail = f"{size:g} is no size; expected a share such as 0.2, or a number of customers such as 500"
        errors = [ProblemError(pointer="?size", code="invalid_size", detail=detail)]
        raise Problem("invalid_request", f"?size: {detail}.", errors)
    return size


def _place(worker: Worker, cursor: str | None) -> tuple[Generation, int]:
    """The generation that a cursor speaks of, and the first place of its page."""
    if cursor is None:
        return worker.generation(), 0
    told = _CURSOR.fullmatch(cursor)
    if told is None:
        detail = "is not a cursor that this server gave; send `next_cursor` as it came, or none for the first page"
        raise Problem(
            "invalid_request",
            f"?cursor: {detail}.",
            [ProblemError(pointer="?cursor", code="invalid_cursor", detail=detail)],
        )
    generation = worker.scoreboard.generation(told[1])
    if generation is None:
        raise _expired()
    return generation, int(told[2])


def _expired() -> Problem:
    detail = "The customers were swept or refreshed many times since the first page. Begin again without a cursor."
    return Problem("cursor_expired", detail)


def _listed(
    engine: Engine, generation: Generation, places: NDArray[np.int32]
) -> Iterator[tuple[str, dict[str, float]]]:
    """The id and the columns of members; who withdrew the consent to be profiled since the sweep is left out."""
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
                target: [ScoreReason.model_validate(each) for each in told[row]]
                for target, told in reasons.items()
                if row in told
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
        media_type="text/csv; charset=utf-8",
        headers=csv_headers(name, generation),
    )


async def _csv_parts(
    worker: Worker, generation: Generation, name: str, places: NDArray[np.int32]
) -> AsyncIterator[str]:
    """The lines of a segment, some at a time, read beside the event loop."""
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
