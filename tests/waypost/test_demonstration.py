"""The demo, run again, tells of the champion that it finds, whatever its targets stand on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from features.journey import JOURNEY
from models.bundle.manifest import TargetCard
from tests.serving.shop import bundle
from waypost.demonstration import key_words, print_calls, report_champion


def test_a_champion_that_was_trained_before_is_told_of(capsys: pytest.CaptureFixture[str]) -> None:
    made = bundle(JOURNEY).manifest
    untested = TargetCard("d", "s", 90.0, 487.5, "identity", form="amount", tier="clv", evidence="C")
    report_champion(replace(made, targets={**made.targets, "lifetime_value_90d": untested}))
    told = " ".join(capsys.readouterr().out.split())
    assert made.version in told
    assert all(word in told for word in ("0.870", "35.0%", "clv", "487.50"))


def test_the_calls_can_be_pasted_with_the_first_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("WAYPOST_KEYS", raising=False)
    print_calls(3000, key_words(0))
    calls = [line for line in capsys.readouterr().out.splitlines() if line.startswith("curl")]
    assert len(calls) == 7 and all('-u "$(cat data/first-key.txt):"' in call for call in calls)
    assert (tmp_path / "data" / "first-key.txt").read_text().startswith("wp_admin_")
    (tmp_path / "data" / "first-key.txt").unlink()
    assert key_words(0) == '-u "$KEY:" '
    monkeypatch.setenv("WAYPOST_KEYS", "none")
    assert key_words(0) == ""
