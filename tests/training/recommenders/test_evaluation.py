"""Ranking figures by their meaning, and the recommender judged in the simulated shop."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.events import DAY, days
from features.grouping import histories
from features.journey import JOURNEY
from features.replay.snapshots import known_at
from tests.training.shop import past, world
from training.recommenders import evaluation
from training.recommenders.evaluation import NEARS, PRIORS, best_settings, evaluate_recommender, ranking_values
from training.recommenders.item_item import NeighbourSettings

lists = st.lists(st.integers(0, 9), min_size=5, max_size=5, unique=True)
wanted = st.sets(st.integers(-3, 9), min_size=1, max_size=8)


def by_hand(ranked: list[int], truth: set[int]) -> tuple[float, float]:
    gain = sum(1 / math.log2(place + 2) for place, item in enumerate(ranked) if item in truth)
    best = sum(1 / math.log2(place + 2) for place in range(min(len(truth), len(ranked))))
    return gain / best, sum(item in truth for item in ranked) / len(truth)


@given(st.lists(st.tuples(lists, wanted), min_size=1, max_size=6))
def test_ndcg_and_recall_mean_what_they_say(cases: list[tuple[list[int], set[int]]]) -> None:
    ndcg, recall = ranking_values(np.array([each for each, _ in cases], np.int32), [truth for _, truth in cases])
    expected = [by_hand(ranked, truth) for ranked, truth in cases]
    assert ndcg.tolist() == pytest.approx([each for each, _ in expected])
    assert recall.tolist() == pytest.approx([each for _, each in expected])


def test_the_recommender_beats_popularity_where_customers_have_tastes() -> None:
    found = evaluate_recommender(JOURNEY, past(), world().items, world().end, seed=1)
    assert found is not None and found.customers > 100 and found.items == len(world().items)
    assert found.ratio.low > 1.3
    assert found.over["popularity"]["ndcg_at_20"].low > 0
    assert found.cutoff == world().end - days(7)


def test_a_judgement_is_reproducible_and_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(evaluation, "MOST", 50)
    first, again = (evaluate_recommender(JOURNEY, past(), world().items, world().end, seed=1) for _ in range(2))
    assert first is not None and again is not None and first.customers == again.customers == 50
    assert first.figures == again.figures


def test_what_comes_after_does_not_change_how_customers_are_remembered() -> None:
    """The week that is judged is known to nobody before it: another week gives other hits of the same rankings."""
    events = world().events
    cutoff = world().end - days(7)
    assert (
        known_at(past(), cutoff).events.tobytes() == histories([events[events["received"] <= cutoff]]).events.tobytes()
    )


def test_a_silent_week_cannot_be_judged() -> None:
    assert evaluate_recommender(JOURNEY, past(), world().items, world().end + 30 * DAY, seed=1) is None


def test_the_best_taste_is_the_best_of_those_tried_a_week_before() -> None:
    items, end = world().items, world().end
    chosen = best_settings(JOURNEY, past(), items, end, seed=1)

    def ndcg(near: float, prior: float) -> float:
        found = evaluate_recommender(
            JOURNEY, past(), items, end - days(7), 1, NeighbourSettings(near=near, prior=prior)
        )
        assert found is not None
        return found.figures["recommender"]["ndcg_at_20"].value

    assert ndcg(chosen.near, chosen.prior) == max(ndcg(near, prior) for near in NEARS for prior in PRIORS)
    assert best_settings(JOURNEY, past(), items, end + 60 * DAY, seed=1) == NeighbourSettings()
