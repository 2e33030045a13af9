"""The recommender finds the shelves of the simulated shop, equals its definition, and sees nothing of the future."""

from __future__ import annotations

import math
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray

from features.events import DAY, EVENT, MINUTE, Kind, days
from features.grouping import histories
from models.recommenders.item_item import ItemItem
from tests.training.shop import known, world
from tests.worlds import OPENING
from training.recommenders.item_item import NeighbourSettings, NoPurchases, fit_recommender

NOW = OPENING + 100 * DAY
NAMES = ["milk", "bread", "wine", "cheese", "soap"]


@cache
def fitted() -> ItemItem:
    return fit_recommender(known(), world().items, world().end)


def events(*rows: tuple[int, float, Kind, int]) -> NDArray[np.void]:
    """An EVENT array of (customer, day, kind, item)."""
    made = np.zeros(len(rows), EVENT)
    for record, (customer, day, kind, item) in zip(made, rows, strict=True):
        record["customer"], record["kind"], record["item"] = customer, int(kind), item
        record["at"] = record["received"] = OPENING + round(day * DAY)
    return made[np.argsort(made["received"], kind="stable")]


def weight(recommender: ItemItem, source: str, other: str) -> float:
    """How near `other` stands to `source`; 0 when it is no neighbour."""
    index, found = recommender.items.index(source), recommender.neighbours
    for place in range(int(found.starts[index]), int(found.starts[index + 1])):
        if recommender.items[found.items[place]] == other:
            return float(found.weights[place])
    return 0.0


def test_what_goes_with_an_item_stands_on_its_shelf() -> None:
    recommender = fitted()
    for item in ("shelf0-0", "shelf3-5"):
        best = [each.item for each in recommender.recommend([(item, 1.0)], 8)]
        assert sum(each.startswith(item.split("-")[0]) for each in best) >= 7


def test_neighbours_are_shrunk_cosines_of_fading_baskets() -> None:
    basket, other = (0, 10.0), (1, 70.0)
    log = events(
        (*basket, Kind.PURCHASED_ITEM, 0), (*basket, Kind.PURCHASED_ITEM, 1), (*basket, Kind.PURCHASED_ITEM, 0),
        (*other, Kind.PURCHASED_ITEM, 0), (*other, Kind.PURCHASED_ITEM, 2),
    )  # fmt: skip
    settings = NeighbourSettings(least=1, shrink=0.5, near=1.0, half_life=days(30))
    found = fit_recommender(histories([log]), NAMES, NOW, settings)
    first, second = 0.5 ** (90 / 30), 0.5 ** (30 / 30)
    assert weight(found, "milk", "bread") == pytest.approx(first / (math.sqrt((first + second) * first) + 0.5))
    assert weight(found, "wine", "milk") == pytest.approx(second / (math.sqrt((first + second) * second) + 0.5))
    assert weight(found, "bread", "wine") == 0.0
    assert found.popularity.tolist() == pytest.approx(popularity_by_hand(log))


def popularity_by_hand(log: NDArray[np.void]) -> list[float]:
    taken = [0.0, 0.0, 0.0]
    for record in log:
        taken[record["item"]] += 0.5 ** ((NOW - int(record["at"])) / days(28))
    return [each / max(taken) for each in taken]


def test_a_visit_ends_with_a_pause() -> None:
    pause = 40 * MINUTE / DAY
    log = events(
        (0, 5.0, Kind.ITEM_VIEW, 0), (0, 5.001, Kind.ITEM_VIEW, 1), (0, 5.001 + pause, Kind.CART_ADD, 2),
        (1, 5.0, Kind.ITEM_VIEW, 3),
    )  # fmt: skip
    found = fit_recommender(histories([log]), NAMES, NOW, NeighbourSettings(least=1, shrink=0.01))
    assert weight(found, "milk", "bread") > 0
    assert weight(found, "bread", "wine") == weight(found, "milk", "cheese") == 0.0


def test_an_item_is_as_near_to_itself_as_it_is_bought_again() -> None:
    rows = [(0, float(day), Kind.PURCHASED_ITEM, 0) for day in (1, 10, 20, 60)]
    rows += [(1, 5.0, Kind.PURCHASED_ITEM, 4), (2, 95.0, Kind.PURCHASED_ITEM, 4)]
    found = fit_recommender(histories([events(*rows)]), NAMES, NOW)
    # Of five purchases old enough, two were followed by another of the same within 28 days; 10 more at that share.
    overall = 2 / 5
    assert weight(found, "milk", "milk") == pytest.approx((2 + 10 * overall) / (4 + 10))
    assert weight(found, "soap", "soap") == pytest.approx((0 + 10 * overall) / (1 + 10))


def test_rare_items_have_no_neighbours_but_themselves() -> None:
    rows = [(customer, 3.0, Kind.PURCHASED_ITEM, item) for customer in range(4) for item in (0, 1)]
    rows += [(0, 10.0, Kind.PURCHASED_ITEM, 0), (0, 10.0, Kind.PURCHASED_ITEM, 2)]
    found = fit_recommender(histories([events(*rows)]), NAMES, NOW, NeighbourSettings(least=3))
    assert weight(found, "milk", "bread") > 0 and weight(found, "milk", "wine") == 0.0
    assert weight(found, "wine", "milk") == 0.0 and "wine" in found.items


def test_only_the_nearest_are_kept() -> None:
    found = fit_recommender(known(), world().items, world().end, NeighbourSettings(neighbours=3))
    assert np.diff(found.neighbours.starts).max() <= 3 + 1


def test_bands_do_not_show(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fitted().files()
    monkeypatch.setattr("training.recommenders.item_item._BAND", 7)
    assert fit_recommender(known(), world().items, world().end).files() == whole


def test_without_items_there_is_nothing_to_recommend() -> None:
    log = events((0, 1.0, Kind.PURCHASE, -1))
    with pytest.raises(NoPurchases, match="PURCHASED_ITEM or ITEM_VIEW"):
        fit_recommender(histories([log]), NAMES, NOW)


def test_erased_names_are_left_out() -> None:
    log = events((0, 1.0, Kind.PURCHASED_ITEM, 0), (0, 1.0, Kind.PURCHASED_ITEM, 1))
    assert fit_recommender(histories([log]), ["", "bread"], NOW, NeighbourSettings(least=1)).items == ["bread"]
