"""What several answers have in common, shaped from what the engine says."""

from __future__ import annotations

import math
from collections.abc import Iterable

from models.recommender import Recommendation
from serving.champion import Champion
from serving.engine import Standing
from serving.schemas import ModelStamp, RecommendedItem, TargetScore
from serving.worker import Worker


def stamp(worker: Worker, version: str | None) -> ModelStamp:
    """Which model and which features answered."""
    return ModelStamp(version=version, fingerprint=worker.fold.fingerprint)


def version_of(champion: Champion | None) -> str | None:
    """The version of a champion; None without one."""
    return champion.bundle.version if champion else None


def target_scores(standing: Standing) -> dict[str, TargetScore]:
    """The probability of every target, beside its base rate."""
    rates = standing.champion.base_rates if standing.champion else {}
    return {
        target: TargetScore(probability=standing.scores.get(target), base_rate=rate) for target, rate in rates.items()
    }


def stage_name(standing: Standing) -> str | None:
    """The stage as the API calls it; None for a customer without events."""
    return None if standing.stage is None else standing.stage.name.lower()


def recommended(items: Iterable[Recommendation]) -> list[RecommendedItem]:
    """Recommendations as the API shows them."""
    return [RecommendedItem(item=each.item, score=each.score, reason=each.reason) for each in items]


def number(value: float) -> float | None:
    """`value` as JSON can carry it: None for what is not known."""
    return value if math.isfinite(value) else None
