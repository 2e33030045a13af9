"""One word for one thing: the glossary is true, names keep to it, and tasks are done where the tree says."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.tasks import TASKS, Task
from tests.house.tree import ROOMS, ROOT, parsed, python_files

ROW = re.compile(r"^\| ([^|]+) \| ([^|]+) \| `([^`]+)` \|$", re.MULTILINE)

BANNED = {
    "arrivals": "ingest", "buyers": "clv", "circles": "connected components", "climb": "selection",
    "desk": "engine thread", "door": "auth", "doors": "auth", "each": "what it really is",
    "exchange": "request, response", "found": "what it really is", "holdings": "export", "homes": "partitioning",
    "intake": "batch", "ladder": "tier selection", "leading": "leader lock", "letters": "dead letters",
    "moments": "schedule, times", "opening": "store factory", "packing": "bundle builder",
    "reign": "membership period", "reigns": "membership periods", "rung": "tier", "rungs": "tiers",
    "spread": "interval, deviation", "standing": "customer scores", "stopping": "shutdown",
    "stranger": "unknown customer", "studied": "tuned", "taken": "batch, result", "taste": "parameters",
    "told": "what it really is", "tops": "top reasons", "trained": "target result", "upkeep": "maintenance",
    "way": "candidate",
}  # fmt: skip
"""Words that once stood for what the field has words for, and those words."""

ORDINARY = {"leading", "opening", "stopping", "tops"}
"""What variables may be named by: early stopping, the day a shop opens, the tops of trees. Rooms and functions not."""

PHRASES = re.compile("dead_?letters|not_?found", re.IGNORECASE)
"""Terms of the field that hold such a word."""

IN_THE_FOLD = ("features/aggregates/", "features/fold/loops.py")
"""The text of these functions is the fold, whose fingerprint stored states and models carry."""

ON_DISK = {("features/log/parquet/folder.py", "letters"), ("serving/engine/dead_letters.py", "letters"),
           ("waypost/doctor.py", "found"), ("training/rows/labels.py", "_taken_back")}  # fmt: skip
"""Keys of JSON that is stored or printed, and the name of a function of the fold."""


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


def names_of(path: Path) -> Iterator[tuple[str, set[str]]]:
    """What a file names (itself, classes, functions, parameters, variables, attributes), and the words for none."""
    yield path.stem, set(BANNED)
    for node in ast.walk(parsed(path)):
        match node:
            case ast.ClassDef(name=name) | ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name, set(BANNED)
            case ast.arg(arg=name) | ast.Name(id=name, ctx=ast.Store()) | ast.Attribute(attr=name, ctx=ast.Store()):
                yield name, BANNED.keys() - ORDINARY


@pytest.mark.parametrize("place", [*ROOMS, "waypost", "benchmarks"])
def test_names_are_the_words_of_the_field(place: str) -> None:
    wrong = []
    for path in python_files(place):
        file = path.relative_to(ROOT).as_posix()
        for name, banned in names_of(path) if not file.startswith(IN_THE_FOLD) else ():
            words = {word.lower() for word in re.findall(r"[A-Z]?[a-z]+|[A-Z]+", PHRASES.sub("", name))}
            wrong += [f"{file}: {name} (say {BANNED[w]})" for w in words & banned if (file, name) not in ON_DISK]
    assert not wrong, wrong


@pytest.mark.parametrize("task", TASKS, ids=lambda task: Path(task.file).stem)
def test_a_task_is_done_where_the_list_says(task: Task) -> None:
    assert task.holds in (ROOT / task.file).read_text(encoding="utf-8"), task


def test_there_are_thirty_tasks_in_files_of_their_own() -> None:
    assert len({task.file for task in TASKS}) == len(TASKS) == 30
