"""Rewards of decisions: `POST /v1/rewards`."""

from __future__ import annotations

from typing import Any

from pydantic import Field
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from features.times import moment
from serving import metrics
from serving.engine.engine import UnknownDecision
from serving.http.messages import parse, read_body, reply
from serving.http.problems import BODY, WRITE, Problem, ProblemError
from serving.http.route import SMALL_BODY, Route
from serving.http.schemas.model_stamp import STAMP_EXAMPLE, Stamped, stamp, version_of
from serving.http.schemas.request import CustomerId, DecisionId, EventId, Request
from serving.process.worker import Worker


class RewardRequest(Request):
    """The reward of a decision."""

    customer: CustomerId
    decision_id: DecisionId
    value: float = Field(description="What the result of the decision was worth; 0 for nothing, negative for harm.")
    money: bool = Field(False, description="Whether `value` is in the shop's currency.")
    reward_id: EventId | None = Field(
        None,
        description="Makes the reward exactly-once. When absent, a decision is rewarded once: the first reward stays.",
    )


class RewardAnswer(Stamped):
    """What became of the reward."""

    decision_id: str
    action: str
    accepted: bool = Field(
        description="False when the decision was rewarded before under this id: the first reward stays."
    )


EXAMPLES: dict[str, Any] = {
    "order": {"customer": "household-1", "decision_id": "page-81f3", "value": 39.9, "money": True}
}
ANSWER_EXAMPLE: dict[str, Any] = {**STAMP_EXAMPLE, "decision_id": "page-81f3", "action": "cross_sell", "accepted": True}


async def post_rewards(worker: Worker, request: HttpRequest) -> Response:
    """Record the reward of a decision."""
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


ROUTES: tuple[Route, ...] = (
    Route(
        name="rewardDecision",
        scope="decide",
        method="POST",
        path="/v1/rewards",
        endpoint=post_rewards,
        tag="answers",
        summary="Record the reward of a decision",
        doc="The reward is an event in the log, from which policies are evaluated and learned.",
        request=RewardRequest,
        answer=RewardAnswer,
        answer_doc="What became of the reward.",
        problems=(*BODY, "unknown_decision", *WRITE),
        examples=EXAMPLES,
        answer_example=ANSWER_EXAMPLE,
        most_bytes=SMALL_BODY,
    ),
)
