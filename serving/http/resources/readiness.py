"""Readiness of the targets: `GET /v1/readiness`."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pydantic import Field
from starlette.requests import Request as HttpRequest
from starlette.responses import Response

from features.times import moment
from models.bundle.readiness import NextTier, Readiness, readiness
from serving.http.messages import reply
from serving.http.route import Route
from serving.http.schemas.answer import Answer
from serving.http.schemas.model_stamp import STAMP_EXAMPLE, Stamped, stamp
from serving.http.schemas.target_scores import EvidenceLetter
from serving.process.worker import Worker


class NextTierAnswer(Answer):
    """What the next tier needs."""

    tier: str
    needed: dict[str, float] = Field(description="The counts from which training tries it.")
    lacking: dict[str, float] = Field(
        description="How much of them is lacking. Empty when it was tried already; `why` gives the result."
    )
    expected: datetime | None = Field(description="When they are expected at the pace so far; null when they are not.")


class TargetReadiness(Answer):
    """Readiness of one target."""

    target: str
    form: str
    definition: str
    scope: str
    tier: str = Field(
        description="The tier that answers now.", examples=["prior", "stage_rate", "logistic", "lightgbm"]
    )
    evidence: EvidenceLetter
    counts: dict[str, float] = Field(description="The counts at the training of the model.")
    next: NextTierAnswer | None = Field(description="Null for the highest tier.")
    missing: str = Field(description="What prevents a test of the target; empty when it is tested.")
    why: str = Field(description="Why no higher tier answers; empty for the highest.")


class ReadinessAnswer(Stamped):
    """Readiness of every target, as of the latest training."""

    targets: list[TargetReadiness]


ANSWER_EXAMPLE: dict[str, Any] = {
    **STAMP_EXAMPLE,
    "targets": [
        {
            "target": "churn_28d",
            "form": "probability",
            "definition": "no PURCHASE within 28 days after the moment it is asked",
            "scope": "customers with days_since_purchase <= 56",
            "tier": "logistic",
            "evidence": "C",
            "counts": {"customers": 412.0, "rows": 2210.0, "yes": 655.0, "history_days": 140.0},
            "next": {
                "tier": "lightgbm",
                "needed": {"customers": 200.0, "rows": 1000.0, "yes": 200.0, "history_days": 192.0},
                "lacking": {"history_days": 52.0},
                "expected": "2027-01-12T00:00:00Z",
            },
            "missing": "",
            "why": "lightgbm is tried once there are 52 more days of history.",
        }
    ],
}


async def get_readiness(worker: Worker, request: HttpRequest) -> Response:
    """Answer the readiness of every target."""
    manifest = worker.champions.require().bundle.manifest
    return reply(
        ReadinessAnswer(
            as_of=moment(manifest.now),
            model=stamp(worker, manifest.version),
            targets=[_readiness(target) for target in readiness(manifest)],
        )
    )


def _readiness(target: Readiness) -> TargetReadiness:
    return TargetReadiness(
        target=target.target,
        form=target.form,
        definition=target.definition,
        scope=target.scope,
        tier=target.tier,
        evidence=target.evidence,
        counts=dict(target.counts),
        next=None if target.next is None else _next_tier(target.next),
        missing=target.missing,
        why=target.why,
    )


def _next_tier(tier: NextTier) -> NextTierAnswer:
    return NextTierAnswer(
        tier=tier.tier,
        needed=dict(tier.needed),
        lacking=dict(tier.lacking),
        expected=None if tier.expected is None else moment(tier.expected),
    )


ROUTES: tuple[Route, ...] = (
    Route(
        name="getReadinessOfTargets",
        scope="read",
        method="GET",
        path="/v1/readiness",
        endpoint=get_readiness,
        tag="answers",
        summary="Show the readiness of every target",
        doc="The tier that answers each target, its evidence and its counts, and what the next tier needs: the counts, "
        "those lacking, and when they are expected. As of the latest training.",
        answer=ReadinessAnswer,
        answer_doc="Every target.",
        problems=("model_missing",),
        answer_example=ANSWER_EXAMPLE,
    ),
)
