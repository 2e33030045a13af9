"""What a storefront asks: scores, recommendations, next best actions."""

from __future__ import annotations

from serving.http import examples
from serving.http.endpoints import answers
from serving.http.route import Route
from serving.http.routes.failures import BODY, READ, WRITE
from serving.http.schemas import (
    DecisionAnswer,
    DecisionRequest,
    ReadinessAnswer,
    RecommendationsAnswer,
    RecommendationsRequest,
    RewardAnswer,
    RewardRequest,
    ScoresAnswer,
    ScoresQuery,
    ScoresRequest,
)

SMALL = 16 * 1024
"""Bytes of a body that speaks of one customer."""

ROUTES: tuple[Route, ...] = (
    Route(
        name="scoreCustomers",
        scope="answers",
        visitors=True,
        method="POST",
        path="/v1/scores",
        endpoint=answers.post_scores,
        tag="answers",
        summary="Score customers",
        doc="What to expect of a customer, or of up to 1000: each target's probability, amount or next stage with its "
        "90 % interval, its rank among all customers, the evidence behind it and the exact question. An unknown "
        "customer gets the base rates. `?explain=true` tells why.",
        request=ScoresRequest,
        query=ScoresQuery,
        answer=ScoresAnswer,
        answer_doc="Scores, in the order asked.",
        problems=(*BODY, "model_missing", *READ),
        examples=examples.SCORES,
        answer_example=examples.SCORES_ANSWER,
    ),
    Route(
        name="getReadinessOfTargets",
        scope="read",
        method="GET",
        path="/v1/readiness",
        endpoint=answers.get_readiness,
        tag="answers",
        summary="Tell how far each target has come",
        doc="What answers each target today and on what evidence, the counts behind it, and what the next tier takes: "
        "the counts needed, those lacking, and when they are expected. As of the latest training.",
        answer=ReadinessAnswer,
        answer_doc="Every target.",
        problems=("model_missing",),
        answer_example=examples.READINESS_ANSWER,
    ),
    Route(
        name="recommendItems",
        scope="answers",
        visitors=True,
        method="POST",
        path="/v1/recommendations",
        endpoint=answers.post_recommendations,
        tag="answers",
        summary="Recommend products",
        doc="Products that go with what the customer looked at and bought lately; else the popular ones.",
        request=RecommendationsRequest,
        answer=RecommendationsAnswer,
        answer_doc="Products, best first.",
        problems=(*BODY, "model_missing", *READ),
        examples=examples.RECOMMENDATIONS,
        answer_example=examples.RECOMMENDATIONS_ANSWER,
    ),
    Route(
        name="decideNextBestAction",
        scope="decide",
        visitors=True,
        method="POST",
        path="/v1/next-best-action",
        endpoint=answers.post_next_best_action,
        tag="answers",
        summary="Decide what to do next",
        doc="Chooses among the eligible actions and tells of every action why it was or was not eligible. The decision "
        "is an event in the log and counts as a contact. The same `decision_id` gives the same decision again.",
        request=DecisionRequest,
        answer=DecisionAnswer,
        answer_doc="The decision.",
        problems=(*BODY, "decision_conflict", "model_missing", *WRITE),
        examples=examples.DECISIONS,
        answer_example=examples.DECISION_ANSWER,
        most_bytes=SMALL,
    ),
    Route(
        name="rewardDecision",
        scope="decide",
        method="POST",
        path="/v1/rewards",
        endpoint=answers.post_rewards,
        tag="answers",
        summary="Tell what came of a decision",
        doc="The reward is an event in the log, from which policies are evaluated and learnt.",
        request=RewardRequest,
        answer=RewardAnswer,
        answer_doc="What became of the reward.",
        problems=(*BODY, "unknown_decision", *WRITE),
        examples=examples.REWARDS,
        answer_example=examples.REWARD_ANSWER,
        most_bytes=SMALL,
    ),
)
