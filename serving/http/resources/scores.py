"""What to expect of customers: `POST /v1/scores`."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import ConfigDict, Field, JsonValue, model_validator
from pydantic_core import to_json
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from features.times import moment
from insights.words import StageName
from serving import metrics
from serving.engine.customer import stage_name, target_scores
from serving.engine.engine import Engine
from serving.engine.scores import CustomerScores as Scored
from serving.engine.scores import UnknownTargets
from serving.http.auth import authorize_customers
from serving.http.messages import JSON, parse, parse_query, read_body
from serving.http.problems import BODY, READ, Problem, ProblemError
from serving.http.route import Route
from serving.http.schemas.answer import Answer
from serving.http.schemas.model_stamp import STAMP_EXAMPLE, Stamped, version_of
from serving.http.schemas.request import CustomerId, Name, Request
from serving.http.schemas.target_scores import TargetScore
from serving.process.worker import Worker

MOST_CUSTOMERS = 1000
MOST_EXPLAINED = 20

AT_ONCE = 8
"""Most customers scored on the event loop, where the store never waits; more are scored in a thread."""

# Conditions rather than two alternatives, of which generators of clients would make two unnamed types.
_ONE_OF_BOTH: dict[str, JsonValue] = {
    "if": {"required": ["customers"], "properties": {"customers": {"type": "array"}}},
    "then": {"properties": {"customer": {"type": "null"}}},
    "else": {"required": ["customer"], "properties": {"customer": {"type": "string"}}},
}

_predict_one = metrics.PREDICT_SECONDS.labels("one")
_predict_many = metrics.PREDICT_SECONDS.labels("many")


class ScoresRequest(Request):
    """Whom to score: one `customer`, or up to 1000 `customers`."""

    model_config = ConfigDict(json_schema_extra=_ONE_OF_BOTH)

    customer: CustomerId | None = None
    customers: Annotated[list[CustomerId], Field(min_length=1, max_length=MOST_CUSTOMERS)] | None = None
    targets: Annotated[list[Name], Field(min_length=1, max_length=100)] | None = Field(
        None, description="Only these targets; all when absent. Fewer targets are answered faster."
    )

    @model_validator(mode="after")
    def _one_of_both(self) -> ScoresRequest:
        if (self.customer is None) == (self.customers is None):
            raise ValueError("send either `customer` or `customers`")
        return self


class ScoresQuery(Request):
    """How much of each score to include."""

    explain: bool = Field(
        False,
        strict=False,
        description=f"Add reasons in words, which takes milliseconds per customer, for up to {MOST_EXPLAINED}.",
    )


class CustomerScores(Answer):
    """The scores of one customer."""

    customer: str
    known: bool = Field(
        description="False when there is no event of this customer; the probabilities are then the base rates."
    )
    stage: StageName | None
    scores: dict[str, TargetScore]


class ScoresAnswer(Stamped):
    """Scores, in the order of the request."""

    results: list[CustomerScores]


EXAMPLES: dict[str, Any] = {
    "one": {"customer": "household-1"},
    "several": {"customers": ["household-1", "household-2"], "targets": ["conversion_7d"]},
}
ANSWER_EXAMPLE: dict[str, Any] = {
    **STAMP_EXAMPLE,
    "results": [
        {
            "customer": "household-1",
            "known": True,
            "stage": "retention",
            "scores": {
                "churn_28d": {
                    "form": "probability",
                    "probability": 0.71,
                    "interval": {"low": 0.66, "high": 0.76},
                    "rank_percentile": 91.5,
                    "rank_band": "top fifth",
                    "evidence": "A",
                    "evidence_why": None,
                    "definition": "no PURCHASE within 28 days after the moment it is asked",
                    "scope": "customers with days_since_purchase <= 56",
                    "horizon_days": 28.0,
                    "base_rate": 0.31,
                    "reasons": [
                        {
                            "about": "Tempo",
                            "words": "no purchase for 34 days, usually every 9 days",
                            "effect": 1.12,
                            "features": {"silence_ratio": 3.78},
                        }
                    ],
                },
                "lifetime_value_90d": {
                    "form": "amount",
                    "amount": 96.4,
                    "interval": {"low": 0.0, "high": 240.0},
                    "rank_percentile": 38.0,
                    "rank_band": "lower half",
                    "evidence": "D",
                    "evidence_why": "No customer of the training rows had the latest channel web.",
                    "definition": "amount of PURCHASE within 90 days after the moment it is asked",
                    "scope": "customers with purchases_ever >= 1",
                    "horizon_days": 90.0,
                    "base_rate": 181.2,
                },
            },
        }
    ],
}


async def post_scores(worker: Worker, request: HttpRequest) -> Response:
    """Score customers."""
    explain = parse_query(ScoresQuery, request.query_params).explain
    body, _ = await read_body(request)
    asked = parse(ScoresRequest, body)
    customers = asked.customers or [asked.customer or ""]
    authorize_customers(request, customers)
    if explain and len(customers) > MOST_EXPLAINED:
        raise Problem(
            "invalid_request",
            f"{len(customers)} customers to explain; expected at most {MOST_EXPLAINED}. Send several requests.",
        )
    now = worker.clock()
    few = len(customers) <= AT_ONCE

    def answer(engine: Engine) -> tuple[list[Scored], bytes]:
        begun = time.perf_counter()
        scored = engine.score_many(customers, now, asked.targets, explain=explain)
        seconds = time.perf_counter() - begun
        if few:
            _predict_one.observe(seconds / len(customers))
        else:
            _predict_many.observe(seconds)
        return scored, _scores_answer(worker, scored)

    try:
        scored, content = await (worker.ask(answer) if few and not explain else worker.read(answer))
    except UnknownTargets as unknown:
        detail = f"there is no target {unknown.names[0][:60]!r}; there are {', '.join(unknown.known)}"
        raise Problem(
            "invalid_request",
            f"/targets: {detail}.",
            [ProblemError(pointer="/targets", code="unknown_target", detail=detail)],
        ) from None
    worker.shadow.offer(scored)
    return Response(content, media_type=JSON)


def _scores_answer(worker: Worker, scored: Sequence[Scored]) -> bytes:
    """A `ScoresAnswer` in JSON, written without pydantic's model, which would take as long as the scores themselves."""
    results = [
        {
            "customer": scores.customer,
            "known": scores.known,
            "stage": stage_name(scores),
            "scores": target_scores(scores),
        }
        for scores in scored
    ]
    return to_json(
        {
            "as_of": moment(max(scores.as_of for scores in scored)),
            "model": {"version": version_of(scored[0].champion), "fingerprint": worker.fold.fingerprint},
            "results": results,
        }
    )


ROUTES: tuple[Route, ...] = (
    Route(
        name="scoreCustomers",
        scope="answers",
        visitors=True,
        method="POST",
        path="/v1/scores",
        endpoint=post_scores,
        tag="answers",
        summary="Score customers",
        doc="What to expect of a customer, or of up to 1000: each target's probability, amount or next stage with its "
        "90 % interval, its rank among all customers, the evidence behind it and the exact question. An unknown "
        "customer gets the base rates. `?explain=true` adds the reasons.",
        request=ScoresRequest,
        query=ScoresQuery,
        answer=ScoresAnswer,
        answer_doc="Scores, in the order of the request.",
        problems=(*BODY, "model_missing", *READ),
        examples=EXAMPLES,
        answer_example=ANSWER_EXAMPLE,
    ),
)
