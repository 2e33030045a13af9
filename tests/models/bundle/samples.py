"""A bundle with one of every form of answer, each on a tier whose files are the same on every machine."""

from __future__ import annotations

import numpy as np

from features.outcomes import STAYS
from models.bundle.bundle import Bundle
from models.bundle.manifest import Manifest, TargetCard
from models.bundle.reference import Baseline, Reference
from models.bundle.sketch import Sketch
from models.parts.contract import Part
from models.prediction.amount import AmountScorer, MeanAmount
from models.prediction.calibration import Calibration
from models.prediction.next_stage import StageScorer, StageShares
from models.prediction.scorer import Scorer
from models.prediction.tiers import Prior, StageRates
from models.recommenders.item_item import ItemItem, Neighbours

NAMES = ("stage", "days_since_last", "spend_net_90d")
FINGERPRINT = "3f9a" * 16


def reference() -> Reference:
    """Two features and a score, one of them unknown for everybody."""
    columns = {
        name: Baseline(Sketch.reference(values), 0.1, 0.25, 0.5)
        for name, values in (("stage", np.arange(50.0)), ("days_since_last", [np.nan] * 3))
    }
    return Reference(1_514_721_600_000_000, 86_400_000_000, columns, {"churn_28d": columns["stage"]})


def recommender() -> ItemItem:
    """Bread goes with dates."""
    starts, items, weights = np.array([0, 1, 1]), np.array([1], np.int32), np.array([0.5], np.float32)
    return ItemItem(["bread", "dates"], Neighbours(starts, items, weights), np.ones(2, np.float32))


def models() -> dict[str, Scorer | AmountScorer | StageScorer]:
    """A model of each form."""
    return {
        "conversion_7d": Scorer("conversion_7d", Prior(0.25, NAMES), Calibration.identity()),
        "churn_28d": Scorer("churn_28d", StageRates(0.25, [0.1, 0.2, 0.3, 0.4, 0.5], NAMES), Calibration.platt(1, 0)),
        "lifetime_value_90d": AmountScorer("lifetime_value_90d", MeanAmount(40.0, 0.0, 120.0, NAMES)),
        "next_stage_28d": StageScorer("next_stage_28d", StageShares([0.1] * STAYS + [1 - 0.1 * STAYS], 9.0, NAMES)),
    }


def manifest() -> Manifest:
    """What fits the models."""
    cards = {}
    for name, model in models().items():
        said = {field: next(iter(values)) for field, values in model.says.items()}
        cards[name] = TargetCard(
            f"what {name} means",
            "everyone",
            7.0,
            0.25,
            said.get("calibration", "identity"),
            form=said["form"],
            tier=said["tier"],
        )
    return Manifest(FINGERPRINT, NAMES, cards, "2017-12-31T12:00:00Z", 1_514_721_600_000_000, 42, "0123abc", 7)


def parts() -> list[Part]:
    """One of each part."""
    return [recommender(), reference()]


def whole() -> Bundle:
    """All of it."""
    return Bundle(models(), parts(), manifest())
