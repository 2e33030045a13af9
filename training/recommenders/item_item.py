"""Fitting the recommender: item-item collaborative filtering on baskets and visits.

Items that are bought in one basket, or looked at in one visit, are neighbours. Their similarity is the cosine of the
two items over all baskets and visits (Linden, Smith and York, 2003), shrunk where there are few, with recent ones
counting more. An item's similarity to itself is the share of its buyers who buy it again soon. Where there are no
neighbours, popularity decides, with recent purchases counting more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from features.events import (
    CART_ADD,
    ITEM_CLICK,
    ITEM_VIEW,
    NO_CODE,
    PURCHASED_ITEM,
    WISHLIST_ADD,
    Kind,
    days,
    minutes,
)
from features.histories import Histories
from models.recommenders.item_item import ItemItem, Neighbours

LOOKS = (ITEM_VIEW, ITEM_CLICK, WISHLIST_ADD, CART_ADD)
"""Kinds of event that show interest in an item without buying it."""


class NoPurchases(ValueError):
    """The log has no events with items, from which a recommender could be fitted."""


@dataclass(frozen=True)
class NeighbourSettings:
    """The settings of the fit.

    An item needs `least` customers who bought or looked at it to have neighbours; it keeps the nearest `neighbours`.
    A basket or visit counts half after `half_life`, an item's popularity after `popularity_half_life`. A repeated
    purchase within `repeat_within` counts as buying again. A visit ends after a pause of `pause`, and weighs `look` of
    a basket. `shrink` is added to the denominator of the cosine. A neighbour weighs `near` times its cosine (an item as
    its own neighbour weighs the probability of buying it again), and popularity weighs `prior`. The best `near` and
    `prior` differ from shop to shop (`training.recommenders.evaluation.best_settings`).
    """

    least: int = 5
    neighbours: int = 50
    half_life: int = days(180)
    popularity_half_life: int = days(28)
    repeat_within: int = days(28)
    pause: int = minutes(30)
    look: float = 0.3
    shrink: float = 10.0
    near: float = 0.3
    prior: float = 0.03


@dataclass(frozen=True, eq=False)
class _Touches:
    """Touched items ordered by customer and time: customer, time, item, and the index of the basket or visit."""

    customer: NDArray[np.int32]
    at: NDArray[np.int64]
    item: NDArray[np.int32]
    group: NDArray[np.int64]


def fit_recommender(
    histories: Histories, names: Sequence[str], now: int, settings: NeighbourSettings | None = None
) -> ItemItem:
    """The recommender as of `now`, from the events of `histories`; `names` are the items' names by code.

    Its catalogue are all items that were ever bought or looked at. Raises `NoPurchases` when there are none.
    """
    chosen = settings or NeighbourSettings()
    bought = _baskets(histories)
    looked = _visits(histories, chosen.pause)
    codes = np.unique(np.concatenate([bought.item, looked.item]))
    codes = codes[[bool(names[code]) for code in codes.tolist()]] if len(codes) else codes
    if not len(codes):
        raise NoPurchases(
            "No event in the log names an item; recommendations need PURCHASED_ITEM or ITEM_VIEW events with items. "
            "Import some with `waypost import`."
        )
    place = np.full(int(codes.max()) + 1, NO_CODE, np.int64)
    place[codes] = np.arange(len(codes))
    groups = sparse.vstack([_groups(bought, place, now, 1.0, chosen), _groups(looked, place, now, chosen.look, chosen)])
    popularity = _popularity(bought if len(bought.item) else looked, place, now, chosen.popularity_half_life)
    repeats = _repeats(bought, place, now, chosen.repeat_within)
    dense = _touched_by(place, len(codes), bought, looked) >= chosen.least
    neighbours = _neighbours(groups.tocsc(), dense, repeats, chosen)
    catalogue = [names[code] for code in codes.tolist()]
    return weighed(ItemItem(catalogue, neighbours, popularity), chosen.near, chosen.prior)


def weighed(recommender: ItemItem, near: float, prior: float) -> ItemItem:
    """The same recommender with the weights of neighbours, except those of items to themselves, times `near`."""
    neighbours = recommender.neighbours
    source = np.repeat(np.arange(len(recommender.items)), np.diff(neighbours.starts))
    weights = np.where(neighbours.items == source, neighbours.weights, np.float32(near) * neighbours.weights)
    return ItemItem(recommender.items, replace(neighbours, weights=weights), recommender.popularity, prior)


def _chosen(
    histories: Histories, kinds: Sequence[Kind]
) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.int32]]:
    """Customer, time and item of the events of these kinds that name an item, ordered by customer and time."""
    events = histories.events
    kept = events[np.isin(events["kind"], [int(kind) for kind in kinds]) & (events["item"] != NO_CODE)]
    order = np.lexsort((kept["at"], kept["customer"]))
    return kept["customer"][order], kept["at"][order], kept["item"][order]


def _baskets(histories: Histories) -> _Touches:
    """The items bought; those of one customer at the same time are one basket."""
    customer, at, item = _chosen(histories, (PURCHASED_ITEM,))
    first = _changes(customer) | _changes(at)
    return _Touches(customer, at, item, np.cumsum(first) - 1)


def _visits(histories: Histories, pause: int) -> _Touches:
    """The items looked at; those of one customer without a pause longer than `pause` are one visit."""
    customer, at, item = _chosen(histories, LOOKS)
    first = _changes(customer)
    first[1:] |= np.diff(at) > pause
    return _Touches(customer, at, item, np.cumsum(first) - 1)


def _changes(values: NDArray[np.generic]) -> NDArray[np.bool_]:
    """Where a run of equal values begins."""
    changed = np.ones(len(values), bool)
    changed[1:] = values[1:] != values[:-1]
    return changed


def _fading(at: NDArray[np.int64], now: int, half_life: int) -> NDArray[np.float64]:
    """The weight of each time: 1 at `now`, and half for each half-life before."""
    weights: NDArray[np.float64] = 0.5 ** (np.maximum(now - at, 0) / half_life)
    return weights


def _groups(
    touches: _Touches, place: NDArray[np.int64], now: int, weight: float, settings: NeighbourSettings
) -> sparse.csr_matrix:
    """The matrix of baskets or visits by items: the square root of the group's weight for each item in it."""
    number = int(touches.group[-1]) + 1 if len(touches.group) else 0
    items = place[touches.item]
    known = items >= 0
    pairs = np.unique(np.column_stack([touches.group[known], items[known]]), axis=0)
    counts = np.zeros(number)
    counts[touches.group] = _fading(touches.at, now, settings.half_life)
    values = np.sqrt(weight * counts[pairs[:, 0]]).astype(np.float32)
    return sparse.csr_matrix((values, (pairs[:, 0], pairs[:, 1])), shape=(number, int(place.max()) + 1))


def _popularity(touches: _Touches, place: NDArray[np.int64], now: int, half_life: int) -> NDArray[np.float32]:
    """The recent popularity of each item; that of the most popular is 1."""
    items = place[touches.item]
    known = items >= 0
    counts = np.bincount(items[known], _fading(touches.at, now, half_life)[known], minlength=int(place.max()) + 1)
    return (counts / max(float(counts.max()), 1e-300)).astype(np.float32)


def _touched_by(place: NDArray[np.int64], size: int, *parts: _Touches) -> NDArray[np.int64]:
    """The number of customers who ever touched each item."""
    items = np.concatenate([place[touches.item] for touches in parts])
    customers = np.concatenate([touches.customer for touches in parts])
    pairs = np.unique(np.column_stack([items, customers]), axis=0)
    return np.bincount(pairs[pairs[:, 0] >= 0, 0], minlength=size)


def _repeats(bought: _Touches, place: NDArray[np.int64], now: int, within: int) -> NDArray[np.float64]:
    """For each item, the share of purchases after which the same customer bought it again within `within`.

    Purchases more recent than `within` have no answer yet. The share is shrunk towards that of all items together, as
    if each item had 10 more purchases with it.
    """
    size = int(place.max()) + 1
    order = np.lexsort((bought.at, bought.item, bought.customer))
    customer, at, item = bought.customer[order], bought.at[order], bought.item[order]
    same = ~_changes(customer)[1:] & ~_changes(item)[1:]
    again = np.zeros(len(at), bool)
    again[:-1] = same & (np.diff(at) <= within)
    items = place[item]
    old = (at <= now - within) & (items >= 0)
    asked = np.bincount(items[old], minlength=size)
    yes = np.bincount(items[old & again], minlength=size)
    overall = yes.sum() / max(asked.sum(), 1)
    shares: NDArray[np.float64] = (yes + 10.0 * overall) / (asked + 10.0)
    return shares


def _neighbours(
    groups: sparse.csc_matrix, dense: NDArray[np.bool_], repeats: NDArray[np.float64], settings: NeighbourSettings
) -> Neighbours:
    """The nearest items of each item, and itself; the matrix product is computed in bands of rows, to bound memory."""
    kept = np.flatnonzero(dense)
    columns = groups[:, kept]
    rows = columns.T.tocsr()
    columns = columns.tocsr()
    counts = np.asarray(columns.power(2).sum(axis=0)).ravel()
    size = len(dense)
    bands: list[tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]] = []
    for start in range(0, len(kept), _BAND):
        together = (rows[start : start + _BAND] @ columns).tocoo()
        source, other = together.row + start, together.col
        cosine = together.data / (np.sqrt(counts[source] * counts[other]) + settings.shrink)
        nearest = _nearest(source, cosine, (source != other) & (cosine > 0), settings.neighbours)
        bands.append((kept[source[nearest]], kept[other[nearest]], cosine[nearest]))
    itself = np.flatnonzero(repeats > 0)
    bands.append((itself, itself, repeats[itself]))
    source, other, weight = (np.concatenate(parts) for parts in zip(*bands, strict=True))
    order = np.lexsort((other, source))
    starts = np.concatenate([[0], np.cumsum(np.bincount(source, minlength=size))])
    return Neighbours(starts, other[order].astype(np.int32), weight[order].astype(np.float32))


_BAND = 1000


def _nearest(
    source: NDArray[np.int64], weight: NDArray[np.float64], allowed: NDArray[np.bool_], number: int
) -> NDArray[np.int64]:
    """Indexes of the `number` heaviest allowed entries of each source; among equals, the first."""
    index = np.flatnonzero(allowed)
    order = index[np.lexsort((-weight[index], source[index]))]
    ordered = source[order]
    run = np.flatnonzero(_changes(ordered))
    rank = np.arange(len(order)) - np.repeat(run, np.diff(np.append(run, len(order))))
    return order[rank < number]
