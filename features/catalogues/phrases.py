"""Phrases for single features, where the expression behind a feature does not give words that are good enough.

Each phrase is a sentence for people: no ratios, logarithms or half-lives, a singular after 1 and a plural after all
other numbers. `PHRASES` maps a feature's name to the phrase for its value and for an unknown value (NaN).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from features.catalogues.plurals import digits, money, often, often_times, percent, quantity, time_words

_FEW_VISITS = "too few visits to tell how often they come"
_FEW = "too few purchases to tell how often they come"
_AWAY = "is not on a visit at the moment"
_VISITS = "no visit yet"
_ORDERS = "no purchase yet"


@dataclass(frozen=True, slots=True)
class Phrase:
    """A feature in words: `say` gives them for a known value, `unknown` holds them for an unknown one."""

    say: Callable[[float], str]
    unknown: str

    def of(self, value: float) -> str:
        """The words for a value."""
        return self.unknown if math.isnan(value) else self.say(value)


def _condition(holds: str, fails: str) -> Phrase:
    return Phrase(lambda value: holds if value else fails, fails)


def _pace(earlier: str, steady: float) -> Phrase:
    """How often a customer buys now compared with earlier; `steady` is the value when nothing changes."""

    def say(value: float) -> str:
        times = value / steady
        if times < 0.1:
            return f"hardly buys any more, unlike {earlier}"
        if 0.85 <= times <= 1.15:
            return f"buys about as often as {earlier}"
        much = f"{digits(times)} times" if times > 1 else percent(times)
        return f"buys {much} as often as {earlier}"

    return Phrase(say, "no purchase lately")


def _regular(when: str) -> Phrase:
    """How regular visits are, from 0 (at any time) to 1 (always at the same)."""
    steps = ((0.8, f"always comes {when.format('the same')}"), (0.5, f"mostly comes {when.format('the same')}"))

    def say(value: float) -> str:
        return next((words for least, words in steps if value >= least), f"comes {when.format('any')}")

    return Phrase(say, "no visit yet")


def _varies(value: float) -> str:
    """How much the pauses between purchases differ, by the deviation of their logarithms."""
    steps = ((0.3, "buys at very regular times"), (0.7, "buys at fairly regular times"))
    return next((words for most, words in steps if value < most), "buys at irregular times")


def _share(what: str, unknown: str) -> Phrase:
    return Phrase(lambda value: f"{percent(value)} of the {what}", unknown)


def _per(noun: str, of: str, unknown: str, when: str = "so far") -> Phrase:
    """A number of one thing for each of another; `when` is the period in which both are counted."""
    return Phrase(lambda value: f"{quantity(value, noun)} for each {of}" if value else f"no {noun} {when}", unknown)


def _returns(what: str) -> Phrase:
    def say(value: float) -> str:
        if not value:
            return f"did not come back to {what} in this visit"
        return f"came back to {what} {often_times(value)} in this visit"

    return Phrase(say, _AWAY)


def _spent(when: str) -> Phrase:
    return Phrase(lambda value: f"has spent {money(value)} {when}", "nothing spent so far")


def _given_back(by: str) -> Phrase:
    return Phrase(lambda value: f"{by} gave back {percent(value)} of the money spent", "no money spent yet")


def _answer(most: int, to: str, unknown: str) -> Phrase:
    return Phrase(lambda value: f"{digits(value)} out of {most} for {to}", unknown)


PHRASES: dict[str, Phrase] = {
    # position, recency, frequency
    "days_in_stage": Phrase(lambda days: f"in this stage for {time_words(days, 'day')}", "in no stage yet"),
    "days_since_first": Phrase(lambda days: f"first seen {time_words(days, 'day')} ago", "not seen yet"),
    "purchases_trend": _pace("in the last months", 14 / 56),
    "purchases_trend_slow": _pace("in the last half year", 28 / 112),
    "purchases_per_day": Phrase(lambda rate: f"since first seen, {often(rate, 'purchase')}", "not seen yet"),
    # money
    "spend_gross_ever": _spent("so far, before refunds"),
    "spend_gross_28d": _spent("in the last 28 days, before refunds"),
    "spend_net_ever": _spent("so far, after refunds"),
    "spend_net_90d": _spent("in the last 90 days, after refunds"),
    "basket_value_mean": Phrase(lambda value: f"{money(value)} for a purchase on average", _ORDERS),
    "basket_value_deviation": Phrase(
        lambda value: f"the worth of a purchase varies by about {money(value)}", "too few purchases to tell"
    ),
    "basket_value_latest": Phrase(lambda value: f"{money(value)} for the latest purchase", _ORDERS),
    "basket_value_recent": Phrase(lambda value: f"about {money(value)} for a recent purchase", _ORDERS),
    "items_per_order": Phrase(lambda value: f"{quantity(value, 'product')} in a purchase on average", _ORDERS),
    "distinct_items": Phrase(lambda value: f"{quantity(value, 'different product')} bought so far", _ORDERS),
    # tempo
    "purchase_gap_mean": Phrase(lambda days: f"usually {time_words(days, 'day')} between two purchases", _FEW),
    "purchase_gap_deviation": Phrase(
        lambda days: f"the time between two purchases varies by {time_words(days, 'day')}", _FEW
    ),
    "purchase_gap_longest": Phrase(
        lambda days: f"never more than {time_words(max(days, 1.0), 'day')} between two purchases so far", _FEW
    ),
    "purchase_gap_recent": Phrase(lambda days: f"lately {time_words(days, 'day')} between two purchases", _FEW),
    "purchase_gap_log_mean": Phrase(
        lambda value: f"mostly {time_words(math.expm1(min(value, 12.0)), 'day')} between two purchases", _FEW
    ),
    "purchase_gap_log_deviation": Phrase(_varies, _FEW),
    "visit_gap_mean": Phrase(lambda days: f"usually {time_words(days, 'day')} between two visits", _FEW_VISITS),
    "lapsing": _condition("away for longer than usual", "not away for longer than usual"),
    # visits
    "sessions_ever": Phrase(lambda value: f"{quantity(value, 'visit')} so far", _VISITS),
    "session_depth": Phrase(lambda value: f"{quantity(value, 'step')} in the latest visit", _VISITS),
    "session_depth_mean": Phrase(lambda value: f"{quantity(value, 'step')} in a visit on average", _VISITS),
    "session_minutes_mean": Phrase(lambda value: f"{time_words(value, 'minute')} for a visit on average", _VISITS),
    "session_age_minutes": Phrase(lambda value: f"this visit began {time_words(value, 'minute')} ago", _AWAY),
    "bounce_rate": _share("visits end after one step", _VISITS),
    "session_cart_adds": Phrase(lambda value: f"{quantity(value, 'product')} put in the cart in this visit", _AWAY),
    "session_orders": Phrase(lambda value: f"{quantity(value, 'purchase')} in this visit", _AWAY),
    "session_item_returns": _returns("a product"),
    "session_category_returns": _returns("a kind of product"),
    "previous_session_ordered": Phrase(
        lambda value: "bought on the visit before this one" if value else "did not buy on the visit before this one",
        _AWAY,
    ),
    "signed_up": _condition("has an account", "has no account that we know of"),
    # browsing, cart, discounts
    "views_per_purchase": _per("product view", "purchase", _ORDERS),
    "wishlist_size": Phrase(lambda value: f"{quantity(value, 'product')} on the wish list", "no wish list"),
    "cart_items": Phrase(lambda value: f"{quantity(value, 'product')} in the cart", "nothing in the cart"),
    "cart_value": Phrase(lambda value: f"the cart is worth {money(value)}", "nothing in the cart"),
    "cart_age_hours": Phrase(lambda value: f"the cart was left {time_words(value, 'hour')} ago", "nothing in the cart"),
    "cart_rate": _per("product put in the cart", "product view this week", "no product view this week", "this week"),
    "checkout_open_hours": Phrase(
        lambda value: f"the last checkout began {time_words(value, 'hour')} ago", "no checkout yet"
    ),
    "checkout_open": _condition("left a checkout without buying", "no checkout left without buying"),
    "orders_per_checkout": _per("purchase", "checkout", "no checkout yet"),
    "coupon_share": _per("coupon used", "purchase", _ORDERS),
    "discount_share": _given_back("coupons"),
    "refund_share": _given_back("refunds"),
    # contacts
    "message_open_rate": Phrase(lambda value: f"opens {percent(value)} of our messages", "no message yet"),
    "message_click_rate": Phrase(lambda value: f"clicks in {percent(value)} of our messages", "no message yet"),
    "unsubscribed": _condition("does not want our messages", "has not asked us to stop our messages"),
    "profiling_withdrawn": _condition("does not want to be judged by us", "has not asked us to stop judging"),
    "rewards_ever": Phrase(lambda value: f"answered {quantity(value, 'contact')} of ours so far", "no contact yet"),
    # voice
    "nps_latest": _answer(10, "recommending us", "has not said whether to recommend us"),
    "csat_latest": _answer(5, "being content", "has not said how content"),
    "effort_latest": _answer(7, "how easy buying is", "has not said how easy buying is"),
    "days_since_survey": Phrase(
        lambda days: f"the last survey was answered {time_words(days, 'day')} ago", "no survey answered yet"
    ),
    "days_since_advocacy": Phrase(
        lambda days: f"last spoke about us to others {time_words(days, 'day')} ago",
        "has not spoken about us yet",
    ),
    "support_open": Phrase(lambda value: f"{quantity(value, 'open support case')}", "no open support case"),
    "review_score_mean": Phrase(lambda value: f"{quantity(value, 'star')} in a review on average", "no review yet"),
    # habits
    "share_app": _share("visits in the app", _VISITS),
    "share_store": _share("visits in a store", _VISITS),
    "weekend_share": _share("visits at the weekend", _VISITS),
    "evening_share": _share("visits in the evening", _VISITS),
    "weekday_share": _share("visits on this day of the week", _VISITS),
    "hour_regularity": _regular("at {} time of the day"),
    "weekday_regularity": _regular("on {} day of the week"),
}
"""The phrases by feature."""
