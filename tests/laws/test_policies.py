"""Laws of deciding, over every action of the catalogue and any customer."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.events import Channel, Stage
from models.decisions.actions import ACTIONS, DO_NOTHING, Action
from models.decisions.actions.action import CONTACTABLE, OFFERABLE
from models.decisions.policy import Decision, Policy
from tests.examples import examples
from tests.models.customers import NOW, customer, customers, recent_actions

POLICIES = (Policy(), Policy(temperature=0.01, floor=0.001), Policy(temperature=50.0, floor=0.04))
policies = st.sampled_from(POLICIES)
quickly = settings(max_examples=examples(50), deadline=None)
BY_NAME = {action.name: action for action in ACTIONS}


def holds(action: Action, row: dict[str, float]) -> bool:
    """Whether all conditions hold, by the grammar's own evaluation."""
    return all(bool(condition.evaluate(row)) for condition in action.conditions)


@quickly
@given(policies, customers(), recent_actions(), st.text())
def test_propensities_sum_to_one_and_keep_the_floor(
    policy: Policy, row: dict[str, float], recent: dict[str, int], seed: str
) -> None:
    decision = policy.decide(row, recent, NOW, seed)
    assert math.isclose(sum(each.probability for each in decision.considered), 1.0, rel_tol=1e-12)
    for each in decision.considered:
        assert each.probability >= policy.floor if each.eligible else each.probability == 0.0
    assert decision.propensities == {each.action: each.probability for each in decision.considered if each.eligible}
    assert decision.probability == decision.propensities[decision.action]


@quickly
@given(customers(), recent_actions())
def test_an_action_is_eligible_when_every_reason_passes_and_only_then(
    row: dict[str, float], recent: dict[str, int]
) -> None:
    for action, each in zip(ACTIONS, Policy().decide(row, recent, NOW, "").considered, strict=True):
        value = float(action.value.evaluate(row))
        rested = action.name not in recent or NOW - recent[action.name] >= action.every
        expected = row["stage"] in action.stages and holds(action, row) and rested and not math.isnan(value)
        assert each.eligible == expected == all(reason.passed for reason in each.reasons)
        assert each.score == value - action.cost or (math.isnan(each.score) and math.isnan(value))


@quickly
@given(customers())
def test_every_condition_is_a_reason_with_the_values_it_looked_at(row: dict[str, float]) -> None:
    for action, each in zip(ACTIONS, Policy().decide(row, {}, NOW, "").considered, strict=True):
        reasons = [reason for reason in each.reasons if reason.kind == "condition"]
        assert [reason.rule for reason in reasons] == [str(condition) for condition in action.conditions]
        for reason, condition in zip(reasons, action.conditions, strict=True):
            assert reason.passed == bool(condition.evaluate(row))
            assert reason.actual.keys() == condition.columns()
            assert all(reason.actual[name] is row[name] for name in reason.actual)


@quickly
@given(policies, customers(), recent_actions(), st.text())
def test_the_same_seed_gives_the_same_decision(
    policy: Policy, row: dict[str, float], recent: dict[str, int], seed: str
) -> None:
    backwards = dict(reversed(row.items()))
    again = Policy(policy.temperature, policy.floor).decide(backwards, dict(reversed(recent.items())), NOW, seed)
    assert again.to_json() == policy.decide(row, recent, NOW, seed).to_json()


@quickly
@given(policies, customers(), recent_actions())
def test_a_higher_score_is_never_less_likely(policy: Policy, row: dict[str, float], recent: dict[str, int]) -> None:
    eligible = [each for each in policy.decide(row, recent, NOW, "").considered if each.eligible]
    ranked = sorted(eligible, key=lambda each: (each.score, each.probability))
    assert [each.probability for each in ranked] == sorted(each.probability for each in ranked)


@quickly
@given(customers(), recent_actions(), st.sets(st.sampled_from(Channel)))
def test_only_channels_at_hand_are_used(row: dict[str, float], recent: dict[str, int], channels: set[Channel]) -> None:
    everywhere = Policy().decide(row, recent, NOW, "")
    here = Policy().decide(row, recent, NOW, "", channels)
    for before, after in zip(everywhere.considered, here.considered, strict=True):
        assert after.eligible == (before.eligible and (not after.channel or after.channel in channels))


@quickly
@given(customers(), recent_actions())
def test_doing_nothing_is_always_possible(row: dict[str, float], recent: dict[str, int]) -> None:
    assert DO_NOTHING.name in Policy().decide(row, recent, NOW, "").propensities


@quickly
@given(customers())
def test_nobody_is_contacted_against_the_contact_policy(row: dict[str, float]) -> None:
    contactable = all(bool(condition.evaluate(row)) for condition in CONTACTABLE)
    for name in Policy().decide(row, {}, NOW, "").propensities:
        assert contactable or not BY_NAME[name].outbound or BY_NAME[name].contact_exemption


@quickly
@given(customers())
def test_no_discount_for_those_who_will_buy_anyway(row: dict[str, float]) -> None:
    offers = {action.name for action in ACTIONS if set(map(id, OFFERABLE)) <= set(map(id, action.conditions))}
    assert offers == {"exit_intent_offer", "free_shipping", "win_back"}
    if not row["conversion_7d"] < 0.6:
        assert not offers & Policy().decide(row, {}, NOW, "").propensities.keys()


SHOPPER = customer(
    Stage.RETENTION, conversion_7d=0.4, churn_28d=0.3, unsubscribed=0, contacts_7d=0, messages_7d=0, purchases_ever=6,
    purchases_90d=3, spend_net_90d=150, basket_value_mean=45, silence_ratio=1.1, days_since_purchase=12, support_open=0,
    session_age_minutes=3, coupons_28d=0, nps_latest=9, lapsing=0,
)  # fmt: skip


def decisions(policy: Policy, number: int, label: str) -> list[Decision]:
    """Decisions on the same customer under different seeds."""
    return [policy.decide(SHOPPER, {}, NOW, f"{label}-{each}") for each in range(number)]


@pytest.mark.parametrize("policy", POLICIES)
def test_sampled_frequencies_match_the_propensities(policy: Policy) -> None:
    number = 2_000
    made = decisions(policy, number, "frequency")
    chances = made[0].propensities
    assert len(chances) >= 6
    counts = {name: sum(each.action == name for each in made) for name in chances}
    distance = sum((counts[name] - number * chance) ** 2 / (number * chance) for name, chance in chances.items())
    freedom = len(chances) - 1
    assert distance < freedom + 4 * math.sqrt(2 * freedom), "chi-square far beyond its expectation"


@pytest.mark.parametrize("judged", POLICIES[1:])
def test_the_off_policy_estimate_covers_the_truth(judged: Policy) -> None:
    """Inverse propensity scoring (Horvitz and Thompson 1952), where each action is worth the length of its name."""
    number = 2_000
    target = judged.decide(SHOPPER, {}, NOW, "").propensities
    truth = sum(chance * len(name) for name, chance in target.items())
    logged = decisions(Policy(temperature=0.5, floor=0.04), number, "logged")
    terms = [len(each.action) * target[each.action] / each.probability for each in logged]
    mean = sum(terms) / number
    error = math.sqrt(sum((term - mean) ** 2 for term in terms)) / number
    assert abs(mean - truth) < 4 * error
