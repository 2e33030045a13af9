"""The recommender on catalogues whose right answer is visible by eye."""

from __future__ import annotations

import io
import pickle
from collections.abc import Mapping

import numpy as np
import pytest

from models.recommenders.contract import POPULAR, Touched
from models.recommenders.item_item import ItemItem, Neighbours

ITEMS = ["apple", "bread", "coffee", "dates"]


def recommender(
    weights: Mapping[str, Mapping[str, float]], popularity: Mapping[str, float], prior: float = 0.001
) -> ItemItem:
    """A recommender of the items in `popularity`, with each item's neighbours in words."""
    items = list(popularity)
    rows = [weights.get(item, {}) for item in items]
    neighbours = Neighbours(
        np.cumsum([0, *map(len, rows)]),
        np.array([items.index(name) for row in rows for name in row], np.int32),
        np.array([weight for row in rows for weight in row.values()], np.float32),
    )
    return ItemItem(items, neighbours, np.array(list(popularity.values()), np.float32), prior)


@pytest.fixture
def shop() -> ItemItem:
    """Apples go with bread, bread with dates and bread again; coffee sells best."""
    weights = {"apple": {"bread": 0.5}, "bread": {"dates": 0.25, "bread": 0.75}}
    return recommender(weights, {"apple": 2.0, "bread": 1.0, "coffee": 3.0, "dates": 0.0})


def test_checkerboard_gives_back_the_withheld_item() -> None:
    """Even customers take even items, odd ones odd; each withholds one item, which must come first."""
    size = 10
    board = np.add.outer(np.arange(size), np.arange(size)) % 2 == 0
    names = [f"item {number}" for number in range(size)]
    together = {
        name: {names[other]: float(np.sum(board[:, item] & board[:, other])) for other in range(size) if other != item}
        for item, name in enumerate(names)
    }
    square = recommender(together, dict.fromkeys(names, 1.0))
    for customer in range(size):
        taken = [names[item] for item in range(size) if board[customer, item] and item != customer]
        best = square.recommend([(name, 1.0) for name in taken], limit=size, exclude=taken)
        assert best[0].item == f"item {customer}"
        assert len(best) == size - len(taken)


def test_score_and_reason_are_the_sum_and_its_largest_part(shop: ItemItem) -> None:
    best = shop.recommend([("bread", 1.0), ("apple", 2.0)], limit=4)
    assert [(each.item, each.reason) for each in best] == [
        ("bread", "because of apple"),
        ("dates", "because of bread"),
        ("coffee", POPULAR),
        ("apple", POPULAR),
    ]
    assert [each.score for each in best] == pytest.approx([0.75 + 2 * 0.5 + 0.001, 0.25, 0.003, 0.002])


def test_buy_again_is_an_items_own_weight(shop: ItemItem) -> None:
    item, _, reason = shop.recommend([("bread", 1.0)], limit=1)[0]
    assert (item, reason) == ("bread", "because of bread")


def test_a_reason_smaller_than_popularity_is_no_reason() -> None:
    loud = recommender({"apple": {"bread": 0.1}}, {"apple": 0.0, "bread": 1.0}, prior=0.5)
    item, score, reason = loud.recommend([("apple", 1.0)], limit=1)[0]
    assert (item, reason) == ("bread", POPULAR)
    assert score == pytest.approx(0.6)


def test_of_equal_reasons_the_newest_speaks() -> None:
    even = recommender({"apple": {"dates": 0.5}, "bread": {"dates": 0.5}}, dict.fromkeys(ITEMS, 0.0))
    assert even.recommend([("bread", 1.0), ("apple", 1.0)], limit=1)[0].reason == "because of bread"
    assert even.recommend([("apple", 1.0), ("bread", 1.0)], limit=1)[0].reason == "because of apple"


@pytest.mark.parametrize("recent", [[], [("elderberry", 1.0)], [("bread", 0.0)]])
def test_without_a_known_recent_item_the_popular_are_given(shop: ItemItem, recent: list[tuple[str, float]]) -> None:
    best = shop.recommend(recent, limit=3)
    assert [each.item for each in best] == ["coffee", "apple", "bread"]
    assert {each.reason for each in best} == {POPULAR}


def test_excluded_items_make_room_for_the_next(shop: ItemItem) -> None:
    best = shop.recommend([("bread", 1.0)], limit=2, exclude={"bread", "coffee", "elderberry"})
    assert [each.item for each in best] == ["dates", "apple"]
    assert shop.recommend([("bread", 1.0)], limit=9, exclude=ITEMS) == []


def test_ties_stand_in_order_of_popularity_then_of_the_catalogue() -> None:
    flat = recommender({}, {"apple": 1.0, "bread": 2.0, "coffee": 1.0, "dates": 2.0}, prior=0.0)
    assert [each.item for each in flat.recommend([], limit=4)] == ["bread", "dates", "apple", "coffee"]


def test_rank_many_pads_with_minus_one(shop: ItemItem) -> None:
    ranked = shop.rank_many([[("bread", 1.0)], []], limit=3, exclude=[{"coffee"}, {"apple", "coffee", "dates"}])
    assert ranked.dtype == np.int32
    assert [[ITEMS[index] if index >= 0 else None for index in row] for row in ranked.tolist()] == [
        ["bread", "dates", "apple"],
        ["bread", None, None],
    ]
    assert (shop.index("dates"), shop.index("elderberry")) == (3, None)


def test_an_empty_catalogue_recommends_nothing() -> None:
    empty = recommender({}, {})
    assert empty.recommend([("bread", 1.0)], limit=5) == []
    assert ItemItem.from_files(empty.files().__getitem__).items == []


def test_bytes_keep_everything_and_are_the_same_each_time(shop: ItemItem) -> None:
    again = ItemItem.from_files(shop.files().__getitem__)
    assert again.recommend([("bread", 1.0)], limit=4) == shop.recommend([("bread", 1.0)], limit=4)
    assert again.files() == shop.files() == shop.files()


def test_nothing_is_unpickled() -> None:
    archive = io.BytesIO()
    np.savez(archive, names=np.array([{"pickled": True}], object))
    for content in (archive.getvalue(), pickle.dumps("a recommender"), b"", b"PK\x03\x04"):
        with pytest.raises(ValueError, match=r"Not a recommender|[Pp]ickle"):
            ItemItem.from_files({ItemItem.file: content}.__getitem__)


@pytest.mark.parametrize("weight", [-1.0, float("nan"), float("inf")])
def test_weights_that_are_no_weights_are_refused(shop: ItemItem, weight: float) -> None:
    with pytest.raises(ValueError, match="'bread' has weight"):
        shop.recommend([("apple", 1.0), ("bread", weight)], limit=1)
    assert shop.recommend([], limit=1)[0].item == "coffee"


def test_a_negative_limit_is_refused(shop: ItemItem) -> None:
    assert shop.recommend([("bread", 1.0)], limit=0) == []
    with pytest.raises(ValueError, match="limit is -1"):
        shop.recommend([("bread", 1.0)], limit=-1)


def _of(starts: list[int], items: list[int], weights: list[float]) -> Neighbours:
    return Neighbours(np.array(starts), np.array(items, np.int32), np.array(weights, np.float32))


@pytest.mark.parametrize(
    ("names", "neighbours", "popularity", "problem"),
    [
        (["a", "a"], _of([0, 0, 0], [], []), [1.0, 1.0], "2 items of 1 names"),
        (["a", "b"], _of([0, 1], [0], [1.0]), [1.0, 1.0], "do not span"),
        (["a", "b"], _of([0, 1, 2], [0], [1.0]), [1.0, 1.0], "do not span"),
        (["a", "b"], _of([0, 2, 1], [0], [1.0]), [1.0, 1.0], "do not span"),
        (["a", "b"], _of([0, 1, 1], [2], [1.0]), [1.0, 1.0], "indexes from 0 to 1"),
        (["a", "b"], _of([0, 1, 1], [1], []), [1.0, 1.0], "indexes from 0 to 1"),
        (["a", "b"], _of([0, 0, 0], [], []), [1.0], r"popularity has shape \(1,\)"),
        (["a", "b"], _of([0, 1, 1], [1], [-0.1]), [1.0, 1.0], "not negative"),
        (["a", "b"], _of([0, 0, 0], [], []), [1.0, float("nan")], "not negative"),
    ],
)
def test_parts_that_do_not_fit_are_refused(
    names: list[str], neighbours: Neighbours, popularity: list[float], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        ItemItem(names, neighbours, np.array(popularity, np.float32))


def test_what_was_only_viewed_is_no_evidence_for_itself() -> None:
    """Milk is bought again and again, by its own weight of 0.9; bread comes with it, by 0.2."""
    neighbours = Neighbours(np.array([0, 2, 2]), np.array([0, 1], np.int32), np.array([0.9, 0.2], np.float32))
    recommender = ItemItem(["milk", "bread"], neighbours, np.array([0.5, 0.1], np.float32), 0.001)
    bought = recommender.recommend([Touched("milk", 1.0)], 2)
    assert [(each.item, each.reason) for each in bought] == [("milk", "because of milk"), ("bread", "because of milk")]
    viewed = recommender.recommend([Touched("milk", 1.0, bought=False)], 2)
    assert [(each.item, each.reason) for each in viewed] == [("bread", "because of milk"), ("milk", "popular")]
