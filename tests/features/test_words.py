"""Every feature speaks, whatever its value."""

from __future__ import annotations

import math

import pytest

from features.aggregates import count, fading, reading, since, stages, total
from features.events import DAY, PURCHASE, SEARCH, TOUCHPOINTS, Kind, days
from features.feature_set import FeatureSet
from features.fold import Fold
from features.journey import JOURNEY
from features.words import Speaker

SPEAKER = Speaker(JOURNEY)
KINDS = set(Kind.__members__)

SAID = {
    ("purchases_28d", 3.0): "3 purchases in the last 28 days",
    ("purchases_28d", 1.0): "1 purchase in the last 28 days",
    ("purchases_28d", 0.0): "no purchase in the last 28 days",
    ("item_views_1d", 2.0): "2 product views in the last day",
    ("searches_7d", 2.0): "2 searches in the last 7 days",
    ("days_since_purchase", 34.2): "no purchase for 34 days",
    ("days_since_purchase", 0.2): "a purchase within the last day",
    ("days_since_purchase", math.nan): "no purchase yet",
    ("days_since_first", 120.0): "the first touchpoint 120 days ago",
    ("days_since_third_purchase", 10.4): "the third latest purchase 10 days ago",
    ("days_since_third_purchase", math.nan): "no third purchase yet",
    ("items_fading_56d", 226.6): "227 recent products bought, halved every 56 days",
    ("spend_90d", 120.5): "purchases of 120.50 in the last 90 days",
    ("spend_ever", 0.0): "no money from purchases so far",
    ("coupon_share", 0.5): "0.5 coupons used for each purchase",
    ("refund_share", 0.25): "refunds make up 25% of the money of purchases",
    ("share_app", 0.25): "25% of the visits on app",
    ("stage", 3.0): "in the retention stage",
    ("first_channel", 11.0): "first channel: paid search",
    ("lapsing", 1.0): "lapsing",
    ("lapsing", 0.0): "not lapsing",
    ("purchases_fading_14d", 1.8): "1.8 recent purchases, halved every 14 days",
    ("basket_value_mean", 20.0): "mean amount of a purchase: 20",
    ("days_since_survey", math.nan): "no NPS answer or satisfaction answer or effort answer yet",
}


@pytest.mark.parametrize(("name", "value"), SAID)
def test_what_is_said(name: str, value: float) -> None:
    assert SPEAKER.say(name, {name: value}) == SAID[name, value]


def test_silence_is_said_in_days() -> None:
    row = {"days_since_purchase": 34.0, "silence_ratio": 34 / 9, "silence_of_longest": 2.0}
    assert SPEAKER.say("silence_ratio", row) == "no purchase for 34 days, usually every 9"
    assert SPEAKER.say("silence_of_longest", row) == "no purchase for 34 days, at the longest 17"
    assert SPEAKER.say("silence_ratio", {**row, "silence_ratio": math.nan}) == "no rhythm of purchases yet"
    row = {"days_since_purchase": 3e-5, "silence_ratio": 3e-5 / 9}
    assert SPEAKER.say("silence_ratio", row) == "a purchase within the last day, usually every 9"
    row = {"days_since_purchase": 3.0, "silence_ratio": 10.0}
    assert SPEAKER.say("silence_ratio", row) == "no purchase for 3 days, usually every 1"


def test_a_stage_of_any_name_is_said() -> None:
    class Small(FeatureSet):
        """Where a customer stands"""

        latest_stage = reading(stages(TOUCHPOINTS), "current")
        spend_at_stage = total(PURCHASE.amount)

    speaker = Speaker(Fold(Small))
    assert speaker.say("latest_stage", {"latest_stage": 3.0}) == "in the retention stage"
    assert speaker.say("spend_at_stage", {"spend_at_stage": 3.0}) == "purchases of 3.00 so far"


@pytest.mark.parametrize("value", [math.nan, 0.0, 0.4, 1.0, 3.0])
def test_every_feature_speaks(value: float) -> None:
    row = dict.fromkeys(JOURNEY.names, value)
    for name in JOURNEY.names:
        words = SPEAKER.say(name, row)
        assert words
        assert "nan" not in words.split()
        assert not KINDS.intersection(words.split()), words


def test_a_new_line_speaks_by_itself() -> None:
    class Small(FeatureSet):
        """Just a few: of searches"""

        searches_14d = count(SEARCH, within=days(14))
        searches_fading = fading(SEARCH, half_life=days(2))
        days_since_search = since(SEARCH) / DAY
        spend = total(PURCHASE.amount)

    speaker = Speaker(Fold(Small))
    row = {"searches_14d": 4.0, "searches_fading": 0.5, "days_since_search": 2.0, "spend": 9.0}
    assert [speaker.say(name, row) for name in row] == [
        "4 searches in the last 14 days",
        "0.5 recent searches, halved every 2 days",
        "no search for 2 days",
        "purchases of 9.00 so far",
    ]
    assert speaker.family("spend") == "Just a few"
