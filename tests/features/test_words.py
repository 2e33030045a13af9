"""Every feature speaks, whatever its value."""

from __future__ import annotations

import math
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.aggregates import count, fading, reading, since, stages, total
from features.catalogues.plurals import plural
from features.catalogues.words import Speaker
from features.events import DAY, PURCHASE, SEARCH, TOUCHPOINTS, Channel, Kind, Stage, days
from features.fold.feature_set import FeatureSet
from features.fold.fold import Fold
from features.journey import JOURNEY
from tests.examples import examples

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
    ("days_since_first", 120.0): "first seen 120 days ago",
    ("days_since_third_purchase", 10.4): "the third latest purchase 10 days ago",
    ("days_since_third_purchase", math.nan): "no third purchase yet",
    ("items_fading_56d", 226.6): "in the last weeks about 3 products bought a day",
    ("spend_net_90d", 120.5): "has spent 120.50 in the last 90 days, after refunds",
    ("spend_gross_ever", 0.0): "has spent nothing so far, before refunds",
    ("cart_rate", 0.0): "no product put in the cart this week",
    ("coupon_share", 0.5): "0.5 coupons used for each purchase",
    ("coupon_share", 1.0): "1 coupon used for each purchase",
    ("coupon_share", 0.01): "fewer than 0.1 coupons used for each purchase",
    ("purchase_days_84d", 51.0): "51 days with a purchase in the last 84 days",
    ("purchase_days_84d", 1.0): "1 day with a purchase in the last 84 days",
    ("purchases_fading_28d", 0.58): "in the last weeks about 1 purchase in 70 days",
    ("purchase_gap_log_mean", 2.3): "mostly 9 days between two purchases",
    ("purchase_gap_log_deviation", 0.5): "buys at fairly regular times",
    ("purchases_trend", 0.25): "buys about as often as in the last months",
    ("purchases_trend", 0.5): "buys 2 times as often as in the last months",
    ("purchases_trend", 0.1): "buys 40% as often as in the last months",
    ("session_item_returns", 1.0): "came back to a product once in this visit",
    ("nps_latest", 9.0): "9 out of 10 for recommending us",
    ("refund_share", 0.25): "refunds gave back 25% of the money spent",
    ("share_app", 0.25): "25% of the visits in the app",
    ("stage", 3.0): "in the retention stage",
    ("first_channel", 11.0): "first came by paid search",
    ("lapsing", 1.0): "away for longer than usual",
    ("lapsing", 0.0): "not away for longer than usual",
    ("purchases_fading_14d", 1.8): "lately about 1 purchase in 11 days",
    ("basket_value_mean", 20.0): "20.00 for a purchase on average",
    ("days_since_survey", math.nan): "no survey answered yet",
}


@pytest.mark.parametrize(("name", "value"), SAID)
def test_what_is_said(name: str, value: float) -> None:
    assert SPEAKER.say(name, {name: value}) == SAID[name, value]


def test_silence_is_said_in_days() -> None:
    row = {"days_since_purchase": 34.0, "silence_ratio": 34 / 9, "silence_of_longest": 2.0}
    assert SPEAKER.say("silence_ratio", row) == "no purchase for 34 days, usually every 9 days"
    assert SPEAKER.say("silence_of_longest", row) == "no purchase for 34 days, never more than 17 days before"
    assert (
        SPEAKER.say("silence_ratio", {**row, "silence_ratio": math.nan})
        == "too few purchases to tell how often they come"
    )
    row = {"days_since_purchase": 3e-5, "silence_ratio": 3e-5 / 9}
    assert SPEAKER.say("silence_ratio", row) == "a purchase within the last day, usually every 9 days"
    row = {"days_since_purchase": 3.0, "silence_ratio": 10.0}
    assert SPEAKER.say("silence_ratio", row) == "no purchase for 3 days, usually every day"
    row = {"days_since_purchase": 33.0, "silence_ratio_recent": 8.25}
    assert SPEAKER.say("silence_ratio_recent", row) == "no purchase for 33 days, every 4 days before that"


def test_a_stage_of_any_name_is_said() -> None:
    class Small(FeatureSet):
        """Where a customer stands"""

        latest_stage = reading(stages(TOUCHPOINTS), "current")
        spend_at_stage = total(PURCHASE.amount)

    speaker = Speaker(Fold(Small))
    assert speaker.say("latest_stage", {"latest_stage": 3.0}) == "in the retention stage"
    assert speaker.say("spend_at_stage", {"spend_at_stage": 3.0}) == "purchases of 3.00 so far"


WORDS = frozenset(Path(__file__).with_name("ordinary_words.txt").read_text().split())
"""The ordinary words in which features speak; a new one is put there by somebody who thought of a marketer."""

VALUES = st.one_of(
    st.just(math.nan),
    st.sampled_from([0.0, 0.04, 0.4, 0.96, 1.0, 1.04, 1.96, 2.0, 3.0, 20.0]),
    st.integers(0, 500).map(float),
    st.floats(0.0, 2e6, width=32),
)
CODES = {name: len(of) for of in (Stage, Channel) for name in JOURNEY.names if name.endswith(f"{of.__name__.lower()}")}
COUNTED = "day hour minute product purchase visit step star coupon message contact review error refund search"
PLURALS = {plural(noun): noun for noun in (*COUNTED.split(), "product view", "product list")}


def said(name: str, value: float) -> str:
    """What a feature of a value says, all other features being as large."""
    if name in CODES and not math.isnan(value):
        value = float(int(value) % CODES[name])
    return SPEAKER.say(name, dict.fromkeys(JOURNEY.names, value))


@given(VALUES)
@settings(max_examples=examples(150), deadline=None)
def test_every_feature_speaks_in_ordinary_words(value: float) -> None:
    for name in JOURNEY.names:
        words = said(name, value)
        assert set(re.findall(r"[A-Za-z]+", words)) <= WORDS, (name, words)
        assert re.fullmatch(r"[A-Za-z0-9 :,.%]+", words), (name, words)
        for number, noun in re.findall(r"(?<![\d.,])(\d[\d.,]*) ([a-z]+(?: views?| lists?)?)", words):
            assert noun not in PLURALS or number != "1", (name, words)
            assert noun not in PLURALS.values() or number == "1", (name, words)


@pytest.mark.parametrize("name", CODES)
def test_every_stage_and_channel_is_said(name: str) -> None:
    told = {said(name, float(code)) for code in range(CODES[name])}
    assert len(told) == CODES[name]
    assert all(set(re.findall(r"[A-Za-z]+", words)) <= WORDS for words in told)


@pytest.mark.parametrize("value", [0.0, 1.0, 3.0])
def test_kinds_are_not_said_by_their_names_in_code(value: float) -> None:
    assert not any(KINDS.intersection(said(name, value).split()) for name in JOURNEY.names)


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
        "lately about 1 search in 6 days",
        "no search for 2 days",
        "purchases of 9.00 so far",
    ]
    assert speaker.family("spend") == "Just a few"
