"""The fields of an answer, per target: the estimate, its evidence, the exact question, and the reasons where wanted.

An answer has one shape, whatever tier gave it. A target has no value for a customer out of its scope. An unknown
customer, of whom there is no event, gets the base rates, with the evidence that a rate of all customers has.
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
"""An estimate of a target of any form."""

ANSWERS = [*(stage.name.lower() for stage in Stage), "stays"]
"""The meaning of each number of a `StageEstimate`, in their order."""

VALUE = {"probability": "probability", "amount": "amount", "stage": "stages"}
"""The name of the value in an answer, by the form of the target."""

UNKNOWN = "Nothing is known about this customer: the answer is the rate of all customers."
"""Why the evidence is lower for a customer without events."""


def card_fields(bundle: Bundle) -> dict[str, dict[str, Any]]:
    """The fields of an answer that are the same for every customer, by target."""
    return {name: _card_fields(card) for name, card in bundle.manifest.targets.items()}


def _card_fields(card: TargetCard) -> dict[str, Any]:
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
    """The fields on evidence in an answer about an unknown customer."""
    return {"evidence": max(WITHOUT_MEASUREMENT, card.evidence), "evidence_why": UNKNOWN}


def estimate_fields(form: str, estimate: AnyEstimate | None) -> dict[str, Any]:
    """The fields of an estimate, by the form of its target; all None where the customer is out of its scope."""
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
    """Why the value is what it is, the strongest reason first. Takes milliseconds for trees.

    A target of the form `stage` has no reasons, because its answer is several probabilities.
    """
    return [] if target in bundle.stages else reasons_many(bundle, target, row.reshape(1, -1))[0]


def reasons_many(bundle: Bundle, target: str, matrix: NDArray[np.float32]) -> list[list[dict[str, Any]]]:
    """The reasons for each row of float32[n, features]; `target` must not be of the form `stage`."""
    model = bundle.scorers.get(target) or bundle.amounts[target]
    return [
        [_reason(reason) for reason in REASONER.reasons(row, added)]
        for row, added in zip(matrix, model.contributions(matrix), strict=True)
    ]


def _reason(reason: Reason) -> dict[str, Any]:
    return {
        "about": reason.about,
        "words": reason.words,
        "effect": reason.effect,
        "features": {name: value if math.isfinite(value) else None for name, value in reason.features.items()},
    }
