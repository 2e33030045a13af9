"""Laws of recommenders: the ranking is that of the plain formula over the whole catalogue, alone and in a batch."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from models.recommenders.contract import Touched
from models.recommenders.item_item import ItemItem, Neighbours

UNKNOWN = "unheard of"

# Eighths and few of them: ties are common, and sums are exact in any order.
weights = st.integers(0, 16).map(lambda eighths: eighths / 8)


@st.composite
def recommenders(draw: st.DrawFn) -> ItemItem:
    size = draw(st.integers(1, 12))
    rows = draw(st.lists(st.dictionaries(st.integers(0, size - 1), weights), min_size=size, max_size=size))
    popularity = draw(st.lists(weights, min_size=size, max_size=size))
    neighbours = Neighbours(
        np.cumsum([0, *map(len, rows)]),
        np.array([other for row in rows for other in row], np.int32),
        np.array([weight for row in rows for weight in row.values()], np.float32),
    )
    names = [f"item {number}" for number in range(size)]
    return ItemItem(names, neighbours, np.array(popularity, np.float32), draw(st.sampled_from([0.0, 0.125, 1.0])))


names = st.one_of(st.just(UNKNOWN), st.integers(0, 11).map(lambda number: f"item {number}"))
recents = st.lists(st.builds(Touched, names, weights, st.booleans()), max_size=6)
exclusions = st.lists(names, max_size=4)


def plain_ranking(recommender: ItemItem, recent: list[Touched], exclude: Sequence[str]) -> list[tuple[str, float]]:
    """Every item that is not excluded, with its score by the formula, best first: the meaning of a recommendation."""
    starts, popularity = recommender.neighbours.starts, recommender.popularity.astype(np.float64)
    scores = popularity * recommender.prior
    for name, weight, bought in recent:
        source = recommender.index(name)
        if source is None:
            continue
        for entry in range(starts[source], starts[source + 1]):
            if not bought and recommender.neighbours.items[entry] == source:
                continue  # what was only viewed is no evidence for itself
            scores[recommender.neighbours.items[entry]] += weight * float(recommender.neighbours.weights[entry])
    order = sorted(range(len(scores)), key=lambda index: (-scores[index], -popularity[index], index))
    ranked = [(recommender.items[index], float(scores[index])) for index in order]
    return [pair for pair in ranked if pair[0] not in exclude]


@given(recommenders(), recents, st.integers(0, 14), exclusions)
def test_a_recommendation_is_the_head_of_the_plain_ranking(
    recommender: ItemItem, recent: list[Touched], limit: int, exclude: list[str]
) -> None:
    best = recommender.recommend(recent, limit, exclude)
    assert [(each.item, each.score) for each in best] == plain_ranking(recommender, recent, exclude)[:limit]


@given(recommenders(), st.lists(st.tuples(recents, exclusions), max_size=5), st.integers(0, 14))
def test_a_batch_equals_its_customers(
    recommender: ItemItem, customers: list[tuple[list[Touched], list[str]]], limit: int
) -> None:
    ranked = recommender.rank_many([recent for recent, _ in customers], limit, [exclude for _, exclude in customers])
    for row, (recent, exclude) in zip(ranked.tolist(), customers, strict=True):
        alone = [recommender.index(each.item) for each in recommender.recommend(recent, limit, exclude)]
        assert row == alone + [-1] * (limit - len(alone))


@given(recommenders(), recents, exclusions)
def test_a_reason_is_a_recent_item_or_popularity(
    recommender: ItemItem, recent: list[Touched], exclude: list[str]
) -> None:
    reasons = {"popular", *(f"because of {name}" for name, *_ in recent if name != UNKNOWN)}
    assert {each.reason for each in recommender.recommend(recent, 12, exclude)} <= reasons


@given(recommenders(), recents)
def test_bytes_and_earlier_questions_change_nothing(recommender: ItemItem, recent: list[Touched]) -> None:
    first = recommender.recommend(recent, 12)
    recommender.recommend(recent[::-1], 3, [name for name, *_ in recent])
    assert recommender.recommend(recent, 12) == first
    assert ItemItem.from_files(recommender.files().__getitem__).recommend(recent, 12) == first


def test_threads_do_not_disturb_each_other() -> None:
    draw = np.random.default_rng(3)
    size, near = 500, 20
    neighbours = Neighbours(
        np.arange(size + 1) * near,
        np.concatenate([draw.choice(size, near, replace=False) for _ in range(size)]).astype(np.int32),
        draw.random(size * near, np.float32),
    )
    shared = ItemItem([f"item {number}" for number in range(size)], neighbours, draw.random(size, np.float32))
    customers = [[(f"item {item}", 1.0) for item in draw.integers(0, size, 8)] for _ in range(100)]
    expected = shared.rank_many(customers, 10).tolist()
    answers: dict[int, object] = {}
    threads = [
        threading.Thread(
            target=lambda number=number: answers.update({number: shared.rank_many(customers, 10).tolist()})
        )
        for number in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert answers == dict.fromkeys(range(4), expected)
