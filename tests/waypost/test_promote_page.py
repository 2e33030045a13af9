"""Every command of docs/howto/promote.md does what the page says."""

from __future__ import annotations

import re
import shlex
from dataclasses import replace
from pathlib import Path

import pytest
from typer.testing import CliRunner

from features.journey import JOURNEY
from models.bundle.bundle import Bundle
from models.bundle.promotion_log import Cause, named
from tests.house.tree import ROOT
from tests.serving.shop import bundle
from waypost import app
from waypost.models import governed

PAGE = (ROOT / "docs" / "howto" / "promote.md").read_text(encoding="utf-8")
COMMANDS = [
    shlex.split(line, comments=True)
    for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    for line in block.splitlines()
    if not line.startswith("waypost recalibrate")  # needs a log: tests/waypost/test_self_government.py runs it
]


def test_the_commands_of_the_page_run_in_their_order(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    monkeypatch.setenv("WAYPOST_BUNDLE", "data/champion")
    first = bundle(JOURNEY, rounds=2)
    made = [first.changed(replace(first.manifest, seed=seed)) for seed in (1, 2, 3)]
    for each, passed in zip(made, (True, True, False), strict=True):
        governed().install(each, champion=passed, cause=Cause("train", "trained"))
    assert len(COMMANDS) == 9
    for program, *words in COMMANDS:
        assert program == "waypost"
        if "retrain" in words:
            Path("data/champion/recommender.npz").write_bytes(b"nonsense")
        result = CliRunner().invoke(app, [word.replace("$VERSION", made[0].version) for word in words])
        assert result.exit_code == 0, (words, result.output)
    moves = governed().promotions.moves()
    assert [move.by for move in moves] == ["train"] * 4 + ["promote", "promote", "rollback", "rollback"]
    assert named(moves) == {
        "champion": made[1].version,
        "challenger": made[2].version,
        "shadow": made[0].version,
    }
    assert Bundle.load("data/champion", JOURNEY.fingerprint, JOURNEY.names).version == made[1].version
