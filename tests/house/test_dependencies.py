"""Every library that the code imports is declared, in the set of the room that imports it, and explained."""

import ast
import re
import sys
import tomllib
from functools import cache
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest
from packaging.utils import canonicalize_name

from tests.house.tree import ROOMS, ROOT, name_of, parsed, python_files

FIRST_PARTY = {*ROOMS, "waypost", "benchmarks", "tests"}
SETS = ("server", "training", "cluster", "demo", "dev")
# The widest set that a place may import from; a narrower one where the server stands on it.
WIDEST = {
    "models": "server",
    "insights": "server",
    "serving": "server",
    "features": "training",
    "training": "cluster",
    "waypost": "demo",
    "benchmarks": "dev",
    "tests": "dev",
}


@cache
def declared() -> dict[str, set[str]]:
    """Names of the distributions that each set declares itself."""
    pyproject = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    sets = {"server": pyproject["dependencies"], **pyproject["optional-dependencies"]}
    return {
        name: {str(canonicalize_name(re.split(r"[^\w.-]", line, maxsplit=1)[0])) for line in lines} - {"waypost"}
        for name, lines in sets.items()
    }


def libraries_of(path: Path) -> set[str]:
    """Top-level names of the libraries a file imports, anywhere in it."""
    names: set[str] = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            names.update(alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module.split(".")[0])
    return names - FIRST_PARTY - set(sys.stdlib_module_names)


def within(widest: str) -> set[str]:
    """Names of the distributions that a set declares, with those of the sets inside it."""
    return set().union(*(declared()[name] for name in SETS[: SETS.index(widest) + 1]))


def test_every_import_is_declared() -> None:
    distributions = packages_distributions()
    undeclared = []
    for path in python_files(*WIDEST):
        widest = WIDEST[path.relative_to(ROOT).parts[0]]
        for library in libraries_of(path):
            names = {canonicalize_name(name) for name in distributions.get(library, [library])}
            if not names & within(widest):
                undeclared.append(f"{name_of(path)} imports {library}, which the set {widest!r} lacks")
    assert not undeclared, f"declare each in pyproject.toml and run `make lock`: {undeclared}"


@pytest.mark.parametrize("name", sorted(set().union(*declared().values())))
def test_every_dependency_says_why_it_is_here(name: str) -> None:
    lines = (ROOT / "ARCHITECTURE.md").read_text("utf-8").splitlines()
    explained = [line.split("|")[1] for line in lines if line.startswith("|")]
    assert any(f"`{name}`" in cell for cell in explained), f"ARCHITECTURE.md has no row that says why {name} is here"
