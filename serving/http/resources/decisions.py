"""What to do next for a customer: `POST /v1/next-best-action`."""

from __future__ import annotations

import os
from typing import Annotated, Any, Literal

from pydantic import Field
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from features.events import Channel
from features.times import moment
from insights.words import StageName, one_of
from models.decisions.policy import Considered
from serving import metrics
from serving.engine.customer import number
from serving.engine.decisions import Decided, DecisionConflict
from serving.http.auth import authorize_customers
from serving.http.messages import parse, read_body, reply
from serving.http.problems import BODY, WRITE, Problem, ProblemError
from serving.http.route import SMALL_BODY, Route
from serving.http.schemas.answer import Answer
from serving.http.schemas.model_stamp import STAMP_EXAMPLE, Stamped, stamp
from serving.http.schemas.recommended import RecommendedItem, recommended
from serving.http.schemas.request import ChannelName, CustomerId, DecisionId, Request
from serving.http.schemas.words import named
from serving.process.worker import Worker

ReasonKind = Annotated[Literal["stage", "channel", "condition", "frequency", "value"], named("ReasonKind")]
DecisionMode = Annotated[str, one_of("DecisionMode", ("exploit", "explore"))]


class DecisionRequest(Request):
    """Whom to decide for."""

    customer: CustomerId
    decision_id: DecisionId | None = Field(
        None,
        description="Your id of this decision: the same id gives the same decision again, also when the first answer "
        "was lost. The server makes one when absent.",
    )
    channels: Annotated[list[ChannelName], Field(max_length=len(Channel))] | None = Field(
        None, description="Channels that can be used at this moment, such as only ONSITE; all when absent."
    )


class ActionReason(Answer):
    """One condition of an action, and its result."""

    kind: ReasonKind
    rule: str = Field(description="The condition.", examples=["contacts_7d < 3"])
    passed: bool
    actual: dict[str, float | str | None] = Field(description="The actual values; null if unknown.")


class ConsideredAction(Answer):
    """An action, and why it was or was not eligible: it is eligible when every reason passed."""

    action: str
    channel: str
    eligible: bool
    score: float | None = Field(description="Expected gain less the cost, in the shop's currency; null if unknown.")
    probability: float = Field(description="How likely the action was to be chosen.")
    reasons: list[ActionReason]


class DecisionAnswer(Stamped):
    """The next best action. The decision is in the log, with all its probabilities."""

    decision_id: str
    customer: str
    known: bool
    repeated: bool = Field(description="True when this id has a decision already: the answer is the earlier decision.")
    action: str
    channel: str
    stage: StageName
    mode: DecisionMode = Field(
        description="Whether the action has the highest score of the eligible ones (`exploit`) or not (`explore`)."
    )
    probability: float = Field(description="How likely this action was to be chosen.")
    propensities: dict[str, float] = Field(description="The probability of every eligible action; they sum to 1.")
    items: list[RecommendedItem] = Field(description="What the action shows, when it shows products.")
    considered: list[ConsideredAction] = Field(
        description="Every action and why it was or was not eligible; empty for a repeated decision."
    )


EXAMPLES: dict[str, Any] = {
    "repeatable": {"customer": "household-1", "decision_id": "page-81f3", "channels": ["ONSITE", "EMAIL"]},
    "any": {"customer": "household-1"},
}
ANSWER_EXAMPLE: dict[str, Any] = {
    **STAMP_EXAMPLE,
    "decision_id": "page-81f3",
    "customer": "household-1",
    "known": True,
    "repeated": False,
    "action": "cross_sell",
    "channel": "onsite",
    "stage": "retention",
    "mode": "exploit",
    "probability": 0.61,
    "propensities": {"cross_sell": 0.61, "do_nothing": 0.39},
    "items": [{"item": "item-9", "score": 0.83, "reason": "because of item-42"}],
    "considered": [
        {
            "action": "win_back",
            "channel": "email",
            "eligible": False,
            "score": 0.2,
            "probability": 0.0,
            "reasons": [
                {
                    "kind": "condition",
                    "rule": "contacts_7d < 3",
                    "passed": False,
                    "actual": {"contacts_7d": 3.0},
                }
            ],
        }
    ],
}


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
            f"The decision_id {decision_id!r} belongs to another customer or event. Send a new one, or none.",
            [ProblemError(pointer="/decision_id", code="taken", detail="belongs to another customer or event")],
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
        considered=[_considered(action) for action in decision.considered],
    )


def _considered(action: Considered) -> ConsideredAction:
    return ConsideredAction(
        action=action.action,
        channel=action.channel.name.lower(),
        eligible=action.eligible,
        score=number(action.score),
        probability=action.probability,
        reasons=[ActionReason.model_validate(reason.to_json()) for reason in action.reasons],
    )


ROUTES: tuple[Route, ...] = (
    Route(
        name="decideNextBestAction",
        scope="decide",
        visitors=True,
        method="POST",
        path="/v1/next-best-action",
        endpoint=post_next_best_action,
        tag="answers",
        summary="Decide what to do next",
        doc="Chooses among the eligible actions and says of every action why it was or was not eligible. The decision "
        "is an event in the log and counts as a contact. The same `decision_id` gives the same decision again.",
        request=DecisionRequest,
        answer=DecisionAnswer,
        answer_doc="The decision.",
        problems=(*BODY, "decision_conflict", "model_missing", *WRITE),
        examples=EXAMPLES,
        answer_example=ANSWER_EXAMPLE,
        most_bytes=SMALL_BODY,
    ),
)
