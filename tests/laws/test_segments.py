"""Laws of segments, over every segment of the catalogue and any scoreboard, beside a naive answer row by row."""

import math
import operator
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from features.grammar import Binary, Column, Constant, Expr, Unary
from features.journey import Journey
from insights.segments import SEGMENTS, Segment, candidates, members
from tests.examples import examples
from training.targets import TARGETS

VALUES = (math.nan, 0.0, 0.1, 0.2, 0.5, 0.51, 0.9, 1.0, 2.0, 4.0, 5.0, 9.0, 29.0, 30.0, 56.0, 57.0, 200.0, 336.0, 1e6)
COLUMNS = sorted(frozenset[str]().union(*(segment.columns() for segment in SEGMENTS.values())))

OPERATORS: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "==": operator.eq,
    "*": operator.mul,
    "&": lambda left, right: left and right,
    "|": lambda left, right: left or right,
}


def value_of(expr: Expr, row: dict[str, float]) -> Any:
    """The value of an expression for one customer, by walking it in plain Python."""
    match expr:
        case Constant():
            return expr.value
        case Column():
            return row[expr.name]
        case Binary():
            return OPERATORS[expr.operator](value_of(expr.left, row), value_of(expr.right, row))
        case Unary(operator="~"):
            return not value_of(expr.operand, row)
        case Unary(operator="-"):
            return -value_of(expr.operand, row)
    raise TypeError(f"the naive answer does not know {expr}")


@st.composite
def scoreboards(draw: st.DrawFn) -> dict[str, NDArray[np.float32]]:
    """Any customers, with values on and beside the thresholds of the catalogue."""
    number = draw(st.integers(0, 25))
    values = st.lists(st.sampled_from(VALUES), min_size=number, max_size=number)
    return {name: np.array(draw(values), np.float32) for name in COLUMNS}


every_segment = pytest.mark.parametrize("segment", SEGMENTS.values(), ids=lambda segment: segment.name)


@every_segment
@settings(max_examples=examples(50), deadline=None)
@given(columns=scoreboards())
def test_members_are_those_of_the_naive_answer_in_its_order(
    segment: Segment, columns: dict[str, NDArray[np.float32]]
) -> None:
    rows = [
        dict(zip(columns, values, strict=True))
        for values in zip(*(columns[name].tolist() for name in columns), strict=True)
    ]
    found = [number for number, row in enumerate(rows) if value_of(segment.rule, row)]
    keys = {number: value_of(segment.order_by, rows[number]) for number in found}
    expected = sorted(
        found, key=lambda number: (math.isnan(keys[number]), -keys[number] if keys[number] == keys[number] else 0)
    )
    assert candidates(segment, columns).tolist() == expected
    assert members(segment, columns).tolist() == expected[: math.ceil(len(expected) * segment.size)]
    assert members(segment, columns, 1).tolist() == expected
    assert members(segment, columns, 3).tolist() == expected[:3]


@pytest.mark.parametrize(("size", "members"), [(0.2, 20), (1, 100), (5, 5), (500, 100), (0.001, 1), (0.07, 7)])
def test_a_size_is_a_share_or_a_number(size: float, members: int) -> None:
    assert SEGMENTS["loyal"].count(100, size) == members


@pytest.mark.parametrize("size", [0, -1, 1.5, math.nan])
def test_what_is_no_size_is_refused(size: float) -> None:
    with pytest.raises(ValueError, match=r"a share such as 0.2, or a number of customers such as 500"):
        SEGMENTS["loyal"].count(100, size)


@every_segment
def test_a_segment_of_nobody_is_empty(segment: Segment) -> None:
    assert members(segment, {name: np.empty(0, np.float32) for name in COLUMNS}).tolist() == []


@every_segment
def test_nobody_is_in_a_segment_for_what_is_not_known(segment: Segment) -> None:
    assert members(segment, {name: np.full(3, np.nan, np.float32) for name in COLUMNS}).tolist() == []


@every_segment
def test_a_segment_looks_at_what_exists_and_says_whom_it_holds(segment: Segment) -> None:
    assert segment.columns() <= {*Journey.features, *TARGETS}
    assert segment.doc.endswith(".")
    assert SEGMENTS[segment.name] is segment
