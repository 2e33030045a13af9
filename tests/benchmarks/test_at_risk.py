"""The benchmark of the segment "at risk": what it claims of the yields of its cutoffs."""

from __future__ import annotations

import pytest

from benchmarks import at_risk
from features.events import DAY
from models.prediction.money_at_stake import Yield
from tests.benchmarks.claims import claims_of

OLD = Yield(100.0 * DAY, 2000, 400, 0.2, 0.1, 0.3, 0.5, 0.4, 0.6, 0.2, 0.1)
NEW = Yield(130.0 * DAY, 2000, 400, 0.3, 0.2, 0.4, 0.4, 0.35, 0.5, 0.2, 0.3)


def test_the_least_and_the_mean_of_the_cutoffs_are_claimed(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(at_risk, "complete_journey", lambda: None)
    monkeypatch.setattr(at_risk, "yields", lambda shop, earlier, seed: {0: [NEW], 30: [OLD], 60: []}[earlier])
    name, claims = claims_of(at_risk.main, [], monkeypatch, capsys)
    assert name == "at_risk"
    assert claims == {
        "at_risk_cutoffs": 2.0, "at_risk_money_least": 0.4, "at_risk_money_least_low": 0.35, "at_risk_money": 0.45,
        "at_random_money": 0.2, "by_spending_money": 0.2, "at_risk_left": 0.25,
    }  # fmt: skip


def test_a_line_says_when_and_how_many() -> None:
    assert at_risk.line(NEW) == ["1970-05-11", "400", "2,000", "30%", "40%", "35% to 50%", "20%", "30%"]
