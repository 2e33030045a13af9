"""The benchmark of generated shops at a small size."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks import always
from tests.benchmarks.claims import claims_of


def test_the_claims_and_that_what_is_done_is_not_done_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--shops", "2", "--most", "3", "--recorded", "0", "--done", str(tmp_path / "done.jsonl")]
    name, claims = claims_of(always.main, words, monkeypatch, capsys)
    assert (name, claims) == ("always", {"shops": 2, "trainings": 6, "shops_without_an_answer": 0})

    def never(*asked: object, **others: object) -> None:
        raise AssertionError("done again")

    monkeypatch.setattr(always, "shop", never)
    assert claims_of(always.main, words, monkeypatch, capsys) == (name, claims)


def test_a_training_that_fails_is_counted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails(*asked: object, **others: object) -> None:
        raise ValueError("odd")

    monkeypatch.setattr(always, "trainings", fails)
    words = ["--shops", "1", "--most", "3", "--recorded", "0"]
    assert claims_of(always.main, words, monkeypatch, capsys)[1]["shops_without_an_answer"] == 1
