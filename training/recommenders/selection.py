"""The selection of the recommender: neighbours, or popularity where that ranks significantly better, or nothing."""

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

UNJUDGED = "Nobody bought an item in the last week of the log, so the recommender could not be tested."


@dataclass(frozen=True, eq=False)
class FittedRecommender:
    """The recommender, the settings of its fit (None when nothing was fitted), and its test and gates, if any.

    `tier` is `neighbours`, `popularity` or `nothing`; `why` says why no higher tier answers, `unjudged` why it was not
    tested.
    """

    recommender: Recommender
    tier: str
    why: str = ""
    unjudged: str = ""
    settings: NeighbourSettings | None = None
    ranking: RankingEvaluation | None = None
    gates: tuple[Gate, ...] = ()


def train_recommender(shop: Shop, seed: int) -> FittedRecommender:
    """Tune as of two weeks ago, test as of a week ago, then fit again on all events, so that new items are included."""
    try:
        settings = best_settings(shop.fold, shop.past, shop.items, shop.end, seed)
        ranking = evaluate_recommender(shop.fold, shop.past, shop.items, shop.end, seed, settings)
        fitted = fit_recommender(known_at(shop.past, shop.end), shop.items, shop.end, settings)
    except NoPurchases as reason:
        return FittedRecommender(ItemItem.without_neighbours(), "nothing", str(reason), str(reason))
    if ranking is None:
        return FittedRecommender(fitted, "neighbours", unjudged=UNJUDGED, settings=settings)
    gates = tuple(recommender_gates(ranking))
    if lost := held_back(gates):
        popular, why = ItemItem.without_neighbours(fitted.items, fitted.popularity), f"neighbours: {lost[0].sentence}"
        return FittedRecommender(popular, "popularity", why, settings=settings, ranking=ranking, gates=gates)
    return FittedRecommender(fitted, "neighbours", settings=settings, ranking=ranking, gates=gates)
