"""Outcomes: how they read, how far they look, and what makes none."""

from __future__ import annotations

import math

import numpy as np
import pytest

from features.events import DAY, PURCHASE, SURVEY_NPS, days, hours
from features.grammar import Column, maximum, minimum
from features.outcomes import HappensInVisit, NextStage, Outcome, Spends, SpendsNet, VisitEnds, happens

GAP = Column("gap")


def test_an_event_and_its_absence() -> None:
    outcome = happens(PURCHASE, within=days(7))
    assert str(outcome) == "PURCHASE within 7 days"
    assert str(~outcome) == "no PURCHASE within 7 days"
    assert (~~outcome) == outcome and (~outcome).expected is False
    assert outcome.horizon == days(7)


@pytest.mark.parametrize("within", [0, -days(1), GAP, 2 * GAP, maximum(GAP, 7), minimum(GAP, 0)])
def test_a_horizon_without_bound_is_refused(within: int) -> None:
    with pytest.raises(ValueError, match=r"days\(7\).*minimum\(\.\.\., 56\)"):
        happens(PURCHASE, within=within)


def test_each_customer_may_have_a_horizon_of_its_own() -> None:
    outcome = ~happens(PURCHASE, within=minimum(maximum(2 * GAP, 7), 56))
    assert outcome.horizon == days(56)
    assert str(outcome) == "no PURCHASE within minimum(maximum(2 * gap, 7), 56) days"
    gaps = np.array([1.0, 10.0, 99.0, math.nan])
    assert np.array_equal(outcome.lengths({"gap": gaps}, 4) / DAY, [7, 20, 56, math.nan], equal_nan=True)
    assert happens(PURCHASE, within=days(2)).lengths({}, 2).tolist() == [2.0 * DAY] * 2


def test_outcomes_say_what_they_are() -> None:
    assert str(happens(SURVEY_NPS, within=days(90), score_at_most=6)) == (
        "SURVEY_NPS with a score of at most 6 within 90 days"
    )
    said: dict[Outcome, tuple[str, str, int]] = {
        HappensInVisit(PURCHASE.selection): ("probability", "PURCHASE later in the visit", hours(12)),
        VisitEnds(1): ("probability", "at most 1 further act in the visit", hours(12)),
        VisitEnds(3): ("probability", "at most 3 further acts in the visit", hours(12)),
        SpendsNet(days(90)): ("amount", "amount of PURCHASE, net of REFUND and ORDER_CANCEL within 90 days", days(90)),
        Spends(PURCHASE.amount, days(90)): ("amount", "amount of PURCHASE within 90 days", days(90)),
        NextStage(days(28)): ("stage", "the stage entered first within 28 days", days(28)),
    }
    assert {outcome: (outcome.form, str(outcome), outcome.horizon) for outcome in said} == said
