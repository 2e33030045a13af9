"""What a list by money at stake would have found, with numbers to check by eye."""

from __future__ import annotations

import numpy as np
import pytest

from models.prediction.money_at_stake import Yield
from training.evaluation.money_at_stake import stake_metrics, stake_yield
from training.rows.dataset import Slice

NAMES = ("spend_net_90d", "spend_gross_28d", "days_since_purchase")
TEN = Slice(
    features=np.array([[90 * spent, 28 * spent, 10] for spent in range(10, 0, -1)], np.float32),
    labels=np.array([0, 0, 1, 0, 1, 0, 0, 1, 0, 1], np.int8),
    customer=np.arange(10, dtype=np.int32),
    cutoff=np.full(10, 1_512_345_600_000_000),
)
LEAVES = np.array([0.1, 0.1, 0.9, 0.1, 0.8, 0.1, 0.1, 0.3, 0.1, 0.3])
"""Of ten customers who spend 10, 9... 1 a day: stakes by day are 1, 0.9, 7.2, 0.7, 4.8, 0.5, 0.4, 0.9, 0.2, 0.3."""


def test_a_list_of_two_holds_most_of_what_left() -> None:
    """8, 6, 3 and 1 a day left; the two with the most at stake spend 8 and 6, the two who spend most stay."""
    found = stake_yield(NAMES, TEN, LEAVES)
    assert found is not None
    assert (found.customers, found.named, found.left) == (10, 2, 1.0)
    assert found.money == pytest.approx(14 / 18)
    assert (found.money_random, found.money_spending) == (0.2, 0.0)
    assert found.money_low < found.money < found.money_high <= 1.0
    assert found.words.startswith(
        "Of the 2 customers that this list would have named on 2017-12-04, of 10, 100% left [100% to 100%], "
    )


def test_figures_survive_the_card() -> None:
    found = stake_yield(NAMES, TEN, LEAVES)
    assert found is not None and Yield.of_metrics(stake_metrics("churn_28d", NAMES, TEN, LEAVES)) == found
    assert stake_metrics("conversion_7d", NAMES, TEN, LEAVES) == {}
    assert Yield.of_metrics({"roc_auc": 0.8}) is None


def test_where_no_money_left_nothing_is_said() -> None:
    stayed = Slice(TEN.features, np.zeros(10, np.int8), TEN.customer, TEN.cutoff)
    assert stake_yield(NAMES, stayed, LEAVES) is None
    lapsed = Slice(np.full((10, 3), 57, np.float32), TEN.labels, TEN.customer, TEN.cutoff)
    assert stake_yield(NAMES, lapsed, LEAVES) is None
