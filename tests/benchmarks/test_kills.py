"""What the benchmark of kills counts, on a store whose truth is known."""

from __future__ import annotations

import copy
import json
import random
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from benchmarks import kills
from benchmarks.kills_steps import START, Step, step, take
from features.journey import JOURNEY
from features.log.sqlite import SqliteLog
from serving.engine.state import open_states

SEED, STEPS = 5, 12


def test_what_is_missing_and_what_is_left_is_counted(tmp_path: Path) -> None:
    path, ledger, damage = tmp_path / "log.db", kills.SentLedger(), kills.Damage()
    with closing(open_states(f"sqlite:///{path}", JOURNEY, 1.0)) as states:
        for number in range(STEPS):
            take(states, step(SEED, number))
            kills.apply(ledger, step(SEED, number))
        kills._audited(states, random.Random(1), damage)
    nothing = Step("seal", START)
    with closing(SqliteLog(path)) as log:
        assert kills._compared(log, copy.deepcopy(ledger), ledger, damage) is ledger
        kills._searched(kills._files_of(f"sqlite:///{path}"), ledger, nothing, damage)
        assert damage == kills.Damage()
        lost = ledger.events[-1][1].message_id
        with sqlite3.connect(path) as database:
            database.execute("DELETE FROM events WHERE message_id = ?", (lost,))
        database.close()
        kills._compared(log, ledger, ledger, damage)
        assert (damage.lost, damage.mismatches, damage.twice) == (1, 1, 0)
        ledger.erase("user-0003-of-shop", START)
        kills._searched(kills._files_of(f"sqlite:///{path}"), ledger, nothing, damage)
        assert damage.remnants > 0


def test_the_claims_add_up_over_the_stores(capsys: pytest.CaptureFixture[str]) -> None:
    kills._report({"sqlite": kills.Damage(lost=1, twice=2), "postgresql": kills.Damage(twice=3, remnants=4)}, 60)
    claims = json.loads(capsys.readouterr().out.splitlines()[-1])["claims"]
    assert (claims["lost"], claims["twice"], claims["remnants"], claims["rounds"]) == (1, 5, 4, 60)
