"""The benchmark of questions at a small size: DuckDB's counts are ours, or it fails."""

from __future__ import annotations

import pytest

from benchmarks import questions
from tests.benchmarks.claims import claims_of


def test_all_counts_are_compared(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    name, claims = claims_of(questions.main, ["--events", "20000", "--rounds", "1"], monkeypatch, capsys)
    assert name == "questions"
    parts = ("funnel", "transitions", "retention")
    assert set(claims) == {f"{part}_ms" for part in parts} | {f"{part}_to_duckdb" for part in parts}


def test_a_count_that_differs_is_an_error(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.setitem(questions.PEERS, "funnel", lambda database: [1, 0, 0, 0])
    with pytest.raises(SystemExit, match=r"funnel: DuckDB counts \[1, 0, 0, 0\]"):
        claims_of(questions.main, ["--events", "2000", "--rounds", "1"], monkeypatch, capsys)
