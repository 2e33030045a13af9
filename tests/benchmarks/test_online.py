"""The online benchmark at a small size."""

from __future__ import annotations

import pytest

from benchmarks import online, shops
from tests.benchmarks.claims import claims_of


def test_the_claims(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setattr(shops, "TREES", 10)
    name, claims = claims_of(online.main, ["--rounds", "200"], monkeypatch, capsys)
    assert name == "online"
    assert claims["score_bitwise_mismatches"] == 0
    assert 0 < claims["update_read_score_us"] <= claims["update_read_score_p99_us"]
    assert claims["score_ratio_to_booster_predict"] > 0
