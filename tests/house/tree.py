"""What stands in the repository: its rooms, their Python files, and every file a clone would have."""

import ast
import shutil
import subprocess
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ROOMS = ("features", "models", "training", "insights", "serving")


def python_files(*places: str) -> list[Path]:
    """The Python files of folders or single files, given relative to the root, in order of their paths."""
    found: set[Path] = set()
    for place in places:
        path = ROOT / place
        found.update([path] if path.is_file() else path.rglob("*.py"))
    return sorted(found)


@cache
def parsed(path: Path) -> ast.Module:
    """The syntax of a Python file, which several laws look at and none changes."""
    return ast.parse(path.read_text(encoding="utf-8"))


def name_of(path: Path) -> str:
    """The path as a person reads it, relative to the root; also the name of a test's case."""
    return path.relative_to(ROOT).as_posix()


def files_of_a_clone() -> list[Path]:
    """Every file that is committed, or would be: all but what .gitignore names. Skips the test outside a clone."""
    if shutil.which("git") is None or not (ROOT / ".git").exists():
        pytest.skip("needs git and a clone: lists the files that are committed")
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout
    return [ROOT / name for name in listed.split("\0") if name and (ROOT / name).is_file()]
