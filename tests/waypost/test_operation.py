"""waypost audit, waypost deadletters: what an operator runs, and what a monitor reads of it."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from features.log import open_log
from features.log.contract import DeadLetter
from tests.serving.shop import shop
from waypost import app

Run = Callable[..., Result]
NOW = 1_780_000_000_000_000


@pytest.fixture
def waypost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command line in the folder of a small shop with two dead letters."""
    log = open_log(tmp_path / "waypost.db")
    log.append(shop(NOW, customers=30), history=True)
    good = json.dumps({"customer": "jane", "kind": "LOGIN", "at": "2026-05-01T00:00:00Z"}).encode()
    bad = b'{"customer": "[red]jane", "kind": "DANCE"}'
    log.reject([DeadLetter("api", place, "kind", "[bold]?", raw, NOW) for place, raw in enumerate((good, bad))])
    log.close()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WAYPOST_STORE", f"sqlite:///{tmp_path}/waypost.db")

    def run(*words: object) -> Result:
        return CliRunner().invoke(app, [str(word) for word in words])

    return run


def test_a_clean_store_audits_clean(waypost: Run) -> None:
    whole = waypost("audit")
    assert whole.exit_code == 0 and "30 customers audited, 0 with a state" in whole.stdout
    assert waypost("rebuild").exit_code == 0
    told = json.loads(waypost("audit", "--sample", 7, "--seed", 3, "--json").stdout)
    assert (told["audited"], told["mismatches"]) == (7, [])


def test_a_wrong_state_fails_the_audit_and_a_rebuild_repairs_it(waypost: Run, tmp_path: Path) -> None:
    assert waypost("rebuild", "--json").exit_code == 0
    with closing(sqlite3.connect(tmp_path / "waypost.db", isolation_level=None)) as connection:
        state = bytearray(connection.execute("SELECT state FROM states WHERE customer = 4").fetchone()[0])
        state[3] ^= 128
        connection.execute("UPDATE states SET state = ? WHERE customer = 4", (bytes(state),))
    wrong = waypost("audit")
    assert wrong.exit_code == 1 and "waypost rebuild" in wrong.stdout and "household" not in wrong.stdout
    found = waypost("audit", "--json")
    (mismatch,) = json.loads(found.stdout)["mismatches"]
    assert found.exit_code == 1 and mismatch["code"] == 4 and len(mismatch["slots"]) == 1
    waypost("rebuild")
    assert waypost("audit").exit_code == 0


def test_dead_letters_are_listed_and_read_again(waypost: Run) -> None:
    assert "DANCE" not in waypost("deadletters", "list").stdout
    listed = json.loads(waypost("deadletters", "list", "--json").stdout)["letters"]
    assert [each["position"] for each in listed] == [0, 1] and "DANCE" in listed[1]["raw"]
    assert len(json.loads(waypost("deadletters", "list", "--limit", 1, "--json").stdout)["letters"]) == 1
    assert json.loads(waypost("deadletters", "list", "--source", "segment", "--json").stdout)["letters"] == []
    first = json.loads(waypost("deadletters", "replay", "--json").stdout)
    assert (first["letters"], first["settled"], first["accepted"], first["remaining"]) == (2, 1, 1, 1)
    again = waypost("deadletters", "replay")
    assert again.exit_code == 0 and "waypost deadletters list" in again.stdout
    unknown = waypost("deadletters", "replay", "--source", "nothing")
    assert unknown.exit_code == 1 and "nothing" in unknown.stderr


def test_a_mapping_reads_the_letters_of_its_source(waypost: Run, tmp_path: Path) -> None:
    mapping = tmp_path / "till.toml"
    mapping.write_text(
        'name = "till"\n[columns]\ncustomer = "who"\nat = "when"\nkind = "what"\namount = "paid"\n'
        '[kinds]\nsale = "PURCHASE"\n'
    )
    raw = json.dumps({"who": "jane", "when": "2024-03-01T10:00:00Z", "what": "sale", "paid": 12}).encode()
    log = open_log(tmp_path / "waypost.db")
    log.reject([DeadLetter("till", 3, "paid", "?", raw, NOW)])
    log.close()
    told = waypost("deadletters", "replay", "--map", mapping, "--json")
    assert json.loads(told.stdout)["accepted"] == 1, told.stderr
