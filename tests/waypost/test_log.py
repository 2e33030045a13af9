"""waypost log export: what people see, what machines get, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import polars as pl
import pytest
from typer.testing import CliRunner, Result

from features.journey import JOURNEY
from features.log import open_log
from features.log.parquet.exported import ExportedLog
from serving.engine.state import open_states
from tests.features.log.samples import event, shop
from waypost import app

Run = Callable[..., Result]


@pytest.fixture
def waypost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command line in a folder with a store of 300 events."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WAYPOST_STORE", "sqlite:///waypost.db")
    with closing(open_log(tmp_path / "waypost.db")) as log:
        log.append(shop(300), history=True)
    return lambda *words: CliRunner().invoke(app, [str(word) for word in words])


def test_an_export_is_counted_and_done_once(waypost: Run, tmp_path: Path) -> None:
    first = waypost("log", "export", "data/export", "--partitions", 4, "--json")
    assert first.exit_code == 0, first.output
    told = json.loads(first.stdout)
    manifest = ExportedLog(tmp_path / "data" / "export").manifest
    assert told["written"] is True
    assert (told["events"], told["customers"], told["partitions"]) == (300, 20, 4)
    assert (told["offset"], told["log_digest"]) == (manifest.offset, manifest.log)
    again = waypost("log", "export", "data/export", "--partitions", 4)
    assert "nothing was written" in again.stdout and "300" in again.stdout
    with closing(open_log(tmp_path / "waypost.db")) as log:
        log.append([event(999_999)])
    assert "nothing was written" not in waypost("log", "export", "data/export", "--partitions", 4).stdout
    assert ExportedLog(tmp_path / "data" / "export").manifest.events == 301


def test_until_a_moment(waypost: Run, tmp_path: Path) -> None:
    told = json.loads(waypost("log", "export", "out", "--until", "2023-12-15", "--json").stdout)
    assert 0 < told["events"] < 300 and told["last_received"] < "2023-12-15"


def test_leftovers_of_an_interrupted_export_are_told_of(waypost: Run, tmp_path: Path) -> None:
    (tmp_path / "out" / "export-00000001").mkdir(parents=True)
    (tmp_path / "out" / "log.lock").touch()
    assert "interrupted export were removed" in waypost("log", "export", "out").stdout


@pytest.mark.parametrize(
    ("words", "said", "code"),
    [
        (("out", "--partitions", 5_000), "expected 1 to 1,000", 1),
        (("full",), "holds other things than an export", 1),
        (("out", "--store", "none.db"), "waypost import", 1),
        (("out", "--until", "1999-01-01"), "no events to export", 1),
        (("out", "--until", "tomorrow"), "expected ISO 8601", 2),
    ],
)
def test_mistakes_end_in_one_line(
    waypost: Run, tmp_path: Path, words: tuple[object, ...], said: str, code: int
) -> None:
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("mine")
    result = waypost("log", "export", *words)
    assert (result.exit_code, said in " ".join(result.stderr.split())) == (code, True), result.output
    assert "Traceback" not in result.output


def test_older_events_are_sealed_and_the_log_stays_the_same(waypost: Run, tmp_path: Path) -> None:
    with closing(open_log(tmp_path / "waypost.db")) as log:
        digest = log.digest()
    sealed = waypost("log", "seal", "--json")
    assert sealed.exit_code == 0, sealed.output
    numbers = json.loads(sealed.stdout)
    frame = pl.read_parquet(tmp_path / "waypost.history" / "events-*.parquet")
    assert 250 < numbers["sealed"] == len(frame) <= numbers["events"] == 300
    assert json.loads(waypost("log", "seal", "--json").stdout)["sealed"] == 0
    with closing(open_log(tmp_path / "waypost.db")) as log:
        assert (log.digest(), log.count()) == (digest, 300)
    assert json.loads(waypost("log", "export", "out", "--json").stdout)["events"] == 300


def test_a_folder_of_files_is_not_sealed(waypost: Run, tmp_path: Path) -> None:
    with closing(open_log(f"parquet:{tmp_path / 'files'}")) as log:
        log.append(shop(10), history=True)
    refused = waypost("log", "seal", "--store", f"parquet:{tmp_path / 'files'}")
    assert refused.exit_code == 2 and "a folder of files already" in refused.stderr


def test_an_import_beside_a_server_replays_the_states_that_it_changes(waypost: Run, tmp_path: Path) -> None:
    with closing(open_states(f"sqlite:///{tmp_path / 'waypost.db'}", JOURNEY, 5.0)) as states:
        states.heal()
        (tmp_path / "more.csv").write_text(
            "event_time,event_type,product_id,category_id,category_code,brand,price,user_id,user_session\n"
            "2023-12-02 10:00:00 UTC,purchase,p1,7,,,20.5,customer-3,s1\n"
            "2023-12-02 10:00:00 UTC,view,p1,7,,,20.5,nobody-yet,s1\n"
        )
        assert waypost("import", "more.csv", "--source", "rees46").exit_code == 0
        stored = {int(code): state for chunk in states.sweep() for code, state in zip(*chunk, strict=True)}
        for name in ("customer-3", "nobody-yet"):
            code = states.log.customers.code(name)
            assert code is not None
            replayed = JOURNEY.empty()
            JOURNEY.step(replayed, 0, states.log.history(name))
            assert stored[code].tobytes() == states.load(name).states.tobytes() == replayed.tobytes()
