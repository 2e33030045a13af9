"""The benchmark of reading a log at a small size: what it writes is read whole, and the claims are there."""

from __future__ import annotations

import pytest

from benchmarks import log_reading
from features.events import Kind
from tests.benchmarks.claims import claims_of


def test_decisions_and_rewards_come_in_pairs() -> None:
    events = list(log_reading.learning(200))
    assert [each.kind for each in events[:2]] == [Kind.DECISION, Kind.REWARD]
    assert len({each.message_id for each in events}) == 200
    for decision, reward in zip(events[::2], events[1::2], strict=True):
        assert sum(decision.properties["propensities"].values()) == pytest.approx(1)
        assert reward.properties["decision_id"] == decision.message_id


def test_the_claims(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    name, claims = claims_of(log_reading.main, ["--events", "2000", "--rounds", "1"], monkeypatch, capsys)
    assert name == "log_reading"
    for store in log_reading.STORES:
        assert claims[f"{store}_events_per_second"] > 0
        assert claims[f"{store}_find_us"] > 0
        assert claims[f"{store}_find_ratio"] > 0
        assert 0.5 < claims[f"{store}_peak_memory_ratio"] < 3
