"""docs/howto/cluster.md runs from top to bottom: each command of the page, on a cluster of this machine."""

from __future__ import annotations

import json
import re
import shlex
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path

import pytest
from typer.testing import CliRunner

from features.log import open_log
from features.log.parquet.exported import ExportedLog
from tests.house.tree import ROOT
from tests.tracking import empty_store
from tests.worlds import shop
from training.cluster import ClusterError, connected, trees
from training.tracking.store import STORE
from waypost import app, learning

PAGE = (ROOT / "docs/howto/cluster.md").read_text(encoding="utf-8")


def blocks(language: str) -> list[str]:
    """The code blocks of the page."""
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


@contextmanager
def running(command: str, place: Path) -> Iterator[None]:
    """A command that goes on until it is ended."""
    program, *words = shlex.split(command)
    process = subprocess.Popen(
        [Path(sys.executable).parent / program, *words], cwd=place, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        yield
    finally:
        process.terminate()
        process.wait(30)


def test_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("WAYPOST_STORE", "sqlite:///waypost.db")
    monkeypatch.setattr(learning, "step_back", lambda: None)
    monkeypatch.setattr(trees, "ROUNDS", 20)
    empty_store(STORE)
    with closing(open_log(tmp_path / "waypost.db")) as log:
        log.append(shop(customers=220).rows(), history=True)
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port = found.getsockname()[1]

    def here(text: str) -> str:
        return (
            text.replace("10.0.0.1", "127.0.0.1")
            .replace("8786", str(port))
            .replace("32GB", "2GB")
            .replace("--nthreads 8", "--nthreads 1")
        )

    install, added, export, scheduler, worker, train = (line for block in blocks("sh") for line in block.splitlines())
    assert install.startswith("pip install '.[cluster]'") and added.endswith("--editable '.[cluster]'")
    done = CliRunner().invoke(app, shlex.split(export)[1:])
    assert done.exit_code == 0, done.output
    (program,) = blocks("python")
    with ExitStack() as cluster:
        cluster.enter_context(running(here(scheduler), tmp_path))
        with (
            pytest.raises(ClusterError, match=r"has no worker; start some with: dask worker tcp://127.0.0.1"),
            connected(f"tcp://127.0.0.1:{port}", ExportedLog("data/export"), seconds=6.0),
        ):
            raise AssertionError
        cluster.enter_context(running(here(worker), tmp_path))
        exec(compile(here(program), "docs/howto/cluster.md", "exec"), {})
        trained = CliRunner().invoke(app, [*shlex.split(here(train))[1:], "conversion_7d", "--json"])
        assert trained.exit_code == 0, trained.output
    assert re.search(r"^[\d,]+ rows, \d+ trees$", capsys.readouterr().out, re.MULTILINE)
    card = json.loads((tmp_path / "data" / "bundles").glob("*/bundle.json").__next__().read_text())["targets"]
    assert "lightgbm" in card["conversion_7d"]["losses"]


def test_what_the_page_says_of_mistakes_is_what_is_said() -> None:
    code = "".join((ROOT / "training/cluster" / name).read_text() for name in ("connection.py", "rows.py"))
    said = re.sub(r'"\s*f?"', "", code)
    rows = re.findall(r"^\| (.+?) \| .+ \|$", PAGE, re.MULTILINE)[2:]
    assert len(rows) == 6
    assert all(row in said for row in rows[:5]), "each quotes an error"
