"""What `make` would run: one environment serves every command, and it only ever grows."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.house.tree import ROOT

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="needs make")
OLD, NEW = 1_000_000_000, 1_000_000_100


def make(folder: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run make in a copy, free of the variables of the make that runs these tests."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("MAKE", "MFLAGS"))}
    return subprocess.run(
        ["make", *arguments], cwd=folder, env=environment, capture_output=True, text=True, check=False
    )


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """A folder with the Makefile, and locks and pyproject.toml of an old date."""
    shutil.copy(ROOT / "Makefile", tmp_path)
    (tmp_path / "locks").mkdir()
    for path in [tmp_path / "pyproject.toml", *(tmp_path / "locks" / each.name for each in ROOT.glob("locks/*.txt"))]:
        path.touch()
        os.utime(path, (OLD, OLD))
    return tmp_path


def install(clone: Path, *sets: str) -> None:
    """Leave the traces of an installation of `sets`, newer than the locks."""
    (clone / ".venv/bin").mkdir(parents=True)
    for name in ("bin/python", ".installer", ".project", *(f".set-{each}" for each in sets)):
        (clone / ".venv" / name).touch()
        os.utime(clone / ".venv" / name, (NEW, NEW))


def test_help_is_the_default_and_lists_every_command(clone: Path) -> None:
    text = make(clone).stdout
    commands = next(line for line in (clone / "Makefile").read_text().splitlines() if line.startswith(".PHONY:"))
    for command in commands.removeprefix(".PHONY:").split():
        assert f"make {command} " in text


def test_a_fresh_clone_installs_the_set_of_the_command_with_hashes(clone: Path) -> None:
    plan = make(clone, "-n", "demo", "SERVE=0").stdout
    assert "-m venv" in plan
    assert "--require-hashes --compile-bytecode -r locks/demo.txt" in plan
    assert "dev.txt" not in plan
    assert plan.rstrip().endswith("--no-serve")


def test_a_second_run_installs_nothing(clone: Path) -> None:
    install(clone, "demo")
    assert make(clone, "-n", "demo").stdout == ".venv/bin/waypost demo --port 3000 \n"


@pytest.mark.parametrize("command", ["demo", "serve", "ui", "test"])
def test_the_widest_set_serves_every_command(clone: Path, command: str) -> None:
    install(clone, "server", "dev")
    os.utime(clone / "locks/server.txt", (NEW + 1, NEW + 1))
    assert "install" not in make(clone, "-n", command).stdout


def test_a_changed_lock_is_installed_again(clone: Path) -> None:
    install(clone, "dev")
    os.utime(clone / "locks/dev.txt", (NEW + 1, NEW + 1))
    assert "-r locks/dev.txt" in make(clone, "-n", "serve").stdout


def test_an_old_python_is_refused_with_the_command_to_run(clone: Path) -> None:
    old = clone / "python2"
    old.write_text('#!/bin/sh\n[ "$1" = --version ] && echo "Python 2.7.18" || exit 1\n')
    old.chmod(0o755)
    ran = make(clone, "demo", f"PYTHON={old}")
    assert ran.returncode != 0
    assert "is Python 2.7.18; Waypost needs Python 3.11 or newer" in ran.stderr
    assert "make PYTHON=python3.12 demo" in ran.stderr
    assert not (clone / ".venv").exists()
