"""One word for one thing: the glossary is true, names keep to it, and tasks are done where the tree says."""

import ast
import re
from pathlib import Path

import pytest

from tests.house.tasks import TASKS, Task
from tests.house.tree import ROOMS, ROOT, name_of, parsed, python_files

ROW = re.compile(r"^\| ([^|]+) \| ([^|]+) \| `([^`]+)` \|$", re.MULTILINE)

BANNED = {
    "arrivals": "ingest", "circles": "connected components", "climb": "selection",
    "desk": "engine thread", "door": "auth", "doors": "auth", "exchange": "request, response", "holdings": "export",
    "homes": "partitioning", "intake": "batch", "ladder": "tier selection", "leading": "leader lock",
    "opening": "store factory", "packing": "bundle builder", "reign": "membership period",
    "reigns": "membership periods", "rung": "tier", "rungs": "tiers", "spread": "interval", "stopping": "shutdown",
    "stranger": "unknown customer", "studied": "tuned", "taste": "parameters", "tops": "top reasons",
    "upkeep": "maintenance",
}  # fmt: skip
"""Words that once stood for what the field has words for, and those words."""


def glossary() -> list[tuple[str, str, str]]:
    """Term, meaning and place of every row."""
    rows = ROW.findall((ROOT / "docs" / "glossary.md").read_text(encoding="utf-8"))
    return [(term, meaning, place) for term, meaning, place in rows if term != "term"]


def test_every_term_has_its_place_and_comes_once() -> None:
    rows = glossary()
    terms = [term for term, _, _ in rows]
    assert len(rows) > 60 and len(set(terms)) == len(terms)
    assert [place for _, _, place in rows if not (ROOT / place).exists()] == []
    assert terms == sorted(terms, key=str.lower)


@pytest.mark.parametrize("place", [*ROOMS, "waypost"])
def test_names_are_the_words_of_the_field(place: str) -> None:
    found = []
    for path in python_files(place):
        names = [path.stem]
        for node in ast.walk(parsed(path)):
            if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
                names.append(node.name)
        for name in names:
            words = {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", name)}
            found += [f"{name_of(path)}: {name} (say {BANNED[word]})" for word in words & BANNED.keys()]
    assert not found, found


@pytest.mark.parametrize("task", TASKS, ids=lambda task: Path(task.file).stem)
def test_a_task_is_done_where_the_list_says(task: Task) -> None:
    assert task.holds in (ROOT / task.file).read_text(encoding="utf-8"), task


def test_there_are_thirty_tasks_in_files_of_their_own() -> None:
    assert len({task.file for task in TASKS}) == len(TASKS) == 30
