"""The gates of a recommender."""

from __future__ import annotations

from training.evaluation.gates import Gate
from training.recommenders.evaluation import RankingEvaluation


def recommender_gates(test: RankingEvaluation) -> list[Gate]:
    """To be earned: a significantly better ranking than popularity. A significantly worse one is held back."""
    difference, subject, tier = test.over["popularity"]["ndcg_at_20"], "recommender", "neighbours"
    better, worse = (f"NDCG@20 {word} popularity, lower end of the interval" for word in ("over", "under"))
    return [
        Gate(subject, tier, better, difference.low, 0.0, holds=False),
        Gate(subject, tier, worse, -difference.high, 0.0, at_most=True),
    ]
