"""The tiers: models of a probability, from the simplest to the one that needs most data.

    prior        the same probability for everyone
    stage_rate   the rate of the customer's stage
    logistic     a logistic regression on a few robust features
    lightgbm     boosted trees on all features

All have the same interface (`Tier`), so that a scorer works with every tier.
"""

from __future__ import annotations

from collections.abc import Sequence

from models.prediction.tiers.logistic import Logistic, Term
from models.prediction.tiers.prior import Prior
from models.prediction.tiers.stage_rate import StageRates
from models.prediction.tiers.tier import Tier
from models.prediction.tiers.trees import Trees

TIERS: dict[str, type[Prior] | type[StageRates] | type[Logistic] | type[Trees]] = {
    kind.name: kind for kind in (Prior, StageRates, Logistic, Trees)
}
"""Every tier by name, the simplest first."""

SUFFIX = {name: "txt" if name == Trees.name else "json" for name in TIERS}
"""The file name extension of each tier."""


def read_tier(name: str, content: bytes, target: str, names: Sequence[str]) -> Tier:
    """The tier of this name from what its `to_bytes` gave; ValueError when `content` is anything else."""
    if name not in TIERS:
        raise ValueError(f"The tier of {target} is {name!r}; expected one of {', '.join(TIERS)}.")
    return TIERS[name].from_bytes(content, target, tuple(names))


__all__ = ["SUFFIX", "TIERS", "Logistic", "Prior", "StageRates", "Term", "Tier", "Trees", "read_tier"]
