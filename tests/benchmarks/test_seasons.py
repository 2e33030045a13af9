"""The benchmark of seasons: its shops do what they are called, its claims count what they say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.seasons import Served, _beyond, claims
from benchmarks.seasons_shops import OPENING, SHOPS, events_of, lives_of
from benchmarks.seasons_truth import order_within
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
        "wave", "churn_28d", 200.0, "prior", 1_000, 0.5, 0.5, 0.0, 0.1, 0.03, 0.02, 0.02, 0.95, 0.04, 0.02, 0.05, 0.9,
        (-0.1, -0.2), (0.1, 0.05),
    )  # fmt: skip
    other = replace(
        one, shop="cdnow", rows=3_000, error=0.05, beyond=0.045, perfect_holds=0.75, inside=0.8, over_small=(0.1, -0.05)
    )
    found = claims([one, other])
    assert found["cutoffs"] == 2 and found["cutoffs_calibrated_share"] == 0.5
    assert found["cutoffs_calibrated_share_of_perfect"] == pytest.approx(0.85)
    assert found["cutoffs_calibrated_beyond_noise_share"] == 0.5
    assert found["interval_coverage"] == pytest.approx(0.825)
    assert found["worse_than_base_rate_share"] == 0.0 and found["worse_than_small_lightgbm_share"] == 0.5
    assert found["real_cutoffs"] == 1 and found["real_cutoffs_calibrated_share"] == 0.0
    assert found["simulated_cutoffs"] == 1 and found["simulated_cutoffs_calibrated_share_of_truth"] == 1.0
    assert found["simulated_cutoffs_calibrated_share_of_todays_pace"] == 0.0


def test_noise_is_not_an_error_beyond_noise() -> None:
    draw = np.random.default_rng(1)
    said = draw.uniform(0.1, 0.9, (40, 500))
    found = [_beyond(each, (draw.random(500) < each).astype(np.int8)) for each in said]
    assert np.sqrt(np.mean(np.square(found))) < 0.03  # where the gaps themselves are about 0.06
    off = [_beyond(each, (draw.random(500) < each + 0.08).astype(np.int8)) for each in said]
    assert np.sqrt(np.mean(np.square(off))) == pytest.approx(0.08, abs=0.01)


@pytest.mark.parametrize(("now", "foreseen", "most"), [(200.0, True, 0.02), (240.0, True, 0.02), (240.0, False, 0.2)])
def test_the_truth_is_what_comes_and_todays_pace_knows_no_jump(now: float, foreseen: bool, most: float) -> None:
    shop = SHOPS["halved"]
    found = events_of(shop, seed=1)
    day = (found["at"] - OPENING) / DAY
    last = np.full(shop.customers, np.nan)
    last[found["customer"][day <= now]] = day[day <= now]
    known = np.flatnonzero(~np.isnan(last)).astype(np.int32)
    came = np.isin(known, found["customer"][(day > now) & (day <= now + 30.0)])
    lives = lives_of(shop, np.random.default_rng(1))
    said = order_within(lives, known, last[known], now, np.full(len(known), 30.0), foreseen=foreseen)
    assert ((said >= 0.0) & (said <= 1.0)).all()
    assert abs(said.mean() - came.mean()) < most
    assert foreseen or said.mean() > came.mean() + 0.05
    assert said[came].mean() > said[~came].mean() + 0.1
