"""How far each target has come: `GET /v1/readiness`."""

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
    """What the next tier takes."""

    tier: str
    needed: dict[str, float] = Field(description="The counts from which it is tried.")
    lacking: dict[str, float] = Field(
        description="What is lacking of them. Nothing when it was tried already; `why` says what came of that."
    )
    expected: datetime | None = Field(description="When that is expected at the pace so far; null when it is not.")


class TargetReadiness(Answer):
    """How far one target has come."""

    target: str
    form: str
    definition: str
    scope: str
    tier: str = Field(description="What answers now.", examples=["prior", "stage_rate", "logistic", "lightgbm"])
    evidence: EvidenceLetter
    counts: dict[str, float] = Field(description="What was counted when the model was trained.")
    next: NextTierAnswer | None = Field(description="Null at the top.")
    missing: str = Field(description="What keeps the target from being tested; empty when it is.")
    why: str = Field(description="Why no tier above it answers; empty at the top.")


class ReadinessAnswer(Stamped):
    """How far each target has come, as of the latest training."""

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


ROUTES: tuple[Route, ...] = (
    Route(
        name="getReadinessOfTargets",
        scope="read",
        method="GET",
        path="/v1/readiness",
        endpoint=get_readiness,
        tag="answers",
        summary="Tell how far each target has come",
        doc="What answers each target today and on what evidence, the counts behind it, and what the next tier takes: "
        "the counts needed, those lacking, and when they are expected. As of the latest training.",
        answer=ReadinessAnswer,
        answer_doc="Every target.",
        problems=("model_missing",),
        answer_example=ANSWER_EXAMPLE,
    ),
)
