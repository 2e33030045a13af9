"""Conditions as text, such as `days_since_purchase <= 56`, parsed into expressions of the grammar."""

from __future__ import annotations

import ast
import math

from features.grammar import Binary, Column, Constant, Expr, Unary, maximum, minimum

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
_FUNCTIONS = {"minimum": minimum, "maximum": maximum}


class UnreadableCondition(ValueError):
    """A text is not in the grammar."""


def read_condition(text: str) -> Expr:
    """The expression that `text` states, in the form in which expressions are printed.

    Raises `UnreadableCondition` for anything but columns, finite numbers, arithmetic, comparisons, `&`, `|`, `not`,
    `minimum` and `maximum`, and for a text that is nested too deeply.
    """
    try:
        return _expression(ast.parse(text, mode="eval").body)
    except (SyntaxError, KeyError, TypeError, ValueError, OverflowError, RecursionError, MemoryError):
        raise UnreadableCondition(
            f"{text!r} is not an expression over features, such as days_since_purchase <= 56 or "
            "(cart_value > 100) & (not (lapsing == 1))"
        ) from None


def is_condition(expr: Expr) -> bool:
    """Whether `expr` is a condition, true or false of a customer, and not a number."""
    match expr:
        case Binary(operator=operator):
            return operator in _COMPARISONS.values() or operator in ("&", "|")
        case Unary(operator=operator):
            return operator != "-"
    return False


def _expression(node: ast.expr) -> Expr:
    match node:
        case ast.Name(id=name):
            return Column(name)
        case ast.Constant(value=int() | float() as value) if not isinstance(value, bool) and math.isfinite(value):
            return Constant(float(value))
        case ast.UnaryOp(op=sign, operand=operand):
            return Unary(_SIGNS[type(sign)], _expression(operand))
        case ast.BinOp(op=operator, left=left, right=right):
            return Binary(_OPERATORS[type(operator)], _expression(left), _expression(right))
        case ast.Compare(left=left, ops=[comparison], comparators=[right]):
            return Binary(_COMPARISONS[type(comparison)], _expression(left), _expression(right))
        case ast.Call(func=ast.Name(id=name), args=[left, right], keywords=[]):
            return _FUNCTIONS[name](_expression(left), _expression(right))
    raise TypeError(type(node).__name__)
