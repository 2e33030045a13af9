"""No block of eight or more equal lines stands twice outside the tests, unless a sentence here defends it.

Lines are equal when they are but for white space; empty ones do not count. The lines of an import are passed over: each
file has to name what it uses, in an order that the formatter gives, so two files that use the same things look alike.
Locks, recorded data and golden files are written by programs, and are no lines of ours.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

from tests.house.tree import files_of_a_clone, name_of

LINES = 8
SUFFIXES = frozenset((".css", ".html", ".js", ".md", ".py", ".sh", ".toml", ".yaml", ".yml", ""))
NOT_OURS = ("locks/", "features/sources/samples/", "tests/", "LICENSE")

_GENERATED = "the page is made from the docstring, and a test compares them"
DEFENDED = {
    frozenset(("docs/stages.md", "insights/journey.py")): _GENERATED,
    frozenset(("docs/sources.md", "features/sources/formats/complete_journey.py")): _GENERATED,
    frozenset(("docs/sources.md", "features/sources/formats/segment.py")): _GENERATED,
    frozenset(("docs/howto/clients.md",)): "each program is copied whole, so each has to name all that it imports",
    frozenset((".importlinter",)): "import-linter has no name for all rooms: each contract has to list them",
}
"""Files, of which each says the same as the other (one that says it twice stands alone), and why that is right."""

Place = tuple[str, int]
"""A file, and which of its lines that count."""


def lines_of(path: Path) -> list[str]:
    """The lines of a file that count, their white space folded."""
    text = path.read_text(encoding="utf-8")
    imports = set[int]()
    if path.suffix == ".py":
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Import | ast.ImportFrom):
                imports.update(range(node.lineno, (node.end_lineno or node.lineno) + 1))
    return [
        " ".join(line.split())
        for number, line in enumerate(text.splitlines(), 1)
        if line.strip() and number not in imports
    ]


def equal_blocks(files: dict[str, list[str]]) -> Iterator[tuple[frozenset[str], str]]:
    """The files that share a block, and its first line, for each block of `LINES` lines that stands twice or more."""
    places: dict[tuple[str, ...], list[Place]] = {}
    for name, lines in files.items():
        for start in range(len(lines) - LINES + 1):
            places.setdefault(tuple(lines[start : start + LINES]), []).append((name, start))
    for block, found in places.items():
        first_file, first_start = found[0]
        for name, start in found[1:]:
            if name != first_file or start >= first_start + LINES:
                yield frozenset((first_file, name)), block[0]


def test_no_block_stands_twice() -> None:
    ours = [path for path in files_of_a_clone() if path.suffix in SUFFIXES and not name_of(path).startswith(NOT_OURS)]
    assert len(ours) > 300
    found = dict(equal_blocks({name_of(path): lines_of(path) for path in ours}))
    twice = {" and ".join(sorted(files)): line for files, line in found.items() if files not in DEFENDED}
    assert not twice, f"blocks of {LINES} equal lines; write each once, or defend it here: {twice}"
    assert set(DEFENDED) <= set(found), "what stands once needs no defence"


def test_a_block_is_found_whatever_its_indentation(tmp_path: Path) -> None:
    body = [f"line {number}" for number in range(LINES)]
    (tmp_path / "one.md").write_text("\n\n".join(body))
    (tmp_path / "two.md").write_text("first\n" + "\n".join(f"    {line}  " for line in body))
    (tmp_path / "three.md").write_text("\n".join(body[1:]))
    files = {path.name: lines_of(path) for path in sorted(tmp_path.iterdir())}
    assert list(equal_blocks(files)) == [(frozenset(("one.md", "two.md")), "line 0")]
    assert list(equal_blocks({"alone": body * 2})) == [(frozenset(("alone",)), "line 0")]


def test_imports_are_passed_over(tmp_path: Path) -> None:
    names = "\n".join(f"    name_{number}," for number in range(LINES))
    (tmp_path / "a.py").write_text(f"from somewhere import (\n{names}\n)\nvalue = 1\n")
    assert lines_of(tmp_path / "a.py") == ["value = 1"]
