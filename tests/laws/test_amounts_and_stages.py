"""Laws of the tiers that answer with an amount or a stage: a batch is its rows, bytes keep every bit."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

import lightgbm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from features.outcomes import STAYS
from models.bundle.manifest import TargetCard
from models.prediction.amount import AMOUNT_TIERS, AmountScorer, AmountTier, AmountTrees, MeanAmount
from models.prediction.clv import COLUMNS, Buying, Spending
from models.prediction.clv_amount import PACE, BuyingAmount
from models.prediction.next_stage import ANSWERS, STAGE_TIERS, StageScorer, StageShares, StageTier, StageTrees
from tests.examples import examples

NAMES = (*COLUMNS, PACE, "stage")
WEIGHED = ((4.0, 0.6, 0.3), (1.2, 60.0, 70.0), (0.2, 2.5), 12.0)
"""Weights, a usual customer, ends and the mean of a closed form with the pace."""


@cache
def rows() -> NDArray[np.float32]:
    """Customers who ordered, once or more, and some who never did."""
    draw = np.random.default_rng(4)
    orders = draw.integers(1, 9, 300).astype(np.float32)
    first = draw.uniform(1, 300, 300)
    latest = np.where(orders > 1, first * draw.random(300), first)
    found = np.column_stack(
        [orders, first, latest, draw.gamma(3, 20, 300), draw.gamma(1, 90, 300), draw.integers(0, 5, 300)]
    )
    found[:20, 1:4], found[:20, 0], found[:20, 4] = np.nan, 0.0, 0.0
    return found.astype(np.float32)


def grown(labels: NDArray[np.float64], **parameters: object) -> str:
    """A small model's text."""
    given_ = {"verbosity": -1, "num_threads": 1, "min_data_in_leaf": 10, **parameters}
    return lightgbm.train(given_, lightgbm.Dataset(rows(), labels, feature_name=list(NAMES)), 8).model_to_string()


@cache
def amounts() -> dict[str, AmountTier]:
    """One of each tier of an amount."""
    spent = np.nan_to_num(rows()[:, 3].astype(np.float64)) / 50.0
    texts = [
        grown(spent, objective="tweedie"),
        *(grown(spent, objective="quantile", alpha=each) for each in (0.05, 0.95)),
    ]
    buying, spending = Buying(0.8, 10.0, 0.7, 2.5), Spending(6.0, 4.0, 15.0)
    own = BuyingAmount(buying, spending, 90.0, *WEIGHED, NAMES)
    return {
        MeanAmount.name: MeanAmount(40.0, 0.0, 120.0, NAMES),
        BuyingAmount.name: own,
        AmountTrees.name: AmountTrees("lifetime_value_90d", own, texts, 1.2, 0.1, NAMES),
    }


@cache
def stages() -> dict[str, StageTier]:
    """One of each tier of a stage."""
    answers = (np.arange(300) % ANSWERS).astype(np.float64)
    classes, days = grown(answers, objective="multiclass", num_class=ANSWERS), grown(answers, objective="tweedie")
    return {
        StageShares.name: StageShares([0.1] * STAYS + [1.0 - 0.1 * STAYS], 9.0, NAMES),
        StageTrees.name: StageTrees("next_stage_28d", classes, days, NAMES),
    }


@pytest.mark.parametrize("name", AMOUNT_TIERS)
def test_an_amount_in_a_batch_is_the_amount(name: str) -> None:
    scorer = AmountScorer("lifetime_value_90d", amounts()[name])
    many = scorer.estimate_many(rows())
    for place, row in enumerate(rows()):
        one = scorer.estimate(row)
        expected = many.value[place], many.low[place], many.high[place], many.rank_percentile[place]
        assert (one.value, one.low, one.high, one.rank_percentile) == expected
        assert one.value > 0.0 and 0.0 <= one.low <= one.high


scales = st.floats(0.05, 50.0)


@settings(max_examples=examples(40), deadline=None)
@given(st.builds(Buying, scales, scales, scales, scales), st.builds(Spending, scales, st.floats(1.1, 50.0), scales))
def test_a_closed_form_in_a_batch_is_that_of_its_rows(buying: Buying, spending: Spending) -> None:
    tier = BuyingAmount(buying, spending, 90.0, *WEIGHED, NAMES)
    some = rows()[10:40]
    alone = [tier.amounts(some[[place]])[0] for place in range(len(some))]
    assert tier.amounts(some)[0].tobytes() == np.concatenate(alone).tobytes()


@pytest.mark.parametrize("name", AMOUNT_TIERS)
def test_contributions_are_the_logarithm_of_the_amount(name: str) -> None:
    tier = amounts()[name]
    added = tier.contributions(rows()).sum(axis=1)
    assert np.exp(added) == pytest.approx(tier.amounts(rows())[0], rel=1e-6)


def test_more_of_what_is_own_is_told_by_its_feature() -> None:
    tier, more = amounts()[BuyingAmount.name], rows()[20:].copy()
    more[:, NAMES.index(PACE)] += 100.0
    told = tier.contributions(more) - tier.contributions(rows()[20:])
    assert (told[:, NAMES.index(PACE)] > 0.0).all() and (told[:, -1] == 0.0).all()


def test_a_start_of_another_name_is_refused() -> None:
    content = amounts()[AmountTrees.name].to_bytes().replace(b'"buyers"', b'"lightgbm"')
    with pytest.raises(ValueError, match="expected one of prior, clv"):
        AmountTrees.from_bytes(content, "lifetime_value_90d", NAMES)


@pytest.mark.parametrize("name", AMOUNT_TIERS)
def test_bytes_keep_every_bit_of_an_amount(name: str) -> None:
    scorer = AmountScorer("lifetime_value_90d", amounts()[name])
    again = AmountScorer.from_files("lifetime_value_90d", name, scorer.files().__getitem__, NAMES)
    assert again.score_many(rows()).tobytes() == scorer.score_many(rows()).tobytes()
    assert again.files() == scorer.files()


def test_the_tier_clv_keeps_its_earlier_name_on_disk() -> None:
    """Bundles of earlier releases call it `buyers`, and their version is a hash of what they say."""
    files = AmountScorer("lifetime_value_90d", amounts()["clv"]).files()
    assert set(files) == {"lifetime_value_90d.buyers.json", "lifetime_value_90d.scorer.json"}
    assert list(json.loads(amounts()[AmountTrees.name].to_bytes())["start"]) == ["buyers"]
    by_tier: dict[str, Any] = {
        "losses": {"clv": 0.5},
        "needed": {"clv": {"customers": 30.0}},
        "held_back": {"clv": "mae 2"},
    }
    card = TargetCard("spend", "everyone", 90.0, 50.0, "identity", form="amount", tier="clv", **by_tier)
    written = card.written()
    assert written["rung"] == "buyers" and all(list(written[name]) == ["buyers"] for name in by_tier)
    assert TargetCard.from_fields(json.loads(json.dumps(written))) == card


@pytest.mark.parametrize("name", STAGE_TIERS)
def test_chances_of_stages_are_one_in_all_and_in_a_batch_the_same(name: str) -> None:
    scorer = StageScorer("next_stage_28d", stages()[name])
    chances, days = scorer.chances_many(rows()), scorer.days_many(rows())
    assert chances.shape == (300, ANSWERS) and chances.sum(axis=1) == pytest.approx(1.0) and (days > 0.0).all()
    for place, row in enumerate(rows()[:20]):
        one = scorer.estimate(row)
        assert (one.chances, one.days) == (tuple(chances[place].tolist()), days[place])


@pytest.mark.parametrize("name", STAGE_TIERS)
def test_bytes_keep_every_bit_of_a_stage(name: str) -> None:
    scorer = StageScorer("next_stage_28d", stages()[name])
    again = StageScorer.from_files("next_stage_28d", name, scorer.files().__getitem__, NAMES)
    assert again.chances_many(rows()).tobytes() == scorer.chances_many(rows()).tobytes()
    assert again.files() == scorer.files()


def test_a_tier_of_another_form_is_refused() -> None:
    with pytest.raises(ValueError, match="expected one of prior, clv, lightgbm"):
        AmountScorer.from_files("lifetime_value_90d", "logistic", lambda name: b"", NAMES)
    with pytest.raises(ValueError, match="expected one of prior, lightgbm"):
        StageScorer.from_files("next_stage_28d", "clv", lambda name: b"", NAMES)
