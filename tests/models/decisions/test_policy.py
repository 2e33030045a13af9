"""One customer, one decision: what is chosen, why not the others, and what enters the log."""

import json
import math
from typing import Any

import numpy as np
import pytest

from features.events import EVENT, Channel, Kind, Stage, days, hours
from features.grammar import Column, Expr, UnknownColumn, maximum
from features.journey import JOURNEY, Journey
from models.decisions.actions import ACTIONS, DO_NOTHING, Action
from models.decisions.policy import Considered, Policy, Reason, decision_event, propensities, reward_event, uniform
from tests.models.customers import NOW, as_row, customer

REACHABLE = {"unsubscribed": 0.0, "contacts_7d": 0.0, "messages_7d": 0.0}
LEFT_CART = customer(
    Stage.PURCHASE, **REACHABLE, conversion_7d=0.3, cart_items=2, cart_age_hours=5, cart_value=80, support_open=0
)


def judged(row: dict[str, float], name: str, recent: dict[str, int] | None = None, **options: Any) -> Considered:
    """One action as it was weighed for a customer."""
    decision = Policy().decide(row, recent or {}, NOW, "seed", **options)
    return next(each for each in decision.considered if each.action == name)


def failed(considered: Considered) -> list[str]:
    """The sentences that say why an action is not possible."""
    return [reason.text for reason in considered.reasons if not reason.passed]


def test_a_cart_left_for_hours_gets_a_reminder_or_nothing() -> None:
    decision = Policy().decide(LEFT_CART, {}, NOW, "request-1")
    assert set(decision.propensities) == {"cart_reminder", "do_nothing"}
    gain = 0.35 * 0.35 * 0.3 * 0.7 * 80 - 0.02
    chance = 0.01 + 0.98 / (1 + math.exp(-gain / 0.25))
    assert decision.propensities["cart_reminder"] == pytest.approx(chance, rel=1e-12)
    assert (decision.decision_id, decision.stage, decision.needs_content) == ("request-1", Stage.PURCHASE, "")


@pytest.mark.parametrize(
    ("known", "reason"),
    [
        ({"contacts_7d": 3.0}, "contacts_7d < 3: no (contacts_7d is 3)"),
        ({"unsubscribed": 1.0}, "not unsubscribed: no (unsubscribed is 1)"),
        ({"cart_age_hours": 0.5}, "cart_age_hours >= 4: no (cart_age_hours is 0.5)"),
        ({"cart_age_hours": math.nan}, "cart_age_hours >= 4: no (cart_age_hours is unknown)"),
        ({"stage": 3.0}, "stage is purchase: no (stage is retention)"),
        ({"conversion_7d": math.nan}, "its value is known: no (basket_value_mean is unknown, cart_value is 80, "
         "conversion_7d is unknown)"),
    ],
)  # fmt: skip
def test_why_a_reminder_is_not_possible(known: dict[str, float], reason: str) -> None:
    considered = judged({**LEFT_CART, **known}, "cart_reminder")
    assert not considered.eligible
    assert failed(considered) == [reason]


def test_the_frequency_cap_says_how_long_is_left() -> None:
    reminded = judged(LEFT_CART, "cart_reminder", {"cart_reminder": NOW - days(1)})
    assert failed(reminded) == ["at most once in 3 days: no (hours_since is 24, hours_left is 48)"]
    assert judged(LEFT_CART, "cart_reminder", {"cart_reminder": NOW - days(3)}).eligible
    assert not judged(LEFT_CART, "cart_reminder", {"cart_reminder": NOW - days(3) + 1}).eligible
    assert judged(LEFT_CART, "cart_reminder", {"win_back": NOW}).eligible


def test_the_caller_says_which_channels_it_can_use() -> None:
    here = judged(LEFT_CART, "cart_reminder", channels=[Channel.ONSITE, Channel.CHAT])
    assert failed(here) == ["its channel can be used now: no (channel is email)"]
    assert judged(LEFT_CART, "cart_reminder", channels=[Channel.EMAIL]).eligible
    assert judged(LEFT_CART, "do_nothing", channels=[]).eligible


def test_a_stranger_without_models_is_left_in_peace() -> None:
    row = {name: value for name, value in customer(Stage.AWARENESS).items() if name in Journey.features}
    decision = Policy().decide(row, {}, NOW, "seed")
    assert (decision.action, decision.probability, decision.mode) == ("do_nothing", 1.0, "exploit")


def test_the_mode_says_whether_the_best_was_chosen() -> None:
    policy = Policy()
    made = [policy.decide(LEFT_CART, {}, NOW, str(number)) for number in range(300)]
    assert {(each.action, each.mode) for each in made} == {("cart_reminder", "exploit"), ("do_nothing", "explore")}


def test_propensities_of_known_scores() -> None:
    assert propensities([1.0, 1.0], 0.1, 0.02) == [0.5, 0.5]
    assert propensities([7.0], 0.1, 0.02) == [1.0]
    assert propensities([0.0, -1e9, 1e9], 0.1, 0.02) == pytest.approx([0.02, 0.02, 0.96])


def test_the_draw_is_spread_evenly_and_never_changes() -> None:
    assert uniform("a") == uniform("a") != uniform("b")
    assert uniform("decision-1") == 0.25244451706508153
    draws = np.array([uniform(str(number)) for number in range(10_000)])
    assert ((draws >= 0) & (draws < 1)).all()
    counts = np.histogram(draws, bins=20, range=(0, 1))[0]
    assert ((counts - 500) ** 2 / 500).sum() < 19 + 4 * math.sqrt(2 * 19)


def test_a_decision_is_plain_data() -> None:
    decision = Policy().decide(LEFT_CART, {"cart_reminder": NOW - hours(80)}, NOW, "seed")
    answer = json.loads(json.dumps(decision.to_json(), allow_nan=False))
    assert [each["action"] for each in answer["considered"]] == [action.name for action in ACTIONS]
    reminder = next(each for each in answer["considered"] if each["action"] == "cart_reminder")
    assert (reminder["eligible"], reminder["channel"]) == (True, "email")
    assert {"kind": "condition", "rule": "cart_items >= 1", "passed": True, "actual": {"cart_items": 2.0}} in reminder[
        "reasons"
    ]
    help_offered = next(each for each in answer["considered"] if each["action"] == "checkout_help")
    assert help_offered["reasons"][1]["actual"] == {"session_age_minutes": None}


def test_a_decision_enters_the_log_with_all_probabilities() -> None:
    decision = Policy().decide(LEFT_CART, {}, NOW, "request-1")
    event = decision_event(decision, "ann", NOW, model_version="7")
    assert (event.message_id, event.customer, event.kind) == ("request-1", "ann", Kind.DECISION)
    assert (event.category, event.channel, event.at, event.received) == (decision.action, decision.channel, NOW, NOW)
    assert event.item is None
    assert math.isnan(event.amount)
    assert event.properties == {
        "stage": "purchase",
        "mode": decision.mode,
        "probability": decision.probability,
        "propensities": decision.propensities,
        "model_version": "7",
    }


@pytest.mark.parametrize(("money", "amount"), [(True, 12.5), (False, math.nan)])
def test_a_reward_enters_the_log(money: bool, amount: float) -> None:
    event = reward_event("reward-1", "request-1", "win_back", "ann", 12.5, NOW, money=money)
    assert (event.message_id, event.kind, event.category) == ("reward-1", Kind.REWARD, "win_back")
    assert event.properties == {"decision_id": "request-1", "value": 12.5}
    assert event.amount == amount or math.isnan(amount) == math.isnan(event.amount)
    with pytest.raises(ValueError, match="the reward of decision request-1 is inf; expected a finite number"):
        reward_event("reward-1", "request-1", "win_back", "ann", math.inf, NOW)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"temperature": 0.0}, "temperature is 0.0; expected an amount of currency above 0"),
        ({"temperature": math.nan}, "temperature is nan"),
        ({"floor": 0.0}, "floor is 0.0; expected above 0"),
        ({"floor": 0.05}, "floor is 0.05; expected above 0 and below 1/20"),
        ({"actions": ACTIONS[:3]}, "no action is always eligible"),
        ({"actions": (DO_NOTHING, DO_NOTHING)}, "two actions named do_nothing"),
    ],
)
def test_parameters_out_of_range_are_refused(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Policy(**parameters)


def test_parameters_restore_a_policy() -> None:
    policy = Policy(temperature=0.5, floor=0.02)
    assert Policy(**dict[str, Any](policy.parameters)) == policy


def test_a_row_that_is_not_a_customer_is_refused() -> None:
    without = {name: value for name, value in LEFT_CART.items() if name != "cart_items"}
    with pytest.raises(UnknownColumn, match=r"no feature 'cart_items'; deciding needs .*cart_age_hours"):
        Policy().decide(without, {}, NOW, "seed")
    with pytest.raises(UnknownColumn, match="no feature 'stage'"):
        Policy().decide({}, {}, NOW, "seed")
    for stage in (math.nan, 5.0):
        with pytest.raises(ValueError, match=f"stage is {stage}; expected 0 to 4"):
            Policy().decide({**LEFT_CART, "stage": stage}, {}, NOW, "seed")


A, B = Column("a"), Column("b")


@pytest.mark.parametrize(
    "condition",
    [A < B, A == B, A != B, ~A, A & B, A | ~(B >= 1), ~(A < 1) & (B <= 2), A.known(), A, A - B, A / B, maximum(A, B)],
    ids=str,
)
def test_compiled_conditions_mean_what_the_grammar_means(condition: Expr) -> None:
    sometimes = Action(
        "sometimes", (Stage.RETENTION,), Channel.ONSITE, 0.0, A / B, (condition,), 0, "Now and then.", "None."
    )
    policy = Policy(actions=(sometimes, DO_NOTHING))
    for a in (math.nan, -1.0, 0.0, 1.0, 2.0):
        for b in (math.nan, -1.0, 0.0, 1.0, 2.0):
            row = {"a": a, "b": b, "stage": 3.0}
            considered = policy.decide(row, {}, NOW, "seed").considered[0]
            value = (A / B).evaluate(row)
            expected = condition.evaluate(row)
            held = bool(expected != 0) and not np.isnan(expected)
            rule = considered.reasons[1]
            assert (rule.passed, considered.eligible) == (held, held and not np.isnan(value)), (a, b)
            assert considered.score == value or np.isnan(value)


def test_a_reason_reads_as_a_sentence() -> None:
    reason = Reason("condition", "a < b", False, {"a": 1234.5678, "b": math.nan})
    assert reason.text == "a < b: no (a is 1234.57, b is unknown)"


def test_a_decision_on_the_state_of_a_real_customer() -> None:
    """Two carts of 40 left yesterday, read by the fold itself."""
    events = np.zeros(2, EVENT)
    events["at"] = events["received"] = NOW - days(1)
    events["kind"], events["channel"], events["item"] = Kind.CART_ADD, Channel.WEB, [1, 2]
    events["category"], events["quantity"], events["amount"], events["score"] = -1, 1, 40, math.nan
    states = JOURNEY.empty()
    JOURNEY.step(states, 0, events)
    row = as_row(JOURNEY.names, JOURNEY.read(states, 0, NOW))
    decision = Policy().decide({**row, "conversion_7d": 0.3}, {}, NOW, "seed")
    assert set(decision.propensities) == {"cart_reminder", "do_nothing"}


@pytest.mark.parametrize(
    "reachable",
    [{Stage.AWARENESS, Stage.CONSIDERATION, Stage.PURCHASE}, {Stage.PURCHASE, Stage.RETENTION, Stage.ADVOCACY}],
    ids=["before the first order", "after it"],
)
def test_the_fold_remembers_when_each_action_a_customer_can_get_was_last_chosen(reachable: set[Stage]) -> None:
    possible = [action for action in ACTIONS if reachable & set(action.stages)]
    assert len(possible) <= Journey.memories["recent_actions"].parameters()["size"]
