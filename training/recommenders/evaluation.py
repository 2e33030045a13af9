"""The evaluation of the recommender: fitted before a cutoff, judged by the purchases after it.

The customers are those known at the cutoff who bought something in the `HORIZON` after it. Their purchases are looked
up among the first `PLACES` items of the full catalogue, ranked from their states at the cutoff, as in the server. Items
bought before may be recommended, because customers of a grocery buy the same items again.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
from numpy.typing import NDArray

from features.events import PURCHASED_ITEM, days
from features.fold.fold import Fold
from features.histories import Histories
from features.replay.replay import final_states
from features.replay.snapshots import Past, known_at
from models.recommenders.contract import Touched
from models.recommenders.history import recent_items
from models.recommenders.item_item import ItemItem
from training.evaluation.evaluation import REPLICATES, Figure, resamplings
from training.recommenders.item_item import NeighbourSettings, fit_recommender, weighed
from training.rows.dataset import consenting

PLACES = 20
HORIZON = days(7)
MOST = 20_000
"""The most customers of an evaluation, drawn by the seed."""

METRICS = ("ndcg_at_20", "recall_at_20")

NEARS = (0.03, 0.1, 0.3)
PRIORS = (0.001, 0.03, 0.3)
"""Weights of neighbours and of popularity that `best_settings` tries."""


@dataclass(frozen=True, eq=False)
class RankingEvaluation:
    """The result of one test of the recommender.

    `figures` are by model and metric, for the recommender and its baselines; `over[baseline][metric]` is the difference
    from a baseline, and `ratio` the recommender's NDCG divided by that of popularity. `settings` are those of its fit.
    """

    customers: int
    items: int
    cutoff: int
    figures: Mapping[str, Mapping[str, Figure]]
    over: Mapping[str, Mapping[str, Figure]]
    ratio: Figure
    settings: NeighbourSettings


@dataclass(frozen=True, eq=False)
class _Question:
    """Customers at a cutoff, the recent items in their states, and the items bought in the horizon after it.

    `people` are their profiles at the end of the log.
    """

    known: Histories
    cutoff: int
    customers: NDArray[np.int32]
    people: NDArray[np.int32]
    recents: list[list[Touched]]
    bought: list[set[str]]

    def truths(self, recommender: ItemItem) -> list[set[int]]:
        """The items each customer bought, as indexes into the catalogue; items that it lacks get negative indexes."""
        new = {name: -2 - number for number, name in enumerate(sorted(set().union(*self.bought)))}
        return [{new[n] if (i := recommender.index(n)) is None else i for n in names} for names in self.bought]


def evaluate_recommender(
    fold: Fold, past: Past, names: Sequence[str], end: int, seed: int, settings: NeighbourSettings | None = None
) -> RankingEvaluation | None:
    """The recommender as of a week ago, beside popularity and each customer's most frequent items, as of then.

    None when no customer known a week ago has bought an item since.
    """
    asked = _question(fold, past, names, end, seed)
    if asked is None:
        return None
    chosen = settings or NeighbourSettings()
    recommender = fit_recommender(asked.known, names, asked.cutoff, chosen)
    popular = recommender.rank_many([()], PLACES)
    rankings = {
        "recommender": recommender.rank_many(asked.recents, PLACES),
        "popularity": np.repeat(popular, len(asked.customers), axis=0),
        "own_usual": _usual(asked, recommender, names, popular[0]),
    }
    return _judged(rankings, asked, recommender, chosen, seed)


def best_settings(fold: Fold, past: Past, names: Sequence[str], end: int, seed: int) -> NeighbourSettings:
    """The weights of neighbours and of popularity that were best in the week before the week of the evaluation.

    The defaults when nobody bought anything in that week.
    """
    asked = _question(fold, past, names, end - HORIZON, seed)
    if asked is None:
        return NeighbourSettings()
    fitted = fit_recommender(asked.known, names, asked.cutoff, NeighbourSettings(near=1.0))
    truths = asked.truths(fitted)

    def ndcg(weights: tuple[float, float]) -> float:
        ranked = weighed(fitted, *weights).rank_many(asked.recents, PLACES)
        return float(ranking_values(ranked, truths)[0].mean())

    near, prior = max(product(NEARS, PRIORS), key=ndcg)
    return NeighbourSettings(near=near, prior=prior)


def _question(fold: Fold, past: Past, names: Sequence[str], end: int, seed: int) -> _Question | None:
    """The customers known a horizon before `end` who bought something in it; None when there are none."""
    cutoff = end - HORIZON
    known = consenting(fold, known_at(past, cutoff), cutoff)
    bought = _bought_next(past, cutoff)
    asked = np.isin(past.people(known.customers), list(bought))
    if not asked.any():
        return None
    if np.count_nonzero(asked) > MOST:
        drawn = np.random.default_rng(seed).choice(known.customers[asked], MOST, replace=False)
        asked &= np.isin(known.customers, drawn)
    customers = known.customers[asked]
    states, people = final_states(fold, known)[asked], past.people(customers)
    recents = [recent_items(fold, states, row, names.__getitem__, cutoff) for row in range(len(states))]
    items = [{names[code] for code in bought[person]} for person in people.tolist()]
    return _Question(known, cutoff, customers, people, recents, items)


def _bought_next(past: Past, cutoff: int) -> dict[int, set[int]]:
    """The codes of the items that each profile bought in the horizon after the cutoff."""
    rows = np.concatenate([part[_buys(part, cutoff)] for part in past.parts])
    bought: dict[int, set[int]] = {}
    for person, item in zip(past.people(rows["customer"]).tolist(), rows["item"].tolist(), strict=True):
        bought.setdefault(person, set()).add(item)
    return bought


def _buys(events: NDArray[np.void], cutoff: int) -> NDArray[np.bool_]:
    """Which events are purchases of an item in the horizon after the cutoff."""
    after = (events["at"] > cutoff) & (events["at"] <= cutoff + HORIZON)
    buys: NDArray[np.bool_] = after & (events["kind"] == int(PURCHASED_ITEM)) & (events["item"] >= 0)
    return buys


def _usual(
    asked: _Question, recommender: ItemItem, names: Sequence[str], popular: NDArray[np.int32]
) -> NDArray[np.int32]:
    """The items each customer bought most often in the whole log, then the popular ones: a baseline with a longer
    memory than any state has."""
    ranked = np.full((len(asked.customers), PLACES), -1, np.int32)
    known = asked.known
    for row, index in enumerate(np.searchsorted(known.customers, asked.customers).tolist()):
        events = known.events[known.starts[index] : known.starts[index + 1]]
        items = events["item"][(events["kind"] == int(PURCHASED_ITEM)) & (events["item"] >= 0)]
        codes, counts = np.unique(items, return_counts=True)
        usual = [recommender.index(names[code]) for code in codes[np.argsort(-counts, kind="stable")][:PLACES].tolist()]
        often = [item for item in usual if item is not None]
        best = (often + [item for item in popular.tolist() if item not in often])[:PLACES]
        ranked[row, : len(best)] = best
    return ranked


def _judged(
    rankings: Mapping[str, NDArray[np.int32]],
    asked: _Question,
    recommender: ItemItem,
    settings: NeighbourSettings,
    seed: int,
) -> RankingEvaluation:
    truths = asked.truths(recommender)
    values = {
        name: dict(zip(METRICS, ranking_values(ranked, truths), strict=True)) for name, ranked in rankings.items()
    }
    weights = np.concatenate(list(resamplings(asked.people, seed, REPLICATES)))
    shares = weights / weights.sum(axis=1, keepdims=True)
    samples = {name: {key: shares @ scores for key, scores in by.items()} for name, by in values.items()}
    means = {name: {key: float(scores.mean()) for key, scores in by.items()} for name, by in values.items()}
    model, *others = rankings
    figures = {name: {key: Figure.of(means[name][key], samples[name][key]) for key in METRICS} for name in rankings}
    over = {
        name: {
            key: Figure.of(means[model][key] - means[name][key], samples[model][key] - samples[name][key])
            for key in METRICS
        }
        for name in others
    }
    main, least = METRICS[0], 1e-12
    ratio = Figure.of(
        means[model][main] / max(means["popularity"][main], least),
        samples[model][main] / np.maximum(samples["popularity"][main], least),
    )
    size = len(recommender.items)
    return RankingEvaluation(len(asked.customers), size, asked.cutoff, figures, over, ratio, settings)


def ranking_values(
    ranked: NDArray[np.int32], truths: Sequence[set[int]]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """NDCG and recall of each row of `ranked` (int32[n, places], -1 for none) against the items bought.

    NDCG (Jarvelin and Kekalainen, 2002): a hit at place k counts 1 / log2(k + 1), relative to the best order possible.
    Recall: the share of the items bought that were listed.
    """
    places = ranked.shape[1]
    gains = 1.0 / np.log2(np.arange(2, places + 2))
    ideal = np.concatenate([[0.0], np.cumsum(gains)])
    hits = np.array([[item in truth for item in row] for row, truth in zip(ranked.tolist(), truths, strict=True)])
    sizes = np.array([len(truth) for truth in truths])
    hits = hits.reshape(len(truths), places).astype(np.float64)
    return (hits @ gains) / ideal[np.minimum(sizes, places)], hits.sum(axis=1) / sizes
