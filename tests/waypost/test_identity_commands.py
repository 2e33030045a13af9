"""waypost unmerge, export and erase, and what features, scores and models say of a profile."""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from features.events import DAY, Event, Kind
from features.journey import JOURNEY
from features.log import open_log
from features.log.contract import Training
from serving.engine.scoreboard import Scoreboard, sweep
from serving.engine.scoreboard.files import BLANK
from tests.serving.shop import customer, save_bundle, shop
from waypost import app
from waypost.places import engine_of

Run = Callable[..., Result]
NOW = 1_780_000_000_000_000
WHO, VISITOR, SILENT = customer(3), "visitor-7", customer(5)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with a store, a second log and a bundle: a visitor has logged in, a customer withdrawn."""
    events = [
        Event("v-1", VISITOR, Kind.ITEM_VIEW, NOW, NOW, item="item-1"),
        Event("v-2", WHO, Kind.IDENTIFY, NOW + DAY, NOW + DAY, properties={"anonymous_id": VISITOR}),
        Event("v-3", SILENT, Kind.CONSENT_WITHDRAW, NOW + DAY, NOW + DAY),
    ]
    with closing(open_log(tmp_path / "waypost.db")) as log:
        log.append(shop(NOW, customers=20), history=True)
        log.append(events)
        log.add_training(Training("first", NOW, NOW))
    with closing(open_log(f"parquet:{tmp_path / 'history'}")) as log:
        log.append([Event("h-1", WHO, Kind.LOGIN, NOW - 500 * DAY, NOW - 500 * DAY)], history=True)
    save_bundle(tmp_path / "champion", JOURNEY)
    return tmp_path


@pytest.fixture
def waypost(place: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command line in the shop's folder."""
    monkeypatch.chdir(place)
    monkeypatch.setenv("WAYPOST_STORE", f"sqlite:///{place}/waypost.db")
    monkeypatch.setenv("WAYPOST_BUNDLE", str(place / "champion"))
    monkeypatch.setenv("WAYPOST_SCOREBOARD", str(place / "scoreboard"))
    monkeypatch.setenv("WAYPOST_HISTORY", f"parquet:{place}/history")

    def run(*words: object) -> Result:
        result = CliRunner().invoke(app, [str(word) for word in words])
        assert result.exit_code == 0, result.output
        return result

    return run


def rows(waypost: Run, file: Path, moment: int) -> dict[str, float]:
    """Item views of each customer in the file of features at a moment."""
    waypost("features", "--at", f"2026-05-{28 + moment}T23:00:00Z", "--out", file)
    table = pq.read_table(file)
    return dict(zip(table["customer"].to_pylist(), table["item_views_7d"].to_pylist(), strict=True))


def test_features_and_scores_are_those_of_profiles(waypost: Run, place: Path) -> None:
    before, after = rows(waypost, place / "before.parquet", 0), rows(waypost, place / "after.parquet", 2)
    assert set(before) == {VISITOR, *(customer(number) for number in range(20))}
    assert set(after) == set(before) - {VISITOR, SILENT}
    assert before[VISITOR] == 1 and after[WHO] >= 1
    scored = json.loads(waypost("score", "--out", place / "scores.parquet", "--json").stdout)
    names = pq.read_table(place / "scores.parquet")["customer"].to_pylist()
    assert scored["customers"] == len(names) == 19 and not {VISITOR, SILENT} & set(names)


def test_ids_are_taken_apart(waypost: Run, place: Path) -> None:
    told = json.loads(waypost("unmerge", VISITOR, "--json").stdout)
    assert told == {"customer": VISITOR, "separated": [VISITOR], "profiles": [[WHO], [VISITOR]]}
    assert "0 ids taken out" in waypost("unmerge", VISITOR).stdout
    with closing(open_log(place / "waypost.db")) as log:
        assert log.profile(WHO) == [WHO]


def test_a_shifted_clock_is_the_servers(waypost: Run, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WAYPOST_CLOCK_SHIFT_DAYS", "-36500")
    waypost("unmerge", VISITOR)
    with closing(open_log(place / "waypost.db")) as log:
        assert log.merges()["received"].max() == NOW + DAY  # the newest in the log, not the time of day
        waypost("erase", SILENT)
        assert log.append([Event("s-1", SILENT, Kind.LOGIN, NOW + DAY, NOW + DAY)]).accepted == [True]


def test_everything_held_is_written(waypost: Run, place: Path) -> None:
    waypost("export", VISITOR, "--out", place / "export" / "held.ndjson")
    written = (place / "export" / "held.ndjson").read_text()
    lines = [json.loads(line) for line in written.splitlines()]
    with closing(open_log(place / "waypost.db")) as log:
        assert sum(line["record"] == "event" for line in lines) == len(log.history(WHO))
    assert lines[0]["ids"] == [WHO, VISITOR] and lines[1]["record"] == "merge"
    shown = [json.loads(line) for line in waypost("export", VISITOR).stdout.splitlines()]
    assert shown[1:] == lines[1:]


def test_an_erasure_reaches_store_scoreboard_and_second_log(waypost: Run, place: Path) -> None:
    board = Scoreboard(place / "scoreboard", JOURNEY.fingerprint)
    engine = engine_of(None)
    generation = sweep(engine, board, NOW + 2 * DAY)
    engine.states.close()
    told = json.loads(waypost("erase", VISITOR, "--json").stdout)
    assert (told["erased"], told["customer_ids"], told["scoreboard_rows"]) == (True, 2, 1)
    assert told["history"] == {"events": 1, "dead_letters": 0, "merges": 0} and told["models"] == ["first"]
    assert np.count_nonzero(generation.customers == BLANK) == 1
    for store in (place / "waypost.db", f"parquet:{place}/history"):
        with closing(open_log(store)) as log:
            assert log.customers.code(WHO) is None and log.customers.code(VISITOR) is None
    shown = waypost("erase", VISITOR).stdout
    assert "salted digest" in shown and "False" in shown
