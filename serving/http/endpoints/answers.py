"""What to expect of a customer, and what to do: scores, recommendations, next best actions and their rewards."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence

from pydantic_core import to_json
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from features.events import Channel
from features.times import moment
from models.bundle.readiness import NextTier, Readiness, readiness
from models.decisions.policy import Considered
from serving import metrics
from serving.engine.customer import number, stage_name, target_scores
from serving.engine.decisions import Decided, DecisionConflict
from serving.engine.engine import Engine, UnknownDecision
from serving.engine.scores import CustomerScores, UnknownTargets
from serving.http.auth import authorize_customers
from serving.http.endpoints.shapes import recommended, stamp, version_of
from serving.http.messages import JSON, parse, parse_query, read_body, reply
from serving.http.problems import Problem
from serving.http.schemas import (
    ActionReason,
    ConsideredAction,
    DecisionAnswer,
    DecisionRequest,
    NextTierAnswer,
    ProblemError,
    ReadinessAnswer,
    RecommendationsAnswer,
    RecommendationsRequest,
    RewardAnswer,
    RewardRequest,
    ScoresQuery,
    ScoresRequest,
    TargetReadiness,
)
from serving.http.schemas.requests import MOST_EXPLAINED
from serving.process.worker import Worker

AT_ONCE = 8
"""Customers scored on the event loop, where the store never waits; more are scored, and told of, beside it."""

_predict_one = metrics.PREDICT_SECONDS.labels("one")
_predict_many = metrics.PREDICT_SECONDS.labels("many")


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

    def answer(engine: Engine) -> tuple[list[CustomerScores], bytes]:
        begun = time.perf_counter()
        scored = engine.score_many(customers, now, asked.targets, explain=explain)
        taken = time.perf_counter() - begun
        if few:
            _predict_one.observe(taken / len(customers))
        else:
            _predict_many.observe(taken)
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


def _scores_answer(worker: Worker, scored: Sequence[CustomerScores]) -> bytes:
    """A `ScoresAnswer` in JSON. Written without the model, which would take as long as the scores themselves."""
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


async def get_readiness(worker: Worker, request: HttpRequest) -> Response:
    """Tell how far each target has come."""
    manifest = worker.champions.require().bundle.manifest
    return reply(
        ReadinessAnswer(
            as_of=moment(manifest.now),
            model=stamp(worker, manifest.version),
            targets=[_readiness(each) for each in readiness(manifest)],
        )
    )


def _readiness(each: Readiness) -> TargetReadiness:
    return TargetReadiness(
        target=each.target,
        form=each.form,
        definition=each.definition,
        scope=each.scope,
        tier=each.tier,
        evidence=each.evidence,
        counts=dict(each.counts),
        next=None if each.next is None else _next_tier(each.next),
        missing=each.missing,
        why=each.why,
    )


def _next_tier(each: NextTier) -> NextTierAnswer:
    return NextTierAnswer(
        tier=each.tier,
        needed=dict(each.needed),
        lacking=dict(each.lacking),
        expected=None if each.expected is None else moment(each.expected),
    )


async def post_recommendations(worker: Worker, request: HttpRequest) -> Response:
    """Recommend products."""
    body, _ = await read_body(request)
    asked = parse(RecommendationsRequest, body)
    authorize_customers(request, [asked.customer])
    now = worker.clock()
    found = await worker.ask(lambda engine: engine.recommend(asked.customer, asked.limit, now, asked.exclude))
    return reply(
        RecommendationsAnswer(
            as_of=moment(found.as_of),
            model=stamp(worker, found.version),
            customer=asked.customer,
            known=found.known,
            items=recommended(found.items),
            why=found.why,
        )
    )


async def post_next_best_action(worker: Worker, request: HttpRequest) -> Response:
    """Decide what to do next for a customer."""
    body, _ = await read_body(request)
    asked = parse(DecisionRequest, body)
    authorize_customers(request, [asked.customer])
    now = worker.clock()
    decision_id = asked.decision_id or os.urandom(16).hex()
    channels = None if asked.channels is None else _channels(asked.channels)
    try:
        decided = await worker.decide(asked.customer, decision_id, now, channels)
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
