"""What the chaos benchmark counts at the end, on a store whose truth is known."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from pathlib import Path

import pytest

from benchmarks import chaos
from features.journey import JOURNEY
from serving.engine.state import open_states
from tests.serving.engine.state_suite import event


def test_what_is_missing_and_what_is_wrong_is_counted(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/log.db"
    states = open_states(url, JOURNEY, 1.0)
    states.record([event(number, f"c-{number % 3}") for number in range(30)])
    states.close()
    acknowledged = {f"m-{number}" for number in range(30)}
    clean = chaos._counted(url, acknowledged, Counter(worker=2, server=1))
    assert clean == chaos.Outcome(30, 30, 0, 0, 0, 3, 2, 1, 0)
    with sqlite3.connect(tmp_path / "log.db") as database:
        database.execute("UPDATE states SET state = zeroblob(length(state)) WHERE customer = 1")
    database.close()
    broken = chaos._counted(url, acknowledged | {"m-lost"}, Counter())
    assert (broken.lost, broken.mismatches) == (1, 1)


def test_the_claims_add_up_over_the_stores(capsys: pytest.CaptureFixture[str]) -> None:
    good, bad = chaos.Outcome(9, 9, 0, 0, 0, 3, 5, 4, 1), chaos.Outcome(9, 8, 1, 2, 3, 3, 2, 2, 2)
    chaos._report({"sqlite": good, "postgresql": bad})
    claims = json.loads(capsys.readouterr().out.splitlines()[-1])["claims"]
    assert (claims["acknowledged_lost"], claims["counted_twice"], claims["audit_mismatches"]) == (1, 2, 3)
    assert (claims["rounds"], claims["sqlite_acknowledged"]) == (6, 9)
