"""Conditions survive being written down."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.conditions import UnreadableCondition, is_condition, read_condition
from features.grammar import Column, Expr, lift, maximum, minimum
from tests.examples import examples

NAMES = ("age", "gap", "spend")
numbers: st.SearchStrategy[Expr] = st.recursive(
    st.one_of(st.sampled_from(NAMES).map(Column), st.sampled_from([0.0, 1.0, 2.5, 56.0]).map(lift)),
    lambda inner: st.one_of(
        st.builds(lambda left, right: left + right, inner, inner),
        st.builds(lambda left, right: left / right, inner, inner),
        st.builds(lambda each: -each, inner),
        st.builds(minimum, inner, inner),
        st.builds(maximum, inner, inner),
    ),
    max_leaves=3,
)
expressions: st.SearchStrategy[Expr] = st.recursive(
    st.one_of(
        st.builds(lambda left, right: left <= right, numbers, numbers),
        st.builds(lambda left, right: left != right, numbers, numbers),
    ),
    lambda inner: st.one_of(
        st.builds(lambda left, right: left & right, inner, inner),
        st.builds(lambda left, right: left | right, inner, inner),
        st.builds(lambda each: ~each, inner),
    ),
    max_leaves=3,
)
ROWS = {
    name: column
    for name, column in zip(
        NAMES, np.random.default_rng(5).choice([np.nan, 0.0, 1.0, 2.5, 56.0, 99.0], (3, 200)), strict=True
    )
}


@settings(max_examples=examples(50), deadline=None)
@given(st.one_of(expressions, numbers))
def test_an_expression_is_read_back_from_its_words(expr: Expr) -> None:
    read = read_condition(str(expr))
    assert str(read) == str(expr)
    assert np.array_equal(
        np.asarray(read.evaluate(ROWS), float), np.asarray(expr.evaluate(ROWS), float), equal_nan=True
    )


def test_absence_takes_in_what_it_should() -> None:
    for text in ("(age > 1) & (not (gap == 2))", "(not (age <= 1)) & (gap > 2)", "not ((age <= 1) & (gap > 2))"):
        assert str(read_condition(text)) == text


ODD = ["a < True", "a < 1e999", "a < 1" + "0" * 400, "a\0", "\ud800", "-" * 5_000 + "1", "1+" * 9_000 + "1", "(" * 300]


@pytest.mark.parametrize(
    "text", ["", "open('x')", "minimum(1)", "maximum(a, b, c)", "print(1, 2)", "a.b > 1", "'a'", *ODD],
    ids=lambda text: ascii(text[:20]),
)  # fmt: skip
def test_what_is_no_expression_is_refused(text: str) -> None:
    with pytest.raises(UnreadableCondition, match="is not an expression over features, such as"):
        read_condition(text)


def test_a_condition_is_told_from_a_number() -> None:
    assert all(is_condition(read_condition(text)) for text in ("a < 1", "not a", "(a < 1) | (b == 2)", "a & b"))
    assert not any(is_condition(read_condition(text)) for text in ("a", "1", "-a", "a + b", "minimum(a, b)"))
