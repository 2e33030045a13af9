"""waypost monitor, on a small real store."""

from __future__ import annotations

import json
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from features.journey import JOURNEY
from features.log import open_log
from tests.serving.shop import save_bundle, shop
from waypost import app
from waypost.monitor import advice

NOW = 1_780_000_000_000_000
Run = Callable[..., Result]


@pytest.fixture
def waypost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command line in a folder with a store of 150 customers and a bundle."""
    log = open_log(tmp_path / "waypost.db")
    log.append(shop(NOW, customers=150), history=True)
    log.close()
    save_bundle(tmp_path / "champion", JOURNEY)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WAYPOST_STORE", f"sqlite:///{tmp_path}/waypost.db")
    monkeypatch.setenv("WAYPOST_BUNDLE", str(tmp_path / "champion"))

    def run(*words: object) -> Result:
        return CliRunner().invoke(app, [str(word) for word in words])

    return run


class Elements(HTMLParser):
    """The names of the elements of a page, and the addresses that it names."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.addresses: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.addresses += [value or "" for name, value in attrs if name in ("href", "src")]


def test_tables_json_page_and_file(waypost: Run, tmp_path: Path) -> None:
    page = tmp_path / "pages" / "monitor.html"
    shown = waypost("monitor", "--html", page)
    assert shown.exit_code == 0, shown.output
    assert "drift since the training" in shown.stdout and "events in the last 7 days" in shown.stdout
    assert shown.stdout.rstrip().splitlines()[-1].startswith("the page is")
    found = json.loads(waypost("monitor", "--json").stdout)
    assert set(found["features"]) == set(JOURNEY.names)
    assert found["action"]["step"] in ("nothing", "retrain")
    assert json.loads((tmp_path / "monitor.json").read_text()) == found
    elements = Elements(page.read_text(encoding="utf-8"))
    assert {"svg", "table", "style"} <= elements.names and "script" not in elements.names
    assert elements.addresses == []


def test_a_damaged_bundle_is_an_alarm_and_a_missing_one_an_error(waypost: Run, tmp_path: Path) -> None:
    (tmp_path / "champion" / "recommender.npz").write_bytes(b"broken")
    found = json.loads(waypost("monitor", "--json").stdout)
    assert found["damaged"] and "damaged" in found["fault"] and found["alarms"][0]["kind"] == "bundle"
    assert advice(None).cause == "bundle"
    assert "bundle unusable" in waypost("monitor", "--html", tmp_path / "page.html").stdout
    (tmp_path / "champion" / "bundle.json").unlink()
    missing = waypost("monitor")
    assert missing.exit_code == 1 and "waypost train" in missing.output
