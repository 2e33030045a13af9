"""The how-to pages are true: commands run, in their order, in one shop; notebooks run from top to bottom."""

from __future__ import annotations

import os
import re
import shlex
import tomllib
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from typer.testing import CliRunner, Result

from features.log import open_log
from tests.house.tree import ROOT
from tests.serving.shop import shop
from tests.tracking import empty_store
from training.fitting import candidates
from training.targets import TARGETS, declared
from training.tracking.store import STORE
from waypost import app, learning

NOW = 1_780_000_000_000_000
HOWTO = ROOT / "docs" / "howto"
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ELSEWHERE = ("make ", "mlflow run ", "export ")
"""Lines that other tests hold to their word: `test_make.py`, `test_mlproject.py`."""

Waypost = Callable[[str], Result]


@pytest.fixture
def waypost(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Waypost:
    """Runs a line in the folder of a small shop, which has two targets."""
    monkeypatch.chdir(tmp_path)
    for name in ("MLFLOW_TRACKING_URI", "MLFLOW_RUN_ID", "WAYPOST_STORE", "WAYPOST_BUNDLE", "WAYPOST_TARGETS"):
        monkeypatch.delenv(name, raising=False)
    few = {name: TARGETS[name] for name in ("conversion_7d", "churn_28d")}
    monkeypatch.setattr(declared, "TARGETS", few)
    monkeypatch.setattr(learning, "step_back", lambda: None)
    monkeypatch.setattr(candidates, "ROUNDS", 20)
    (tmp_path / "data").mkdir()
    empty_store(STORE)
    log = open_log("data/waypost.db")
    log.append(shop(NOW, customers=80), history=True)
    log.close()

    def run(line: str) -> Result:
        # A test has no twenty minutes: the study ends after its first trial.
        words = shlex.split(re.sub(r"--study \d+", "--study 0.0001", line), comments=True)
        words += ["--no-pictures"] * (words[1] == "train" and ">" not in words)
        file = words[words.index(">") + 1] if ">" in words else None
        result = CliRunner().invoke(app, words[1 : words.index(">") if file else None])
        if file:
            Path(file).write_text(result.stdout, encoding="utf-8")
        assert result.exit_code == 0, f"{line}: {result.output}"
        return result

    return run


def test_how_to_retrain(waypost: Waypost, capsys: pytest.CaptureFixture[str]) -> None:
    blocks = BLOCK.findall((HOWTO / "retrain.md").read_text(encoding="utf-8"))
    for language, text in blocks:
        if language == "sh":
            for line in text.splitlines():
                if not line.startswith(ELSEWHERE):
                    waypost(line)
        elif language == "python":
            exec(compile(text, "retrain.md", "exec"), {})
            assert {"probability", "low", "high", "rank_percentile", "rank_band"} <= set(
                capsys.readouterr().out.split()
            )
        elif language == "toml":
            Path("targets.toml").write_text(text, encoding="utf-8")
            (name,) = tomllib.loads(text)
            waypost(f"waypost train {name}")
    assert {language for language, _ in blocks} == {"sh", "python", "toml"}


@pytest.mark.parametrize("path", sorted(HOWTO.glob("*.ipynb")), ids=lambda path: path.name)
def test_notebooks_run_from_top_to_bottom(path: Path, tmp_path: Path) -> None:
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1)), "committed as it ran, in order"
    assert not any(output.output_type == "error" for cell in code for output in cell.outputs)
    assert str(ROOT) not in path.read_text(encoding="utf-8"), "no path of a machine"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    client = NotebookClient(
        notebook, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}
    )
    client.execute(env=environment)
