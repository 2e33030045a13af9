"""Of whom a target speaks: the scope on a target's card, read back from its words into the grammar."""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence

from features.aggregates import kernels
from features.grammar import Binary, Column, Constant, Expr, Unary

PREFIX = "customers with "

_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.Eq: "==",
    ast.NotEq: "!=",
}
_OPERATORS: dict[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.BitAnd: "&",
    ast.BitOr: "|",
}
_SIGNS: dict[type[ast.unaryop], str] = {ast.Not: "~", ast.USub: "-"}


class UnreadableScope(ValueError):
    """The scope on a card is not in the grammar."""


def read_scope(text: str) -> Expr:
    """The condition that `text`, such as `customers with days_since_purchase <= 56`, states.

    Raises `UnreadableScope` for anything but columns, numbers, arithmetic, comparisons, `&`, `|` and `not`.
    """
    try:
        return _expression(ast.parse(text.removeprefix(PREFIX), mode="eval").body)
    except (SyntaxError, KeyError, TypeError):
        raise UnreadableScope(
            f"the scope {text!r} is not a condition over features; retrain with `waypost train`"
        ) from None


def compile_scope(scope: Expr, index: Mapping[str, int]) -> Callable[[Sequence[float]], bool]:
    """A function that tells whether the scope holds for a row of features; `index` gives the place of each.

    It says what `scope.evaluate` says, some thirty times as fast for a single row.
    """
    code = scope.code({name: f"row[{index[name]}]" for name in scope.columns()})
    asked: Callable[[Sequence[float]], bool] = eval(f"lambda row: {code} == 1.0", vars(kernels).copy())
    return asked


def _expression(node: ast.expr) -> Expr:
    match node:
        case ast.Name(id=name):
            return Column(name)
        case ast.Constant(value=int() | float() as value):
            return Constant(float(value))
        case ast.UnaryOp(op=sign, operand=operand):
            return Unary(_SIGNS[type(sign)], _expression(operand))
        case ast.BinOp(op=operator, left=left, right=right):
            return Binary(_OPERATORS[type(operator)], _expression(left), _expression(right))
        case ast.Compare(left=left, ops=[comparison], comparators=[right]):
            return Binary(_COMPARISONS[type(comparison)], _expression(left), _expression(right))
    raise TypeError(type(node).__name__)
