"""Names come from the field: a room, a file or a class says what it is about."""

import ast
import re
from pathlib import Path

from tests.house.tree import ROOMS, ROOT, name_of, parsed, python_files

NOWHERE = {"utils", "util", "common", "core", "helpers", "helper", "misc", "shared", "lib", "tools"}
EMPTY_WORDS = ("Manager", "Handler", "Helper", "Util", "Utils")
UNFINISHED = re.compile("|".join(["TO" + "DO", "FIX" + "ME", "X" + "XX", "NotImplemented" + "Error"]))
PLACES = (*ROOMS, "waypost", "benchmarks", "tests")


def test_no_file_or_folder_is_named_after_nothing() -> None:
    paths = [path.relative_to(ROOT) for path in python_files(*PLACES)]
    vague = [path.as_posix() for path in paths if NOWHERE & {Path(part).stem for part in path.parts}]
    assert not vague, f"name each after what it is about: {vague}"


def test_no_class_is_named_after_nothing() -> None:
    vague = [
        f"{name_of(path)}:{node.name}"
        for path in python_files(*ROOMS, "waypost")
        for node in ast.walk(parsed(path))
        if isinstance(node, ast.ClassDef) and node.name.endswith(EMPTY_WORDS)
    ]
    assert not vague, f"name each after what it is: {vague}"


def test_nothing_is_left_unfinished() -> None:
    left = [
        f"{name_of(path)}:{number}: {line.strip()}"
        for path in python_files(*PLACES)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if UNFINISHED.search(line)
    ]
    assert not left, f"finish each: {left}"
