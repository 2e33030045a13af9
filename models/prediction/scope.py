"""Of whom a target speaks: the scope on a target's card, read back from its words and asked of a row of features."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from features.aggregates import kernels
from features.conditions import UnreadableCondition, read_condition
from features.grammar import Expr

PREFIX = "customers with "


class UnreadableScope(ValueError):
    """The scope on a card is not in the grammar."""


def read_scope(text: str) -> Expr:
    """The condition that `text`, such as `customers with days_since_purchase <= 56`, states.

    Raises `UnreadableScope` for anything that is no condition over features.
    """
    try:
        return read_condition(text.removeprefix(PREFIX))
    except UnreadableCondition as reason:
        raise UnreadableScope(f"the scope {reason}; retrain with `waypost train`") from None


def compile_scope(scope: Expr, index: Mapping[str, int]) -> Callable[[Sequence[float]], bool]:
    """A function that tells whether the scope holds for a row of features; `index` gives the place of each.

    It says what `scope.evaluate` says, some thirty times as fast for a single row: a score asks the scope of every
    target (`python -m benchmarks.own_ways --parts conditions`).
    """
    code = scope.code({name: f"row[{index[name]}]" for name in scope.columns()})
    asked: Callable[[Sequence[float]], bool] = eval(f"lambda row: {code} == 1.0", vars(kernels).copy())
    return asked
