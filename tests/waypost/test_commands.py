"""The command line, on a small real store: what people see, what machines get, and how mistakes are answered."""

from __future__ import annotations

import gzip
import json
import socket
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from typer.testing import CliRunner, Result

from features.events import DAY
from features.journey import JOURNEY
from features.log import open_log
from features.sources.contract import SAMPLES
from insights.segments import SEGMENTS
from tests.serving.shop import customer, save_bundle, shop
from waypost import app
from waypost.clocks import set_ends_now

Run = Callable[..., Result]
NOW = 1_780_000_000_000_000


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a store of 80 customers and a bundle."""
    folder = tmp_path_factory.mktemp("shop")
    log = open_log(folder / "waypost.db")
    log.append(shop(NOW, customers=80), history=True)
    log.close()
    save_bundle(folder / "champion", JOURNEY)
    return folder


@pytest.fixture
def waypost(place: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command line in the shop's folder."""
    monkeypatch.chdir(place)
    monkeypatch.setenv("WAYPOST_STORE", f"sqlite:///{place}/waypost.db")
    monkeypatch.setenv("WAYPOST_BUNDLE", str(place / "champion"))

    def run(*words: object) -> Result:
        return CliRunner().invoke(app, [str(word) for word in words])

    return run


def test_import_counts_the_good_and_keeps_the_bad(waypost: Run, tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path}/new.db"
    good = waypost("import", SAMPLES / "waypost.jsonl", "--source", "waypost", "--store", store, "--json")
    report = json.loads(good.stdout)
    assert good.exit_code == 0
    assert report["accepted"] > 0 == report["rejected"]
    again = json.loads(
        waypost("import", SAMPLES / "waypost.jsonl", "--source", "waypost", "--store", store, "--json").stdout
    )
    assert (again["accepted"], again["duplicates"]) == (0, report["accepted"])
    broken = waypost("import", SAMPLES / "waypost.broken.jsonl", "--source", "waypost", "--store", store)
    assert broken.exit_code == 1, "nothing was accepted"
    assert "12 of 12 records were rejected" in " ".join(broken.stderr.split())
    assert "by the field at fault" in broken.stdout
    counted = json.loads(
        waypost("import", SAMPLES / "waypost.broken.jsonl", "--source", "waypost", "--store", store, "--json").stdout
    )
    assert sum(counted["faults"].values()) == counted["rejected"] > 3
    log = open_log(store)
    assert len(log.dead_letters(100)) > 3
    log.close()


def test_features_are_a_point_in_time_matrix(waypost: Run, tmp_path: Path) -> None:
    file = tmp_path / "features.parquet"
    result = waypost("features", "--at", "2026-05-28T20:00:00Z", "--out", file, "--json")
    assert result.exit_code == 0, result.output
    table = pq.read_table(file)
    assert json.loads(result.stdout)["customers"] == table.num_rows > 70
    assert table.column_names == ["customer", "as_of", *JOURNEY.names]
    assert table.schema.metadata[b"fingerprint"].decode() == JOURNEY.fingerprint
    assert customer(3) in table["customer"].to_pylist()
    earlier = tmp_path / "earlier.parquet"
    assert waypost("features", "--at", "2026-01-01", "--out", earlier).exit_code == 0
    assert 0 < pq.read_table(earlier).num_rows < table.num_rows


def test_score_writes_what_the_models_say_of_everyone(waypost: Run, tmp_path: Path) -> None:
    file = tmp_path / "scores.parquet"
    result = waypost("score", "--out", file, "--json")
    assert result.exit_code == 0, result.output
    table = pq.read_table(file)
    scores = [value for value in table["conversion_7d"].to_pylist() if value is not None]
    assert 0 < len(scores) <= table.num_rows == 80
    assert all(0 < value < 1 for value in scores)
    assert table.schema.metadata[b"model_version"].decode() == json.loads(result.stdout)["model_version"]


def test_explain_prints_meaning_state_update_and_read(waypost: Run) -> None:
    shown = waypost("explain", "purchases_fading_28d").stdout
    for part in ("PURCHASE, fading by half every 28 days", "weight: float32", "def update(", "def read("):
        assert part in shown
    assert json.loads(waypost("explain", "stage", "--json").stdout)["family"] == "Position on the journey"
    listed = waypost("explain").stdout
    assert "spend_net_90d" in listed and listed.count("Position on the journey") == 1


def test_segments_are_listed_and_pulled(waypost: Run, tmp_path: Path) -> None:
    listed = json.loads(waypost("segments", "list", "--json").stdout)
    counts = {each["name"]: each["customers"] for each in listed["segments"]}
    assert counts.keys() == SEGMENTS.keys()
    assert listed["customers"] == 80
    name = max(counts, key=lambda each: counts[each])
    members = json.loads(waypost("segments", "pull", name, "--json").stdout)["members"]
    assert len(members) == counts[name] > 0
    file = tmp_path / "segment.csv"
    assert f"{counts[name]} customers" in waypost("segments", "pull", name, "--out", file).stdout
    lines = file.read_text().splitlines()
    assert lines[0].startswith("customer,stage,lapsing,")
    assert [line.split(",")[0] for line in lines[1:]] == [member["customer"] for member in members]
    assert waypost("segments", "pull", name).stdout.splitlines() == lines


def test_a_past_moment_is_replayed(waypost: Run, place: Path, tmp_path: Path) -> None:
    """Asked of a whole log, the past is what a log that ends there would say."""
    log, then = open_log(place / "waypost.db"), NOW - 40 * DAY
    until, names = open_log(tmp_path / "then.db"), log.customers.names()
    events = [event for name in names for event in log.events(name, 10_000) if event.received <= then]
    until.append(sorted(events, key=lambda event: event.received), history=True)
    log.close()
    until.close()
    at = datetime.fromtimestamp(then / 1e6, UTC).isoformat()
    for words in (("segments", "list"), ("segments", "pull", "loyal"), ("segments", "pull", "at-risk", "--size", "5")):
        whole = json.loads(waypost(*words, "--at", at, "--json").stdout)
        cut = json.loads(waypost(*words, "--at", at, "--json", "--store", f"sqlite:///{tmp_path}/then.db").stdout)
        assert whole == cut
    then_told = waypost("segments", "list", "--at", at, "--json")
    assert 0 < json.loads(then_told.stdout)["customers"] < 80
    now_told = waypost("segments", "list")
    assert "so it knows what came after" in then_told.stderr and "knows what came after" not in now_told.stderr


def test_rebuild_then_doctor_finds_all_well(waypost: Run, place: Path) -> None:
    assert json.loads(waypost("rebuild", "--json").stdout)["customers"] == 80
    set_ends_now(f"sqlite:///{place}/waypost.db", False)
    stale = waypost("doctor")
    assert stale.exit_code == 1 and "--as-of-last-event" in stale.stdout
    set_ends_now(f"sqlite:///{place}/waypost.db", True)
    result = waypost("doctor", "--json")
    assert result.exit_code == 0, result.output
    checks = {check["name"]: check for check in json.loads(result.stdout)["checks"]}
    assert set(checks) == {"python", "packages", "fold", "keys", "log", "champion", "states", "identity", "money"}
    assert "waypost serve" in checks["keys"]["found"]
    assert "80 customers" in checks["states"]["found"]


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("import", "no.jsonl", "--source", "ga5"), 1, "unknown source 'ga5'; expected complete_journey, ga4"),
        (("import", "no.jsonl", "--source", "waypost"), 1, "no.jsonl"),
        (("explain", "spend_91d"), 1, "did you mean spend_net_90d"),
        (("features", "--at", "yesterday", "--out", "x.parquet"), 2, "expected ISO 8601 such as 2017-11-15"),
        (("features", "--at", "[/x]", "--out", "x.parquet"), 2, "'[/x]' is not a moment"),
        (("features", "--at", "9999-12-31", "--out", "x.parquet"), 2, "a year from 1971 to 2199"),
        (("features", "--at", "2026-05-01", "--out", "/proc/nowhere/x.parquet"), 1, "/proc/nowhere"),
        (("segments", "list", "--at", "1999-01-01"), 2, "nothing was known at 1999-01-01T00:00:00Z: the log begins at"),
        (("segments", "pull", "loyal", "--size", "2.5"), 2, "2.5 is no size; expected a share such as 0.2"),
        (("segments", "pull", "rich"), 2, "there is no segment 'rich'; there are at-risk"),
        (("segments", "list", "--store", "sqlite:///nowhere.db"), 1, "waypost import"),
        (("rebuild", "--store", "mysql://shop"), 1, "mysql://shop"),
        (("features",), 2, "Missing option"),
    ],
)
def test_mistakes_get_one_clear_line(waypost: Run, words: tuple[str, ...], code: int, told: str) -> None:
    result = waypost(*words)
    assert result.exit_code == code
    assert told in " ".join(result.stderr.split())
    assert "Traceback" not in result.output


def views(*customers: str) -> str:
    """Lines of page views, one of each customer."""
    view = {"kind": "PAGE_VIEW", "at": "2026-01-01T00:00:00Z"}
    return "".join(json.dumps({"customer": who, "message_id": who, **view}) + "\n" for who in customers)


@pytest.fixture
def several(tmp_path: Path) -> Path:
    """A folder of three files of page views, one of them in a folder of its own, beside marks of other programs."""
    folder = tmp_path / "exports"
    (folder / "month=2").mkdir(parents=True)
    (folder / "_SUCCESS").write_text("")
    (folder / ".part.crc").write_bytes(b"\0\1")
    (folder / "a.jsonl").write_text(views("a", "b"))
    (folder / "b.jsonl.gz").write_bytes(gzip.compress(views("b", "c").encode()))
    (folder / "month=2" / "part-0.jsonl").write_text(views("d") + '{"customer": "e"}\n')
    return folder


@pytest.mark.parametrize("how", ["the folder", "a pattern", "each by name, one twice"])
def test_several_files_are_one_import(waypost: Run, tmp_path: Path, several: Path, how: str) -> None:
    files = [several / "a.jsonl", several / "b.jsonl.gz", several / "month=2" / "part-0.jsonl"]
    words = {
        "the folder": [several],
        "a pattern": [several / "**" / "*.jsonl*"],
        "each by name, one twice": [*files, files[0]],
    }
    store = ("--source", "waypost", "--store", f"sqlite:///{tmp_path}/new.db")
    report = json.loads(waypost("import", *words[how], *store, "--json").stdout)
    assert [part["path"] for part in report["files"]] == [str(file) for file in files]
    assert (report["records"], report["accepted"], report["duplicates"], report["rejected"]) == (6, 4, 1, 1)
    assert report["examples"][0].startswith(f"{files[2]}: waypost:2 ") and report["unreadable"] == []
    again = waypost("import", *words[how], *store)
    assert again.exit_code == 0 and "3 files into" in again.stdout and "part-0.jsonl" in again.stdout


def test_a_file_that_breaks_off_does_not_stop_the_others(waypost: Run, tmp_path: Path, several: Path) -> None:
    lines = views(*(f"c{number * 7919 % 10007}" for number in range(3000))).encode()
    (several / "b.jsonl.gz").write_bytes(gzip.compress(lines)[:-900])
    store = f"sqlite:///{tmp_path}/new.db"
    result = waypost("import", several, "--source", "waypost", "--store", store, "--json")
    report = json.loads(result.stdout)
    assert result.exit_code == 1 and "1 of 3 files could not be read" in " ".join(result.stderr.split())
    assert [part["path"] for part in report["unreadable"]] == [str(several / "b.jsonl.gz")]
    with closing(open_log(store, create=False)) as log:
        assert 1_000 < log.count() < 3_003, "what stands before the break is imported"


@pytest.mark.parametrize("path", ["empty", "no-*.csv"])
def test_a_folder_or_a_pattern_without_a_file_is_an_error(waypost: Run, tmp_path: Path, path: str) -> None:
    (tmp_path / "empty").mkdir()
    result = waypost("import", tmp_path / path, "--source", "waypost", "--store", f"sqlite:///{tmp_path}/new.db")
    assert result.exit_code == 1 and "has no file" in " ".join(result.stderr.split())
    assert not (tmp_path / "new.db").exists()


def test_what_others_wrote_is_never_read_as_markup(waypost: Run, tmp_path: Path) -> None:
    file = tmp_path / "[red].jsonl"
    file.write_text('{"customer": "a", "at": "2026-01-01T00:00:00Z", "kind": "[/foo]"}\n')
    result = waypost("import", file, "--source", "waypost", "--store", f"sqlite:///{tmp_path}/new.db")
    assert result.exit_code == 1, result.output
    assert "[/foo]" in result.stdout


def test_a_file_that_is_no_table_is_refused(waypost: Run, tmp_path: Path) -> None:
    file = tmp_path / "noise.csv"
    file.write_bytes(bytes(range(256)) * 9)
    result = waypost("import", file, "--source", "taobao", "--store", f"sqlite:///{tmp_path}/new.db")
    assert result.exit_code == 1
    assert "noise.csv" in result.stderr


def test_serve_names_a_port_that_is_taken(waypost: Run) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        result = waypost("serve", "--port", taken.getsockname()[1])
    assert result.exit_code == 2
    assert "choose another with --port" in " ".join(result.stderr.split())


def test_doctor_says_what_to_run(waypost: Run, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WAYPOST_STORE", f"sqlite:///{tmp_path}/none.db")
    monkeypatch.setenv("WAYPOST_BUNDLE", str(tmp_path / "none"))
    result = waypost("doctor")
    assert result.exit_code == 1
    assert "waypost import" in " ".join(result.stdout.split())
    assert "waypost train" in " ".join(result.stdout.split())
