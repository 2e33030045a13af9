"""What rots is the centre, and only a size rule holds it small."""

import ast
from collections.abc import Iterator

from tests.house.tree import ROOMS, name_of, parsed, python_files

FILE_LINES = 350
FUNCTION_LINES = 40


def functions_of(tree: ast.Module) -> Iterator[tuple[ast.FunctionDef | ast.AsyncFunctionDef, int]]:
    """Each function with its number of lines; decorators and the docstring are not counted."""
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
            first = node.body[0]
            documented = ast.get_docstring(node) is not None and first.end_lineno is not None
            docstring = (first.end_lineno or 0) - first.lineno + 1 if documented else 0
            yield node, node.end_lineno - node.lineno + 1 - docstring


def test_a_file_is_one_room() -> None:
    paths = python_files(*ROOMS, "waypost", "benchmarks", "tests")
    sizes = {name_of(path): len(path.read_text(encoding="utf-8").splitlines()) for path in paths}
    long = {name: lines for name, lines in sizes.items() if lines > FILE_LINES}
    assert not long, f"more than {FILE_LINES} lines; make each a folder of the same name: {long}"


def test_a_function_fits_a_page() -> None:
    long = {
        f"{name_of(path)}:{node.name}": lines
        for path in python_files(*ROOMS, "waypost", "benchmarks")
        for node, lines in functions_of(parsed(path))
        if lines > FUNCTION_LINES
    }
    assert not long, f"more than {FUNCTION_LINES} lines; each says several things: {long}"


def test_docstrings_and_decorators_are_not_counted() -> None:
    source = '@first\n@second\ndef short() -> int:\n    """One.\n\n    Two.\n    """\n    return 1\n'
    assert [lines for _, lines in functions_of(ast.parse(source))] == [2]
