"""The catalogue of actions: whom each is for, and what a definition must not say."""

import dataclasses
import math
from pathlib import Path
from typing import Any

import pytest

from features.events import Channel, Stage, days
from features.grammar import Constant
from features.journey import Journey
from models.decisions.actions import ACTIONS, DO_NOTHING, Action
from models.decisions.actions.__main__ import markdown
from models.decisions.actions.action import BASKET, CART, CONTACTABLE, TYPICAL_ORDER, shifted
from models.decisions.policy import Policy
from tests.models.customers import NOW, customer
from training.targets import TARGETS

REACHABLE = {"unsubscribed": 0.0, "contacts_7d": 0.0, "messages_7d": 0.0}
VISIT = {"session_age_minutes": 5.0}
HESITATING = {"conversion_7d": 0.3, "churn_28d": 0.4, "coupons_28d": 0.0, "support_open": 0.0}

WHOM: dict[str, tuple[Stage, dict[str, float]]] = {
    "social_proof": (Stage.AWARENESS, {**VISIT, "item_views_1d": 1}),
    "newsletter_invitation": (Stage.AWARENESS, {**VISIT, "unsubscribed": 0, "messages_28d": 0, "sessions_ever": 2}),
    "welcome_guide": (Stage.AWARENESS, {**REACHABLE, "signed_up": 1, "days_since_first": 1}),
    "recommendations": (Stage.AWARENESS, {**VISIT, "cart_items": 0}),
    "comparison_help": (Stage.CONSIDERATION, {**VISIT, "item_views_1d": 3, "cart_items": 0}),
    "wishlist_reminder": (Stage.CONSIDERATION, {**REACHABLE, "wishlist_size": 1, "days_since_last": 2}),
    "exit_intent_offer": (Stage.CONSIDERATION, {**VISIT, "item_views_1d": 3, "cart_items": 0}),
    "cart_reminder": (Stage.PURCHASE, {**REACHABLE, "cart_items": 1, "cart_age_hours": 4, "cart_value": 30}),
    "free_shipping": (Stage.PURCHASE, {**VISIT, "cart_value": 60}),
    "checkout_help": (Stage.PURCHASE, {**VISIT, "checkout_open": 1, "checkout_open_hours": 0.2, "cart_value": 60}),
    "payment_retry_help": (Stage.PURCHASE, {"payment_failures_28d": 1, "checkout_open": 1, "checkout_open_hours": 1}),
    "replenishment": (
        Stage.RETENTION,
        {**REACHABLE, "purchases_ever": 3, "silence_ratio": 1.0, "basket_value_mean": 30},
    ),
    "cross_sell": (Stage.RETENTION, {**VISIT, "purchases_ever": 1, "basket_value_mean": 30}),
    "loyalty_points": (Stage.RETENTION, {**REACHABLE, "purchases_90d": 2, "spend_net_90d": 100}),
    "win_back": (
        Stage.RETENTION,
        {**REACHABLE, "lapsing": 1, "days_since_purchase": 28, "basket_value_mean": 30},
    ),
    "proactive_support": (Stage.RETENTION, {"support_open": 1, "basket_value_mean": 30}),
    "survey_request": (Stage.RETENTION, {**REACHABLE, "days_since_purchase": 2}),
    "review_request": (Stage.RETENTION, {**REACHABLE, "days_since_purchase": 7}),
    "referral_invitation": (Stage.ADVOCACY, {**REACHABLE, "purchases_ever": 2, "nps_latest": 9}),
    "do_nothing": (Stage.AWARENESS, {}),
}
"""For each action a customer it is for, of whom no more is known than the action asks."""

SPOILT: dict[str, dict[str, float]] = {
    "social_proof": {"item_views_1d": 0},
    "newsletter_invitation": {"messages_28d": 1},
    "welcome_guide": {"signed_up": 0},
    "recommendations": {"cart_items": 1},
    "comparison_help": {"item_views_1d": 2},
    "wishlist_reminder": {"wishlist_size": 0},
    "exit_intent_offer": {"conversion_7d": 0.7},
    "cart_reminder": {"cart_age_hours": 1},
    "free_shipping": {"cart_value": 49},
    "checkout_help": {"checkout_open_hours": 2},
    "payment_retry_help": {"checkout_open": 0},
    "replenishment": {"silence_ratio": 0.5},
    "cross_sell": {"session_age_minutes": math.nan},
    "loyalty_points": {"churn_28d": math.nan},
    "win_back": {"coupons_28d": 2},
    "proactive_support": {"support_open": 0},
    "survey_request": {"days_since_survey": 89},
    "review_request": {"nps_latest": 6},
    "referral_invitation": {"nps_latest": 8},
}
"""What keeps that same customer from it."""


def eligible(stage: Stage, known: dict[str, float]) -> dict[str, float]:
    """Scores of the actions possible for a customer."""
    decision = Policy().decide(customer(stage, **{**HESITATING, **known}), {}, NOW, "seed")
    return {each.action: each.score for each in decision.considered if each.eligible}


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.name)
def test_there_is_a_customer_each_action_is_for_and_worth_its_cost(action: Action) -> None:
    scores = eligible(*WHOM[action.name])
    assert scores[action.name] > 0 or action is DO_NOTHING


@pytest.mark.parametrize("name", [action.name for action in ACTIONS if action is not DO_NOTHING])
def test_what_keeps_a_customer_from_an_action(name: str) -> None:
    stage, known = WHOM[name]
    assert name not in eligible(stage, {**known, **SPOILT[name]})


def test_every_stage_has_a_choice() -> None:
    names = [action.name for action in ACTIONS]
    assert len(names) == len(set(names))
    assert len(names) >= 16
    for stage in Stage:
        assert sum(stage in action.stages for action in ACTIONS) >= 4


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.name)
def test_an_action_looks_at_what_exists_and_says_what_it_assumes(action: Action) -> None:
    assert action.columns() <= {*Journey.features, *TARGETS}
    for text in (action.doc, action.assumption):
        assert text[0].isupper() or text[0].isdigit()
        assert text.endswith(".")


def test_an_effect_is_largest_where_the_customer_hesitates() -> None:
    effect = shifted(Constant(0.5), 0.2)
    assert float(effect.evaluate({})) == 0.2 * 0.5 * 0.5
    assert float(shifted(Constant(0.0), 0.2).evaluate({})) == float(shifted(Constant(1.0), 0.2).evaluate({})) == 0.0


@pytest.mark.parametrize(
    ("basket", "cart", "order", "worth"),
    [
        (math.nan, math.nan, TYPICAL_ORDER, TYPICAL_ORDER),
        (30.0, 0.0, 30.0, 30.0),
        (30.0, 70.0, 30.0, 70.0),
        (0.0, 0.0, TYPICAL_ORDER, TYPICAL_ORDER),
    ],
)
def test_an_order_without_prices_is_worth_a_typical_one(basket: float, cart: float, order: float, worth: float) -> None:
    row = {"basket_value_mean": basket, "cart_value": cart}
    assert (float(BASKET.evaluate(row)), float(CART.evaluate(row))) == (order, worth)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"name": "win back"}, "'win back' is no identifier"),
        ({"stages": ()}, "win_back serves no stage"),
        ({"cost": -1.0}, "cost -1.0; expected a finite number from 0"),
        ({"cost": math.nan}, "cost nan"),
        ({"every": -days(1)}, "expected a duration such as days"),
        ({"needs_content": "poem"}, "'poem'; expected one of"),
        ({"conditions": ()}, "on EMAIL without the contact policy; add \\*CONTACTABLE"),
        ({"conditions": CONTACTABLE[:2]}, "without the contact policy"),
    ],
)
def test_a_definition_that_cannot_be_meant_is_refused(change: dict[str, Any], message: str) -> None:
    win_back = next(action for action in ACTIONS if action.name == "win_back")
    with pytest.raises(ValueError, match=message):
        dataclasses.replace(win_back, **change)


def test_an_exempt_action_says_why() -> None:
    exempt = {action.name for action in ACTIONS if action.contact_exemption}
    assert exempt == {"payment_retry_help", "proactive_support"}
    assert all(action.outbound for action in ACTIONS if action.contact_exemption)
    assert not DO_NOTHING.outbound
    assert DO_NOTHING.channel is Channel.UNKNOWN


def test_the_page_is_up_to_date() -> None:
    page = Path(__file__).parents[3] / "docs" / "actions.md"
    assert page.read_text(encoding="utf-8") == markdown(), "run: python -m models.decisions.actions > docs/actions.md"
