"""Which recommender answers: neighbours where they rank no worse than what is popular, else that, else nothing."""

from __future__ import annotations

from dataclasses import dataclass

from features.replay.snapshots import known_at
from models.recommenders.contract import Recommender
from models.recommenders.item_item import ItemItem
from training.evaluation.gates import Gate, held_back
from training.recommenders.evaluation import RankingEvaluation, best_settings, evaluate_recommender
from training.recommenders.gates import recommender_gates
from training.recommenders.item_item import NeighbourSettings, NoPurchases, fit_recommender
from training.rows.shop import Shop

UNJUDGED = "Nobody bought an item in the last week of the log: there is nothing to judge it by."


@dataclass(frozen=True, eq=False)
class TrainedRecommender:
    """The recommender, how it was fitted (None when there was nothing to fit), its test and gates, if there was one.

    `tier` is `neighbours`, `popularity` or `nothing`; `why` says why nothing above it answers, `unjudged` why it could
    not be judged.
    """

    recommender: Recommender
    tier: str
    why: str = ""
    unjudged: str = ""
    settings: NeighbourSettings | None = None
    ranking: RankingEvaluation | None = None
    gates: tuple[Gate, ...] = ()


def train_recommender(shop: Shop, seed: int) -> TrainedRecommender:
    """Tuned two weeks ago, judged a week ago, then fitted anew on everything: new products are in the catalogue."""
    try:
        settings = best_settings(shop.fold, shop.past, shop.items, shop.end, seed)
        ranking = evaluate_recommender(shop.fold, shop.past, shop.items, shop.end, seed, settings)
        fitted = fit_recommender(known_at(shop.past, shop.end), shop.items, shop.end, settings)
    except NoPurchases as reason:
        return TrainedRecommender(ItemItem.without_neighbours(), "nothing", str(reason), str(reason))
    if ranking is None:
        return TrainedRecommender(fitted, "neighbours", unjudged=UNJUDGED, settings=settings)
    gates = tuple(recommender_gates(ranking))
    if lost := held_back(gates):
        popular, why = ItemItem.without_neighbours(fitted.items, fitted.popularity), f"neighbours: {lost[0].sentence}"
        return TrainedRecommender(popular, "popularity", why, settings=settings, ranking=ranking, gates=gates)
    return TrainedRecommender(fitted, "neighbours", settings=settings, ranking=ranking, gates=gates)
