"""The score of a customer for a target."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import ConfigDict, Field, TypeAdapter

from features.events import Stage
from insights.words import one_of
from models.prediction.estimate import BANDS, EVIDENCE
from serving.http.schemas.answer import Answer
from serving.http.schemas.words import named

Rate = Annotated[float, Field(ge=0.0, le=1.0)]
EvidenceLetter = Annotated[str, one_of("EvidenceLetter", EVIDENCE)]
BandName = Annotated[str, one_of("BandName", BANDS)]
_EVIDENCE_WORDS = ", ".join(f"{letter} {words}" for letter, words in EVIDENCE.items())
StageProbabilities = Annotated[dict[str, Rate], named("StageProbabilities")]


class Interval(Answer):
    """The 90 % interval."""

    low: float
    high: float


class ScoreReason(Answer):
    """One reason for a score: a family of features, added up."""

    about: str = Field(description="The subject of the family of features.", examples=["Tempo"])
    words: str = Field(examples=["no purchase for 34 days, usually every 9 days"])
    effect: float = Field(
        description="What it adds to the log-odds (of an amount, to its logarithm): positive speaks for the target."
    )
    features: dict[str, float | None] = Field(description="The values of its strongest features.")


class _Score(Answer):
    # Reasons are left out unless the request asks for them.
    model_config = ConfigDict(json_schema_serialization_defaults_required=False)

    evidence: EvidenceLetter = Field(description=f"What the answer rests on: {_EVIDENCE_WORDS}.")
    evidence_why: str | None = Field(
        description="Why the evidence is lower for this customer than for others of the target; null where it is not.",
        examples=["No customer of the training rows had the latest channel web."],
    )
    definition: str = Field(
        description="The exact question.", examples=["PURCHASE within 7 days after the moment it is asked"]
    )
    scope: str = Field(description="The customers that it is asked about.")
    horizon_days: float
    reasons: list[ScoreReason] | None = Field(
        None, description="With `?explain=true`: the strongest reasons. Stages of the journey have none."
    )


class _Placed(_Score):
    interval: Interval | None
    rank_percentile: float | None = Field(
        description="The rank among customers: percentage of the newest ones in scope whose value is lower, 0 to 100."
    )
    rank_band: BandName | None = Field(
        description="The rank in words; it does not judge the value itself: "
        + "; ".join(f"{name} from percentile {start:g}" for name, start in BANDS.items())
        + ".",
    )


class ProbabilityScore(_Placed):
    """The probability of one target. All but the base rate is null when the customer is outside the target's scope."""

    form: Literal["probability"]
    probability: Rate | None = Field(
        description="Calibrated. Null when the customer is outside the scope: one who has not bought for months "
        "cannot churn."
    )
    base_rate: float = Field(description="Share of the customers in scope for whom it came true.")


class AmountScore(_Placed):
    """The expected amount of money of one target; the interval is for the customer's own amount, not for its mean."""

    form: Literal["amount"]
    amount: float | None = Field(description="The expected mean, in the shop's currency.")
    base_rate: float = Field(description="The mean of all customers in scope.")


class StageScore(_Score):
    """The stage that comes next."""

    form: Literal["stage"]
    stages: StageProbabilities | None = Field(
        description="The probability of each stage being the next one entered, and of staying; they sum to 1.",
        examples=[{**{stage.name.lower(): 0.1 for stage in Stage}, "stays": 0.5}],
    )
    expected_days: float | None = Field(description="Days until the stage is left, if it is.")
    base_rate: float = Field(description="Share of the customers in scope who entered another stage.")


TargetScore = Annotated[ProbabilityScore | AmountScore | StageScore, named("TargetScore", discriminator="form")]
TARGET_SCORES = TypeAdapter(dict[str, TargetScore])
