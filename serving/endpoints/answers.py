"""What to expect of a customer, and what to do: scores, recommendations, next best actions and their rewards."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from pydantic_core import to_json
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from features.events import Channel
from models.policy import Considered
from serving import metrics
from serving.endpoints.shapes import number, recommended, stage_name, stamp, version_of
from serving.engine import Decided, DecisionConflict, Standing, UnknownDecision
from serving.exchange import JSON, parse, read_body, reply
from serving.problems import Problem
from serving.schemas import (
    ActionReason,
    ConsideredAction,
    DecisionAnswer,
    DecisionRequest,
    ProblemError,
    RecommendationsAnswer,
    RecommendationsRequest,
    RewardAnswer,
    RewardRequest,
    ScoresRequest,
    moment,
)
from serving.worker import Worker

AT_ONCE = 8
"""Customers scored on the event loop, a fraction of a millisecond in all, where the store never waits; more are
scored beside it."""

_predict_one = metrics.PREDICT_SECONDS.labels("one")
_predict_many = metrics.PREDICT_SECONDS.labels("many")


async def post_scores(worker: Worker, request: HttpRequest) -> Response:
    """Score customers."""
    body, _ = await read_body(request)
    asked = parse(ScoresRequest, body)
    now = worker.clock()
    begun = time.perf_counter()
    customers = asked.customers or [asked.customer or ""]
    if len(customers) <= AT_ONCE:
        standings = await worker.ask(lambda engine: [engine.score(customer, now) for customer in customers])
        _predict_one.observe((time.perf_counter() - begun) / len(customers))
    else:
        standings = await worker.read(lambda engine: engine.score_many(customers, now))
        _predict_many.observe(time.perf_counter() - begun)
    return Response(_scores_answer(worker, standings), media_type=JSON)


def _scores_answer(worker: Worker, standings: Sequence[Standing]) -> bytes:
    """A `ScoresAnswer` in JSON. Written without the model, which would take as long as the scores themselves."""
    champion = standings[0].champion
    rates = champion.base_rates if champion else {}
    results = [
        {
            "customer": standing.customer,
            "known": standing.known,
            "stage": stage_name(standing),
            "scores": {
                target: {"probability": standing.scores.get(target), "base_rate": rate}
                for target, rate in rates.items()
            },
        }
        for standing in standings
    ]
    return to_json(
        {
            "as_of": moment(max(standing.as_of for standing in standings)),
            "model": {"version": version_of(champion), "fingerprint": worker.fold.fingerprint},
            "results": results,
        }
    )


async def post_recommendations(worker: Worker, request: HttpRequest) -> Response:
    """Recommend products."""
    body, _ = await read_body(request)
    asked = parse(RecommendationsRequest, body)
    now = worker.clock()
    found = await worker.ask(lambda engine: engine.recommend(asked.customer, asked.limit, now, asked.exclude))
    return reply(
        RecommendationsAnswer(
            as_of=moment(found.as_of),
            model=stamp(worker, found.version),
            customer=asked.customer,
            known=found.known,
            items=recommended(found.items),
        )
    )


async def post_next_best_action(worker: Worker, request: HttpRequest) -> Response:
    """Decide what to do next for a customer."""
    body, _ = await read_body(request)
    asked = parse(DecisionRequest, body)
    now = worker.clock()
    decision_id = asked.decision_id or os.urandom(16).hex()
    channels = None if asked.channels is None else _channels(asked.channels)
    try:
        decided = await worker.write(
            lambda engine: engine.decide(asked.customer, decision_id, now, channels), alone=False
        )
    except DecisionConflict:
        raise Problem(
            "decision_conflict",
            f"The decision_id {decision_id!r} is taken by another customer or event. Send a new one, or none.",
            [ProblemError(pointer="/decision_id", code="taken", detail="belongs to something else")],
        ) from None
    decision = decided.decision
    if not decided.repeated:
        metrics.DECISIONS.labels(decision.stage.name.lower(), decision.action, decision.mode).inc()
    return reply(_decision_answer(worker, asked.customer, decided))


def _channels(names: list[str]) -> frozenset[Channel]:
    unknown = [(place, name) for place, name in enumerate(names) if name.upper() not in Channel.__members__]
    if unknown:
        place, name = unknown[0]
        expected = ", ".join(Channel.__members__)
        detail = f"unknown channel {name[:60]!r}; expected one of {expected}"
        raise Problem(
            "invalid_request",
            f"/channels/{place}: {detail}.",
            [ProblemError(pointer=f"/channels/{place}", code="unknown_channel", detail=detail)],
        )
    return frozenset(Channel[name.upper()] for name in names)


def _decision_answer(worker: Worker, customer: str, decided: Decided) -> DecisionAnswer:
    decision = decided.decision
    return DecisionAnswer(
        as_of=moment(decided.as_of),
        model=stamp(worker, decided.version),
        decision_id=decision.decision_id,
        customer=customer,
        known=decided.known,
        repeated=decided.repeated,
        action=decision.action,
        channel=decision.channel.name.lower(),
        stage=decision.stage.name.lower(),
        mode=decision.mode,
        probability=decision.probability,
        propensities=decision.propensities,
        items=recommended(decided.items),
        considered=[_considered(each) for each in decision.considered],
    )


def _considered(each: Considered) -> ConsideredAction:
    return ConsideredAction(
        action=each.action,
        channel=each.channel.name.lower(),
        eligible=each.eligible,
        score=number(each.score),
        probability=each.probability,
        reasons=[ActionReason.model_validate(reason.to_json()) for reason in each.reasons],
    )


async def post_rewards(worker: Worker, request: HttpRequest) -> Response:
    """Take in what came of a decision."""
    body, _ = await read_body(request)
    asked = parse(RewardRequest, body)
    now = worker.clock()
    try:
        action, as_of, accepted = await worker.write(
            lambda engine: engine.reward(
                asked.customer, asked.decision_id, asked.value, now, money=asked.money, reward_id=asked.reward_id
            ),
            alone=False,
        )
    except UnknownDecision:
        raise Problem(
            "unknown_decision",
            f"The customer has no decision {asked.decision_id!r}. Ask POST /v1/next-best-action first.",
            [ProblemError(pointer="/decision_id", code="unknown", detail="no such decision of this customer")],
        ) from None
    if accepted:
        metrics.REWARDS.labels(action).inc()
    return reply(
        RewardAnswer(
            as_of=moment(as_of),
            model=stamp(worker, version_of(worker.champions.current)),
            decision_id=asked.decision_id,
            action=action,
            accepted=accepted,
        )
    )
