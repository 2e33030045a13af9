"""The rungs of the ladder: ways to a probability, from the simplest to the one that takes most data.

    prior        the same probability for everyone
    stage_rate   the rate of the stage that the customer stands at
    logistic     a logistic regression on a few robust features
    lightgbm     boosted trees on all of them

All answer the same three questions (`Rung`), so that whatever is built on a scorer works on every rung.
"""

from __future__ import annotations

from collections.abc import Sequence

from models.prediction.tiers.logistic import Logistic, Term
from models.prediction.tiers.prior import Prior
from models.prediction.tiers.stage_rate import StageRates
from models.prediction.tiers.tier import Rung
from models.prediction.tiers.trees import Trees

RUNGS: dict[str, type[Prior] | type[StageRates] | type[Logistic] | type[Trees]] = {
    each.name: each for each in (Prior, StageRates, Logistic, Trees)
}
"""Every rung by name, the simplest first."""

SUFFIX = {name: "txt" if name == Trees.name else "json" for name in RUNGS}
"""How the name of the file ends that a rung is kept in."""


def read_rung(name: str, content: bytes, target: str, names: Sequence[str]) -> Rung:
    """The rung of this name from what its `to_bytes` gave; ValueError when `content` is anything else."""
    if name not in RUNGS:
        raise ValueError(f"The rung of {target} is {name!r}; expected one of {', '.join(RUNGS)}.")
    return RUNGS[name].from_bytes(content, target, tuple(names))


__all__ = ["RUNGS", "SUFFIX", "Logistic", "Prior", "Rung", "StageRates", "Term", "Trees", "read_rung"]
