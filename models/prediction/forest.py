"""A forest of small trees, laid out for batches: the predictions of LightGBM, bit for bit, in a fraction of the time.

LightGBM follows every row down every tree, with a branch at each node that the processor cannot predict. Here all
nodes of a tree are evaluated for a block of rows at once, without a branch (QuickScorer: Lucchese and others, 2015;
vectorised: 2016). A node has a mask with a bit for each leaf: where a row goes right, the leaves on the left of the
node are excluded. The row falls into the leaf of the lowest bit that remains. The compiler vectorises the inner loop.

The bits are the same as LightGBM's for three reasons: leaves are added tree by tree in float64; a float32 is at most a
threshold exactly if it is at most the largest float32 that is; and the link uses the C library's `exp`. Tests check
it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

MOST_LEAVES = 64
"""Leaves a tree may have: a bit for each in a machine word."""

_EVERY = (1 << MOST_LEAVES) - 1
_ROWS = 64
_ZERO = np.float32(1e-35)
"""LightGBM counts a value no further from zero than this as zero."""

_CATEGORICAL, _DEFAULT_LEFT = 1, 2
_ABSENT_IS_ZERO, _ZERO_IS_ABSENT = 0, 1
"""How a node treats NaN (bits 2 and 3 of its decision type): NaN as zero, or zero as NaN; else NaN has its own side."""


class UnsuitableForest(ValueError):
    """A model that cannot be laid out like this, and is left to LightGBM itself; the message says why."""


@dataclass(frozen=True, slots=True)
class _Tree:
    """One tree: its nodes, those that send NaN right before those that send it left, and its leaves from the left."""

    features: list[int]
    thresholds: list[np.float32]
    masks: list[int]
    """Bits of the leaves that remain when a row goes right."""
    right: int
    """How many nodes send NaN right."""
    values: list[float]


class Forest:
    """The trees of a LightGBM model with one output and trees of at most `MOST_LEAVES` leaves. Safe between threads."""

    def __init__(self, text: str) -> None:
        """Read a model's text form.

        Raises `UnsuitableForest` for categorical splits, zeros that count as absent, linear or averaged trees, several
        outputs, larger trees, and objectives other than the binary one.
        """
        header, *sections = text.partition("\nend of trees")[0].split("\nTree=")
        self._sigmoid = _sigmoid(header)
        trees = [_tree(_fields(section)) for section in sections]
        wide = any(len(tree.values) > 32 for tree in trees)
        self.features = int(_fields(header)["max_feature_idx"]) + 1
        self._columns = np.array([feature for tree in trees for feature in tree.features], np.uint32)
        self._thresholds = np.array([threshold for tree in trees for threshold in tree.thresholds], np.float32)
        masks = np.array([mask for tree in trees for mask in tree.masks], np.uint64)
        self._masks = masks if wide else masks.astype(np.uint32)
        self._values = np.array([value for tree in trees for value in tree.values], np.float64)
        nodes = np.cumsum([0, *(len(tree.features) for tree in trees)])
        turns = nodes[:-1] + [tree.right for tree in trees]
        leaves = np.cumsum([0, *(len(tree.values) for tree in trees)])[:-1]
        self._shapes = np.stack([nodes[:-1], turns, nodes[1:], leaves], axis=1).astype(np.uint64)

    def raw_many(self, matrix: NDArray[np.float32], threads: int = 1) -> NDArray[np.float64]:
        """The model's output for each row of float32[n, features]: float64[n]. ValueError for another shape.

        It runs without the interpreter's lock, on so many `threads`.
        """
        if matrix.ndim != 2 or matrix.shape[1] != self.features:
            raise ValueError(f"Rows have shape {matrix.shape}; expected (n, {self.features}).")
        out = np.zeros(len(matrix))
        rows = np.ascontiguousarray(matrix, np.float32)
        edges = np.linspace(0, len(rows), threads + 1).astype(int).tolist()
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda start, stop: self._add(rows[start:stop], out[start:stop]), edges, edges[1:]))
        return out

    def _add(self, rows: NDArray[np.float32], out: NDArray[np.float64]) -> None:
        _add(rows, self._columns, self._thresholds, self._masks, self._shapes, self._values, self._sigmoid, out)


@njit(cache=True, nogil=True)
def _add(
    rows: Any, columns: Any, thresholds: Any, masks: Any, shapes: Any, values: Any, sigmoid: float, out: Any
) -> None:
    """Sum the leaves that each row falls into, and apply the link."""
    block = np.zeros((rows.shape[1], _ROWS), np.float32)
    held = np.empty(_ROWS, masks.dtype)
    lowest = np.empty(_ROWS, np.float64)
    exponents = lowest.view(np.int64)
    total = np.empty(_ROWS, np.float64)
    every = ~masks.dtype.type(0)
    one = masks.dtype.type(1)
    for start in range(0, len(rows), _ROWS):
        number = min(_ROWS, len(rows) - start)
        for row in range(number):
            for column in range(rows.shape[1]):
                block[column, row] = rows[start + row, column]
        total[:] = 0.0
        for tree in range(len(shapes)):
            held[:] = every
            for node in range(shapes[tree, 0], shapes[tree, 1]):
                asked, threshold, mask = block[columns[node]], thresholds[node], masks[node]
                for row in range(_ROWS):
                    held[row] &= every if asked[row] <= threshold else mask
            for node in range(shapes[tree, 1], shapes[tree, 2]):
                asked, threshold, mask = block[columns[node]], thresholds[node], masks[node]
                for row in range(_ROWS):
                    held[row] &= mask if asked[row] > threshold else every
            # The exponent of a power of two is the place of its bit.
            for row in range(_ROWS):
                lowest[row] = np.float64(held[row] & (~held[row] + one))
            leaves = values[shapes[tree, 3] :]
            for row in range(_ROWS):
                total[row] += leaves[(exponents[row] >> 52) - 1023]
        for row in range(number):
            out[start + row] = 1.0 / (1.0 + math.exp(-sigmoid * total[row]))


def _fields(section: str) -> dict[str, str]:
    return dict(line.partition("=")[::2] for line in section.splitlines())


def _sigmoid(header: str) -> float:
    """The steepness of the link, for a model that has one output and this link."""
    fields = _fields(header)
    objective, _, steepness = fields.get("objective", "").partition(" sigmoid:")
    if objective != "binary" or fields.get("num_tree_per_iteration") != "1" or "average_output" in fields:
        raise UnsuitableForest(
            f"the model has the objective {fields.get('objective')!r} and {fields.get('num_tree_per_iteration')} trees "
            "an iteration; expected binary, one, and no average"
        )
    return float(steepness)


def _tree(fields: Mapping[str, str]) -> _Tree:
    leaves = int(fields["num_leaves"])
    if leaves > MOST_LEAVES or fields.get("num_cat", "0") != "0" or fields.get("is_linear", "0") != "0":
        raise UnsuitableForest(
            f"a tree has {leaves} leaves, {fields.get('num_cat')} categorical splits and is_linear="
            f"{fields.get('is_linear')}; expected at most {MOST_LEAVES} leaves, none, and 0"
        )
    values = [float(value) for value in fields["leaf_value"].split()]
    if leaves == 1:
        return _Tree([], [], [], 0, values)
    order, spans = _from_the_left(
        [int(child) for child in fields["left_child"].split()], [int(child) for child in fields["right_child"].split()]
    )
    thresholds, sides = zip(*map(_question, fields["threshold"].split(), fields["decision_type"].split()), strict=True)
    columns = [int(feature) for feature in fields["split_feature"].split()]
    sorted_nodes = sorted(range(leaves - 1), key=lambda node: sides[node])
    return _Tree(
        [columns[node] for node in sorted_nodes],
        [thresholds[node] for node in sorted_nodes],
        [_EVERY & ~((1 << spans[node][1]) - (1 << spans[node][0])) for node in sorted_nodes],
        sides.count(False),
        [values[leaf] for leaf in order],
    )


def _from_the_left(left: Sequence[int], right: Sequence[int]) -> tuple[list[int], list[tuple[int, int]]]:
    """The leaves of a tree from left to right, and for each node the range of those in its left subtree."""
    order: list[int] = []
    spans = [(0, 0)] * len(left)

    def visit(node: int) -> None:
        if node < 0:
            order.append(~node)
            return
        first = len(order)
        visit(left[node])
        spans[node] = first, len(order)
        visit(right[node])

    visit(0)
    return order, spans


def _question(threshold: str, decision: str) -> tuple[np.float32, bool]:
    """The largest float32 that goes left at a node, and whether NaN does."""
    kind, limit = int(decision), float(threshold)
    absent = kind >> 2
    if kind & _CATEGORICAL or absent == _ZERO_IS_ABSENT:
        raise UnsuitableForest(f"a node has the decision type {kind}; expected a number that is absent when it is NaN")
    if -float(_ZERO) <= limit < float(_ZERO):
        largest = _ZERO if limit >= 0 else np.nextafter(-_ZERO, np.float32(-np.inf))
    else:
        with np.errstate(over="ignore"):
            largest = np.float32(limit)
        if float(largest) > limit:
            largest = np.nextafter(largest, np.float32(-np.inf))
    return largest, limit >= 0 if absent == _ABSENT_IS_ZERO else bool(kind & _DEFAULT_LEFT)
