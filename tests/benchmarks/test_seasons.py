"""The benchmark of seasons: its shops do what they are called, its claims count what they say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.seasons import Served, claims
from benchmarks.seasons_shops import OPENING, SHOPS, events_of
from features.events import DAY


@pytest.mark.parametrize(
    ("name", "least", "most"), [("halved", 0.35, 0.65), ("doubled", 1.5, 2.2), ("steady", 0.8, 1.1)]
)
def test_orders_jump_where_they_should(name: str, least: float, most: float) -> None:
    found = events_of(replace(SHOPS[name], customers=600), seed=1)
    day = (found["at"] - OPENING) / DAY
    before, after = (((day >= first) & (day < first + 60)).sum() for first in (190, 250))
    assert least < after / before < most
    assert (np.diff(found["received"]) >= 0).all()


def test_christmas_is_a_peak_of_each_december() -> None:
    found = events_of(replace(SHOPS["christmas_two_years"], customers=600), seed=1)
    day = (found["at"] - OPENING) / DAY
    for peak in (345.0, 710.0):
        there, earlier = (((day >= first) & (day < first + 14)).sum() for first in (peak - 7, peak - 107))
        assert there > 1.5 * earlier


def test_claims_count_cutoffs() -> None:
    one = Served(
        "wave", "churn_28d", 200.0, "prior", 1_000, 0.5, 0.5, 0.0, 0.1, 0.03, 0.02, 0.04, 0.9, (-0.1, -0.2), (0.1, 0.05)
    )  # fmt: skip
    other = replace(one, shop="cdnow", rows=3_000, error=0.05, inside=0.8, over_small=(0.1, -0.05))
    found = claims([one, other])
    assert found["cutoffs"] == 2 and found["cutoffs_calibrated_share"] == 0.5
    assert found["interval_coverage"] == pytest.approx(0.825)
    assert found["worse_than_base_rate_share"] == 0.0 and found["worse_than_small_lightgbm_share"] == 0.5
    assert found["real_cutoffs"] == 1 and found["real_cutoffs_calibrated_share"] == 0.0
