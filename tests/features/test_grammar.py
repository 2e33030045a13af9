"""The grammar: what Python writes, NumPy computes and generated code computes are one and the same."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from features.aggregates import kernels
from features.events import DAY
from features.grammar import Column, Expr, UnknownColumn, lift, maximum, minimum

NUMBERS = st.one_of(st.just(math.nan), st.sampled_from([0.0, 1.0, -1.0, 2.5]), st.floats(-1e6, 1e6, width=32))
OPERATORS = ["+", "-", "*", "/", "<", "<=", ">", ">=", "==", "!=", "&", "|", "otherwise", "minimum", "maximum"]


def applied(operator: str, left: Expr, right: Expr) -> Expr:
    """Two expressions joined as Python would write it."""
    if operator == "otherwise":
        return left.otherwise(right)
    if operator in ("minimum", "maximum"):
        return {"minimum": minimum, "maximum": maximum}[operator](left, right)
    made = eval(f"left {operator} right", {"left": left, "right": right})
    assert isinstance(made, Expr)
    return made


def truth_of(value: float) -> bool:
    return not math.isnan(value) and value != 0


def naive(operator: str, left: float, right: float) -> float:
    """The oracle: one operator over two plain floats."""
    unknown = math.isnan(left) or math.isnan(right)
    if operator == "otherwise":
        return right if math.isnan(left) else left
    if operator == "&":
        return float(truth_of(left) and truth_of(right))
    if operator == "|":
        return float(truth_of(left) or truth_of(right))
    if operator in ("<", "<=", ">", ">=", "==", "!="):
        return 0.0 if unknown else float(eval(f"left {operator} right", {"left": left, "right": right}))
    if unknown or (operator == "/" and right == 0):
        return math.nan
    if operator in ("minimum", "maximum"):
        return min(left, right) if operator == "minimum" else max(left, right)
    return float(eval(f"left {operator} right", {"left": left, "right": right}))


@given(st.sampled_from(OPERATORS), NUMBERS, NUMBERS)
def test_arrays_and_generated_code_agree_with_the_oracle(operator: str, left: float, right: float) -> None:
    expr = applied(operator, Column("left"), Column("right"))
    expected = naive(operator, left, right)
    vectorised = float(np.asarray(expr.evaluate({"left": np.array([left]), "right": np.array([right])}))[0])
    generated = eval(expr.code({"left": "left", "right": "right"}), {**vars(kernels), "left": left, "right": right})
    for value in (vectorised, float(generated)):
        assert (math.isnan(value) and math.isnan(expected)) or value == expected


@given(NUMBERS)
def test_negation_and_knowledge(value: float) -> None:
    for expr, expected in (
        (~Column("x"), not truth_of(value)),
        (Column("x").known(), not math.isnan(value)),
    ):
        assert bool(expr.evaluate({"x": value})) is expected
        assert bool(eval(expr.code({"x": "x"}), {**vars(kernels), "x": value})) is expected


def test_reads_as_it_is_written() -> None:
    assert (
        str((Column("churn_28d") > 0.6) & (Column("spend_net_90d") > 100))
        == "(churn_28d > 0.6) & (spend_net_90d > 100)"
    )
    assert str(Column("x") / DAY) == "x in days"
    assert str(~(Column("x") < 3)) == "not (x < 3)"


def test_conditions_are_joined_with_the_grammar_not_with_python() -> None:
    with pytest.raises(TypeError, match=r"with & \| ~"):
        bool(Column("x") > 1)


def test_an_unknown_column_is_named_with_the_known_ones() -> None:
    with pytest.raises(UnknownColumn, match=r"no column 'spent'.*spend"):
        Column("spent").evaluate({"spend": 1.0})
    assert ((Column("a") + 1) * Column("b")).columns() == {"a", "b"}


def test_only_numbers_and_expressions_are_values() -> None:
    with pytest.raises(TypeError, match="'ten'"):
        lift("ten")
