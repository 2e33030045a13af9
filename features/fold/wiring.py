"""Writes the text of a fold: one self-contained Python module for numba, made from declarations.

The text holds the kernels of the aggregates (copied from their classes) and the wiring: which kernel runs on
which kind of event, where its slots lie, and which readings make which feature. Nothing else is generated, and
nothing is compiled from anywhere else, so the hash of the text identifies what a fold computes.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterable
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from features.aggregates import kernels
from features.aggregates.base import CODES, WORDS, Aggregate, Reading
from features.events import EVENT, Kind
from features.fold.feature_set import Declarations

JIT = "@kernel"
ENTRY = "@entry"
DECORATORS = """\
# A kernel is only ever inlined into an entry point: without ways in from Python and C it compiles in two thirds of
# the time, and inlined for certain it runs in half.
kernel = njit(error_model="numpy", forceinline=True, no_cpython_wrapper=True, no_cfunc_wrapper=True)
entry = njit(cache=True, nogil=True, error_model="numpy", no_cfunc_wrapper=True)
"""
WIDE = 4
"""Aggregates that select more kinds than this are reached through a table, not repeated in every branch."""

LOOPS = Path(__file__).with_name("loops.py")


class WiringError(TypeError):
    """A kernel has an argument that its aggregate does not provide."""


def layout(aggregates: Iterable[Aggregate]) -> np.dtype[np.void]:
    """The record of a state: every slot of every aggregate, widest first to avoid padding."""
    fields: list[tuple[str, np.dtype[Any], tuple[int, ...]]] = []
    for aggregate in aggregates:
        for slot, value in aggregate.empty().items():
            array = np.asarray(value)
            fields.append((f"{aggregate.name}__{slot}", array.dtype, array.shape))
    fields.sort(key=lambda field: -field[1].itemsize)
    size = sum(dtype.itemsize * int(np.prod(shape)) for _, dtype, shape in fields)
    padding = -size % 8
    if padding:
        fields.append(("_reserved", np.dtype(np.uint8), (padding,)))
    return np.dtype([(name, dtype, shape) if shape else (name, dtype) for name, dtype, shape in fields], align=True)


@cache
def _function_text(function: Callable[..., Any], name: str) -> str:
    """The source of a kernel under another name, without decorators, annotations and docstring."""
    tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    definition = tree.body[0]
    if not isinstance(definition, ast.FunctionDef):
        raise WiringError(f"{function!r} is not a plain function")
    definition.name = name
    definition.decorator_list = []
    definition.returns = None
    for argument in definition.args.args:
        argument.annotation = None
    if ast.get_docstring(definition) is not None:
        definition.body = definition.body[1:]
    return f"{JIT}\n{ast.unparse(definition)}\n"


def _kernel_name(aggregate: Aggregate, kernel: str) -> str:
    return f"{type(aggregate).__name__.lower()}_{kernel}"


def _kernel_texts(aggregates: list[Aggregate]) -> list[str]:
    texts: dict[str, str] = {}
    for aggregate in aggregates:
        for function in aggregate.uses:
            texts.setdefault(function.__name__, _function_text(function, function.__name__))
    for aggregate in aggregates:
        for kernel in ("update", *aggregate.reading_kernels()):
            name = _kernel_name(aggregate, kernel)
            texts.setdefault(name, _function_text(getattr(type(aggregate), kernel), name))
    return list(texts.values())


def _argument(aggregate: Aggregate, kernel: str, word: str) -> str:
    """The text that binds one argument of a kernel by its name."""
    slots = aggregate.empty()
    if word in slots:
        slot = np.asarray(slots[word])
        place = f"s['{aggregate.name}__{word}']"
        if slot.shape:
            return place
        return f"np.float64({place})" if slot.dtype.kind == "f" else f"np.int64({place})"
    parameters = aggregate.parameters()
    if word in parameters:
        return repr(parameters[word])
    if kernel == "update" and word == "value":
        return aggregate.selection.column or "1.0"
    if word in (WORDS if kernel == "update" else ("now",)):
        return word
    known = [*slots, *parameters, *(("value", *WORDS) if kernel == "update" else ("now",))]
    raise WiringError(
        f"{type(aggregate).__name__}.{kernel} asks for '{word}', which is no slot, parameter or word; "
        f"it may ask for: {', '.join(known)}"
    )


def _call(aggregate: Aggregate, kernel: str) -> str:
    words = inspect.signature(getattr(type(aggregate), kernel)).parameters
    arguments = ", ".join(_argument(aggregate, kernel, word) for word in words)
    return f"{_kernel_name(aggregate, kernel)}({arguments})"


def _guard(aggregate: Aggregate) -> str:
    """The condition, beside the kind, under which an event counts; empty when it always does."""
    conditions = []
    if aggregate.selection.channels:
        conditions.append("(" + " or ".join(f"channel == {int(code)}" for code in aggregate.selection.channels) + ")")
    column = aggregate.selection.column
    if column in CODES:
        conditions.append(f"{column} >= {CODES[column]}")
    elif column:
        conditions.append(f"{column} == {column}")
    return " and ".join(conditions)


def _update_lines(aggregate: Aggregate) -> list[str]:
    """Statements that fold one event into the slots of one aggregate."""
    scalars = [slot for slot, value in aggregate.empty().items() if not np.shape(value)]
    call = _call(aggregate, "update")
    if not scalars:
        lines = [call]
    elif len(scalars) == 1:
        lines = [f"s['{aggregate.name}__{scalars[0]}'] = {call}"]
    else:
        new = [f"new_{slot}" for slot in scalars]
        lines = [f"{', '.join(new)} = {call}"]
        lines += [f"s['{aggregate.name}__{slot}'] = {value}" for slot, value in zip(scalars, new, strict=True)]
    guard = _guard(aggregate)
    return [f"if {guard}:", *(f"    {line}" for line in lines)] if guard else lines


def _block(indent: int, aggregates: Iterable[Aggregate]) -> list[str]:
    return [" " * indent + line for aggregate in aggregates for line in _update_lines(aggregate)]


def _update_text(aggregates: list[Aggregate]) -> str:
    groups: dict[tuple[Kind, ...], list[Aggregate]] = {}
    for aggregate in aggregates:
        groups.setdefault(aggregate.selection.kinds, []).append(aggregate)
    lines = [JIT, f"def update(s, {', '.join(WORDS)}):"]
    tables: list[str] = []
    for kinds, members in groups.items():
        if len(kinds) == len(Kind):
            lines += _block(4, members)
        elif len(kinds) > WIDE:
            name = f"KINDS_{len(tables)}"
            tables.append(f"{name} = np.array([{', '.join(str(int(k in kinds)) for k in range(256))}], dtype=np.uint8)")
            lines += [f"    if {name}[kind]:", *_block(8, members)]
    word = "if"
    for kind in Kind:
        members = [
            aggregate for kinds, group in groups.items() if kind in kinds and len(kinds) <= WIDE for aggregate in group
        ]
        if members:
            lines += [f"    {word} kind == {int(kind)}:  # {kind.name}", *_block(8, members)]
            word = "elif"
    return "\n".join([*tables, "", *lines, ""])


def _read_text(declarations: Declarations) -> str:
    lines = [JIT, "def read(s, now, out):"]
    names: dict[str, str] = {}
    for expr in declarations.features.values():
        for leaf in expr.walk():
            if isinstance(leaf, Reading) and leaf.key not in names:
                names[leaf.key] = f"r{len(names)}"
                lines.append(f"    {names[leaf.key]} = {_call(leaf.aggregate, leaf.kernel)}")
    for index, (name, expr) in enumerate(declarations.features.items()):
        lines.append(f"    out[{index}] = {expr.code(names)}  # {name}")
    return "\n".join([*lines, ""])


def _constants() -> str:
    """The constants and small functions of kernels.py, each function compiled."""
    source = Path(inspect.getfile(kernels)).read_text().split("# --- copied into every fold ---\n")[1]
    body = ast.parse(source).body
    plain = [ast.unparse(node) for node in body if not isinstance(node, ast.FunctionDef)]
    functions = [
        _function_text(getattr(kernels, node.name), node.name) for node in body if isinstance(node, ast.FunctionDef)
    ]
    kinds = [f"{kind.name} = {int(kind)}" for kind in Kind]
    return "\n".join([*plain, *kinds, "", *functions])


def _loops() -> str:
    """The four entry points of a fold, from loops.py."""
    body = ast.parse(LOOPS.read_text()).body
    texts = []
    for node in body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            node.body = node.body[1:] if ast.get_docstring(node) is not None else node.body
            node.returns = None
            for argument in node.args.args:
                argument.annotation = None
            texts.append(f"{ENTRY}\n{ast.unparse(node)}\n")
    return "\n".join(texts)


def fold_text(declarations: Declarations) -> str:
    """The whole module of a fold."""
    aggregates = declarations.aggregates()
    parts = [
        "# Generated from the feature declarations; a changed declaration changes this text and its hash.",
        "import math\n\nimport numpy as np\nfrom numba import njit\n",
        DECORATORS,
        f"# events: {EVENT.descr}",
        f"# state: {layout(aggregates).descr}",
        _constants(),
        *_kernel_texts(aggregates),
        _update_text(aggregates),
        _read_text(declarations),
        _loops(),
    ]
    return "\n".join(parts)
