"""The benchmark of slow actions at a small size, and its claims."""

from __future__ import annotations

import json

import pytest

from benchmarks import slow_actions
from benchmarks.slow_actions import DECISIONS
from tests.benchmarks.claims import claims_of


def test_it_measures_events_with_and_without_decisions(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(slow_actions, "CUSTOMERS", 50)
    monkeypatch.setattr(slow_actions, "EVENTS", 2_000)
    name, claims = claims_of(slow_actions.main, ["--seconds", "0.5", "--rounds", "1"], monkeypatch, capsys)
    assert name == "slow_actions"
    assert set(claims) == {"ingest_p99_ratio", "ingest_p99_ratio_under_the_lock"} and min(claims.values()) > 0


def test_the_claims_are_medians_of_ratios_within_a_round(capsys: pytest.CaptureFixture[str]) -> None:
    def found(*tops: float) -> dict[str, list[float]]:
        return {way: [1.0] * 90 + [top] * 10 for way, top in zip(DECISIONS, tops, strict=True)}

    slow_actions.report([found(2.0, 2.0, 20.0), found(4.0, 5.0, 80.0), found(10.0, 11.0, 120.0)])
    claims = json.loads(capsys.readouterr().out.splitlines()[-1])["claims"]
    assert claims == {"ingest_p99_ratio": 1.1, "ingest_p99_ratio_under_the_lock": 12.0}
