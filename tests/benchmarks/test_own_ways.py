"""What the house does itself, measured at a small size, and its claims."""

from __future__ import annotations

import pytest

from benchmarks import own_ways
from tests.benchmarks.claims import claims_of


def test_the_claims_of_what_needs_no_server(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(own_ways, "EVENTS", 3_000)
    monkeypatch.setattr(own_ways, "CUSTOMERS", 200)
    monkeypatch.setattr(own_ways, "ERASED", 3)
    words = ["--parts", "conditions", "pages", "filter", "--rounds", "1"]
    name, claims = claims_of(own_ways.main, words, monkeypatch, capsys)
    assert name == "own_ways"
    assert claims["cut_off_with_filter"] == 0
    assert 0 <= claims["vacuums_share"] <= 1 and claims["page_search_ms"] > 0
    assert claims["scopes_of_a_customer_us"] < claims["scopes_of_a_customer_by_arrays_us"]
    assert claims["actions_of_a_customer_us"] < claims["actions_of_a_customer_by_arrays_us"]


def test_what_a_server_adds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(own_ways, "_ADDED", "import {first}; print(2.5)")
    assert set(own_ways.settings(1).values()) == {2.5}
