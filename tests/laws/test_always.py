"""A shop always has answers: no imports and trainings, on any data, end without a champion for everything."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings

from features.events import DAY
from tests.always import expected, faults, trainings, unrecorded, worse_than_itself
from tests.odd_shops import Plan, plans
from training.fitting import candidates

ONE = Plan(1, 200, 30.0, "baskets")
INSTANT = Plan(30, 0, 9.0, "everything")
REFUNDS = Plan(30, 200, 20.0, "refunds")
UNTIDY = Plan(60, 260, 20.0, "visits", prices=False, currencies=3, late=0.1)
STOPPED = Plan(40, 300, 12.0, "orders", jump=0.0, items=0)
"""A shop at which nobody orders any more in its second half: the newest answers are all the same."""


@pytest.fixture(autouse=True, scope="module")
def quick() -> Iterator[None]:
    """Few trees, and nothing recorded."""
    with pytest.MonkeyPatch.context() as patch, unrecorded():
        patch.setattr(candidates, "ROUNDS", 5)
        yield


@given(plans(30))
@example(Plan(0, 30, 9.0, "orders"))
@example(ONE)
@example(INSTANT)
@example(REFUNDS)
@example(UNTIDY)
@example(STOPPED)
@settings(
    max_examples=2, deadline=None, phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck)
)
def test_every_training_ends_with_a_champion_that_answers_everything(plan: Plan) -> None:
    with tempfile.TemporaryDirectory() as folder:
        number = 0
        for asked in trainings(plan, Path(folder), again=plan is ONE):
            number += 1
            assert faults(asked, Path(folder), plan.end + DAY) == [], f"{plan}, training {number}"
        assert number == 2 + (plan is ONE)


def gate(tier: str, value: float, condition: str = "calibration error") -> dict[str, Any]:
    """A gate that holds back what is above 0.1."""
    return {"tier": tier, "condition": condition, "value": value, "threshold": 0.1, "at_most": True, "holds": True}


def test_what_should_answer_is_the_highest_tier_that_passed_or_the_better_champion() -> None:
    tiers = ["base_rate", "prior", "stage_rate", "logistic", "lightgbm"]
    fell = [gate("lightgbm", 0.2), gate("stage_rate", 0.05)]
    assert expected(fell, tiers, "") == ["stage_rate"] and expected([], tiers, "") == []
    assert expected([*fell, gate("lightgbm", 0.0)], tiers, "") == ["stage_rate"]
    assert expected([gate("lightgbm", 0.1), gate("logistic", 0.0)], tiers, "") == ["lightgbm"]
    beside = gate("stage_rate", 0.2, "log loss over the champion, lower end of the interval")
    assert expected([*fell, beside], tiers, "logistic") == ["stage_rate", "logistic"]
    assert expected([gate("lightgbm", float("nan")), gate("prior", 0.0)], tiers, "") == ["prior"]
    floor = {**gate("base_rate", 0.2), "holds": False}
    assert expected([gate("prior", 0.2), floor], tiers, "") == ["prior"] and not worse_than_itself([floor])
    assert worse_than_itself([gate("base_rate", 0.2, "log loss over the base rate, lower end of the interval")])
