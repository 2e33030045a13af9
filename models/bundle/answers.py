"""What an answer says of each target: the estimate, what stands behind it, what exactly was asked, and, if wanted, why.

The answer has one shape, whatever rung of the ladder gave it. A target that does not speak of a customer has no value;
a stranger, of whom there is no event, has the base rates, which are the rate of all and no better evidence than that.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
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


def values(
    bundle: Bundle, row: NDArray[np.float32], scores: Mapping[str, float], others: Collection[str], known: bool
) -> dict[str, dict[str, Any]]:
    """What is estimated of a customer with these features, of every target that speaks of it, by target.

    `scores` are its probabilities, already known; of a stranger, who is not `known`, the base rates. `others` are the
    amounts and stages.
    """
    found: dict[str, dict[str, Any]] = {
        name: _estimated("probability", bundle.scorers[name].estimate_of(value)) for name, value in scores.items()
    }
    if not known:
        for each, card in ((found[name], bundle.manifest.targets[name]) for name in found):
            each |= {"evidence": max(WITHOUT_MEASUREMENT, card.evidence), "evidence_why": UNKNOWN}
        return found
    for name in others:
        if name in bundle.amounts:
            found[name] = _estimated("amount", bundle.amounts[name].estimate(row))
        elif name in bundle.stages:
            found[name] = _staged(bundle.stages[name].estimate(row))
    return found


def nothing(form: str) -> dict[str, Any]:
    """What is said where a target does not speak of a customer."""
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
