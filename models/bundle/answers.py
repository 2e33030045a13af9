"""What an answer says of each target: the estimate, what stands behind it, what exactly was asked, and, if wanted, why.

The answer has one shape, whatever tier gave it. A target that does not speak of a customer has no value;
an unknown customer, of whom there is no event, has the base rates, which are the rate of all and no better evidence
than that.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.catalogues.words import Speaker
from features.events import Stage
from features.journey import JOURNEY
from features.outcomes import STAYS
from models.bundle.bundle import Bundle
from models.bundle.manifest import TargetCard
from models.prediction.estimate import WITHOUT_MEASUREMENT, Estimate
from models.prediction.next_stage import StageEstimate
from models.prediction.reasons import Reason, Reasoner

AnyEstimate = Estimate | StageEstimate
"""What is estimated of a customer, whatever the form of the target."""

ANSWERS = [*(stage.name.lower() for stage in Stage), "stays"]
"""What each number of a `StageEstimate` stands for."""

VALUE = {"probability": "probability", "amount": "amount", "stage": "stages"}
"""What the value is called in an answer, by the form of the target."""

UNKNOWN = "Nothing is known of this customer: what is said is the rate of all."
"""Why the evidence is lower for a customer without events."""


def told(bundle: Bundle) -> dict[str, dict[str, Any]]:
    """What every answer says of each target, whoever it is about."""
    return {name: _told(card) for name, card in bundle.manifest.targets.items()}


def _told(card: TargetCard) -> dict[str, Any]:
    return {
        "form": card.form,
        "evidence": card.evidence,
        "evidence_why": None,
        "definition": card.definition,
        "scope": card.scope,
        "horizon_days": card.horizon_days,
        "base_rate": card.base_rate,
    }


def evidence_of_unknown(card: TargetCard) -> dict[str, Any]:
    """What is said of the evidence where nothing is known of the customer."""
    return {"evidence": max(WITHOUT_MEASUREMENT, card.evidence), "evidence_why": UNKNOWN}


def estimate_fields(form: str, estimate: AnyEstimate | None) -> dict[str, Any]:
    """The fields of an estimate, by the form of its target; None in each where the target does not speak of a
    customer."""
    if isinstance(estimate, StageEstimate):
        return _staged(estimate)
    if estimate is not None:
        return _estimated(form, estimate)
    if form == "stage":
        return {"stages": None, "expected_days": None}
    return {VALUE[form]: None, "interval": None, "rank_percentile": None, "rank_band": None}


def _estimated(form: str, estimate: Estimate) -> dict[str, Any]:
    return {
        VALUE[form]: estimate.value,
        "interval": {"low": estimate.low, "high": estimate.high},
        "rank_percentile": estimate.rank_percentile,
        "rank_band": estimate.rank_band,
    }


def _staged(estimate: StageEstimate) -> dict[str, Any]:
    assert len(estimate.chances) == STAYS + 1
    return {"stages": dict(zip(ANSWERS, estimate.chances, strict=True)), "expected_days": estimate.days}


REASONER = Reasoner(Speaker(JOURNEY), JOURNEY.names)
"""Puts the contributions of the features served into words."""


def reasons_of(bundle: Bundle, target: str, row: NDArray[np.float32]) -> list[dict[str, Any]]:
    """Why the value is what it is, strongest first; milliseconds for trees. A stage has none: it is five questions."""
    return [] if target in bundle.stages else reasons_many(bundle, target, row.reshape(1, -1))[0]


def reasons_many(bundle: Bundle, target: str, matrix: NDArray[np.float32]) -> list[list[dict[str, Any]]]:
    """The same for each row of float32[n, features], of a target that is no stage."""
    model = bundle.scorers.get(target) or bundle.amounts[target]
    return [
        [_reason(each) for each in REASONER.reasons(row, added)]
        for row, added in zip(matrix, model.contributions(matrix), strict=True)
    ]


def _reason(reason: Reason) -> dict[str, Any]:
    return {
        "about": reason.about,
        "words": reason.words,
        "effect": reason.effect,
        "features": {name: value if math.isfinite(value) else None for name, value in reason.features.items()},
    }
