"""What a command writes reaches its reader: on any terminal, without a home, and after the reader has left."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import NoReturn

import pytest
from rich.console import Console

import waypost
from features.events import Channel, Event, Kind
from features.fold.fold import cache_folder
from features.journey import JOURNEY
from features.log import open_log
from features.log.contract import DeadLetter
from features.sources.contract import SAMPLES
from models.bundle.archive import Archive
from models.bundle.bundle import Bundle
from models.bundle.promotion_log import Move, Promotions
from serving.access.keys import change_keys, issue
from tests.house.tree import ROOT
from tests.serving.shop import save_bundle, shop
from waypost import console

NOW = 1_780_000_000_000_000
CUSTOMER = "Müller"


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a small shop, a champion, and a customer and a dead letter whose names are not ASCII."""
    folder = tmp_path_factory.mktemp("umlauts")
    log = open_log(folder / "data" / "waypost.db")
    bought = Event("m-1", CUSTOMER, Kind.PURCHASE, NOW - 1, NOW - 1, channel=Channel.WEB, amount=9.0)
    log.append([*(replace(each) for each in shop(NOW, customers=20)), bought], history=True)
    reason = "'TÄNZE' is no kind of events; expected one of the vocabulary, which is in docs/sources.md"
    log.reject([DeadLetter("api", 0, "kind", reason, b"{}", NOW)])
    log.close()
    samples = [(SAMPLES / name).read_bytes() for name in ("waypost.jsonl", "waypost.broken.jsonl")]
    (folder / "broken.jsonl").write_bytes(b"\n".join(samples))
    made = Bundle.load(save_bundle(folder / "data" / "champion", JOURNEY), JOURNEY.fingerprint, JOURNEY.names)
    Archive(folder / "data" / "bundles").keep(made)
    moved = Move(at=NOW, alias="champion", version=made.version, previous="", by="train", reason="Jürgen asked for it")
    with Promotions(folder / "data" / "promotions.jsonl").writing() as write:
        write(moved)
    (key, _) = issue("Jürgens Büro", "read", NOW, None)
    change_keys(folder / "data" / "keys.json", lambda keys: [*keys, key])
    return folder


def run(monkeypatch: pytest.MonkeyPatch, place: Path, words: str, encoding: str = "ascii") -> bytes:
    """What a command line writes to a standard output of this encoding, 80 columns wide."""
    written = io.BytesIO()
    for name in ("WAYPOST_STORE", "WAYPOST_BUNDLE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(place)
    monkeypatch.setattr(sys, "argv", ["waypost", *words.split()])
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(written, encoding))
    with pytest.raises(SystemExit) as ended:
        waypost.main()
    assert ended.value.code in (0, None), written.getvalue()
    return written.getvalue()


TABLES = (
    "--help", "train --help", "deadletters list", "segments list", "explain", "models list", "models show champion",
    "models history", "import broken.jsonl --source waypost", "readiness", "audit --sample 3", "features --help",
    "keys list", "deadletters replay",
)  # fmt: skip
"""Commands that print tables; those of a training are in `tests/training/run/test_pipeline.py`."""


@pytest.mark.parametrize("words", TABLES)
@pytest.mark.parametrize("encoding", ["ascii", "utf-8"])
def test_a_table_fits_a_terminal_of_80_columns(
    monkeypatch: pytest.MonkeyPatch, place: Path, words: str, encoding: str
) -> None:
    lines = run(monkeypatch, place, words, encoding).decode(encoding).splitlines()
    assert lines
    assert [line for line in lines if len(line) > 80] == []


def test_data_is_utf_8_whatever_the_terminal_speaks(monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    lines = run(monkeypatch, place, f"export {CUSTOMER}").decode("utf-8").splitlines()
    assert CUSTOMER in {value for line in lines for value in json.loads(line).values() if isinstance(value, str)} or (
        any(CUSTOMER in line for line in lines)
    )
    members = [run(monkeypatch, place, f"segments pull {name}").decode("utf-8") for name in ("new", "promoters")]
    assert any(f"\n{CUSTOMER}," in each for each in members)


def test_what_the_terminal_cannot_show_is_escaped(monkeypatch: pytest.MonkeyPatch, place: Path) -> None:
    assert b"T\\xc4NZE" in run(monkeypatch, place, "deadletters list")
    assert "TÄNZE".encode() in run(monkeypatch, place, "deadletters list", "utf-8")
    assert b"T\\xc4NZE" in run(monkeypatch, place, "deadletters list --markdown")


def test_a_reader_that_leaves_early_is_no_error() -> None:
    command = [sys.executable, "-m", "waypost", "explain"]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        process.stdout.close()
        assert process.stderr.read() == b""


def test_colours_are_for_those_who_want_them(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.StringIO()
    for without in (True, False):
        monkeypatch.setenv("NO_COLOR", "1") if without else monkeypatch.delenv("NO_COLOR", raising=False)
        terminal = Console(file=written, force_terminal=True, color_system="standard")
        monkeypatch.setattr(console, "out", terminal)
        console.print_line("plain")
        terminal.print("[red]red")
        assert ("\x1b[31m" in written.getvalue()) is not without


def test_a_user_without_a_home_has_the_cache_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def homeless() -> NoReturn:
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", homeless)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv("WAYPOST_CACHE", raising=False)
    monkeypatch.setenv("HOME", "")
    console.find_home()
    assert Path(os.environ["HOME"]).parent == tmp_path
    assert cache_folder() == Path(os.environ["HOME"])


def test_matplotlib_writes_to_the_cache_folder_where_the_home_cannot_be_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv("WAYPOST_CACHE", raising=False)
    monkeypatch.setenv("MPLCONFIGDIR", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    console.find_home()
    assert os.environ["MPLCONFIGDIR"] == ""
    monkeypatch.setenv("HOME", "/proc/nothing")
    console.find_home()
    assert os.environ["HOME"] == "/proc/nothing"
    assert Path(os.environ["MPLCONFIGDIR"]).parent == tmp_path
