"""The grammar: arithmetic and comparison over what is known of a customer.

One grammar serves four uses: features (`Journey`), targets (their scopes), the eligibility of actions
and segments. Two rules hold everywhere: an unknown value is NaN (never zero), and so is a division by
zero; and a comparison with NaN is false.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from features.events import DAY, HOUR, MINUTE


class Expr:
    """A value that can be computed for any customer; build it with Python's own operators.

    `engaging` is set by `features.fold.feature_set.engaging`; an expression built from this one does not inherit it.
    """

    engaging = False

    def children(self) -> tuple[Expr, ...]:
        """The expressions this one is made of."""
        return ()

    def code(self, names: Mapping[str, str]) -> str:
        """Python text that computes this expression; `names` maps the key of each leaf to a variable."""
        raise TypeError(f"{type(self).__name__} has no code of its own")

    def evaluate(self, columns: Mapping[str, ArrayLike]) -> NDArray[np.float64] | NDArray[np.bool_]:
        """The value for every row of `columns` (feature and target names -> equal-length arrays, or numbers).

        Arithmetic gives float64, comparisons give bool. Raises `UnknownColumn` for a name not in `columns`.
        """
        raise TypeError(
            f"'{self}' can only be computed inside a fold; refer to a declared feature instead, such as Journey.stage"
        )

    def walk(self) -> Iterator[Expr]:
        """This expression and all below it."""
        yield self
        for child in self.children():
            yield from child.walk()

    def columns(self) -> frozenset[str]:
        """Names of the columns this expression refers to."""
        return frozenset(expr.name for expr in self.walk() if isinstance(expr, Column))

    def otherwise(self, default: Expr | float) -> Expr:
        """This value where it is known, `default` where it is NaN."""
        return Binary("otherwise", self, lift(default))

    def known(self) -> Expr:
        """True where this value is not NaN."""
        return Unary("known", self)

    def __add__(self, other: Expr | float) -> Expr:
        return Binary("+", self, lift(other))

    def __radd__(self, other: float) -> Expr:
        return Binary("+", lift(other), self)

    def __sub__(self, other: Expr | float) -> Expr:
        return Binary("-", self, lift(other))

    def __rsub__(self, other: float) -> Expr:
        return Binary("-", lift(other), self)

    def __mul__(self, other: Expr | float) -> Expr:
        return Binary("*", self, lift(other))

    def __rmul__(self, other: float) -> Expr:
        return Binary("*", lift(other), self)

    def __truediv__(self, other: Expr | float) -> Expr:
        return Binary("/", self, lift(other))

    def __rtruediv__(self, other: float) -> Expr:
        return Binary("/", lift(other), self)

    def __lt__(self, other: Expr | float) -> Expr:
        return Binary("<", self, lift(other))

    def __le__(self, other: Expr | float) -> Expr:
        return Binary("<=", self, lift(other))

    def __gt__(self, other: Expr | float) -> Expr:
        return Binary(">", self, lift(other))

    def __ge__(self, other: Expr | float) -> Expr:
        return Binary(">=", self, lift(other))

    def __eq__(self, other: object) -> Expr:  # type: ignore[override]
        return Binary("==", self, lift(other))

    def __ne__(self, other: object) -> Expr:  # type: ignore[override]
        return Binary("!=", self, lift(other))

    def __and__(self, other: Expr) -> Expr:
        return Binary("&", self, lift(other))

    def __or__(self, other: Expr) -> Expr:
        return Binary("|", self, lift(other))

    def __invert__(self) -> Expr:
        return Unary("~", self)

    def __neg__(self) -> Expr:
        return Unary("-", self)

    def __bool__(self) -> bool:
        raise TypeError(f"'{self}' has no truth value: join conditions with & | ~, not with and, or, not")

    __hash__ = object.__hash__


class UnknownColumn(LookupError):
    """An expression names a column that the rows do not have."""


def lift(value: object) -> Expr:
    """`value` as an expression: itself, or a number as a constant."""
    if isinstance(value, Expr):
        return value
    if isinstance(value, (int, float)):
        return Constant(float(value))
    raise TypeError(f"expected an expression or a number, got {value!r}")


@dataclass(frozen=True, eq=False)
class Constant(Expr):
    """A number."""

    value: float

    def code(self, names: Mapping[str, str]) -> str:
        """The number, written so that reading it gives the same bits."""
        return "NAN" if math.isnan(self.value) else repr(self.value)

    def evaluate(self, columns: Mapping[str, ArrayLike]) -> NDArray[np.float64]:
        """The number itself."""
        return np.asarray(self.value)

    def __str__(self) -> str:
        return f"{self.value:g}"


@dataclass(frozen=True, eq=False)
class Column(Expr):
    """A declared feature, or the probability of a target, by name."""

    name: str

    def code(self, names: Mapping[str, str]) -> str:
        """The variable that holds the column."""
        return names[self.name]

    def evaluate(self, columns: Mapping[str, ArrayLike]) -> NDArray[np.float64]:
        """The column as float64."""
        if self.name not in columns:
            raise UnknownColumn(f"no column '{self.name}'; there are: {', '.join(sorted(columns))}")
        return np.asarray(columns[self.name], dtype=np.float64)

    def __str__(self) -> str:
        return self.name


# The generated code of each operator, where every value is a float and a condition is 1.0 or 0.0.
_CODE = {
    "+": "({0} + {1})",
    "-": "({0} - {1})",
    "*": "({0} * {1})",
    "/": "ratio({0}, {1})",
    "<": "truth({0} < {1})",
    "<=": "truth({0} <= {1})",
    ">": "truth({0} > {1})",
    ">=": "truth({0} >= {1})",
    "==": "truth({0} == {1})",
    "!=": "differs({0}, {1})",
    "&": "both({0}, {1})",
    "|": "either({0}, {1})",
    "otherwise": "otherwise({0}, {1})",
    "minimum": "smaller({0}, {1})",
    "maximum": "larger({0}, {1})",
}


_UNITS = {float(DAY): "days", float(HOUR): "hours", float(MINUTE): "minutes"}


def _ratio(left: Any, right: Any) -> Any:
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(np.equal(right, 0), np.nan, np.divide(left, right))


def _truthy(value: Any) -> Any:
    return np.not_equal(value, 0) & ~np.isnan(np.asarray(value, dtype=np.float64))


_ARRAYS: dict[str, Any] = {
    "+": np.add,
    "-": np.subtract,
    "*": np.multiply,
    "/": _ratio,
    "<": np.less,
    "<=": np.less_equal,
    ">": np.greater,
    ">=": np.greater_equal,
    "==": np.equal,
    "!=": lambda left, right: np.not_equal(left, right) & ~np.isnan(left) & ~np.isnan(right),
    "&": lambda left, right: _truthy(left) & _truthy(right),
    "|": lambda left, right: _truthy(left) | _truthy(right),
    "otherwise": lambda left, right: np.where(np.isnan(np.asarray(left, dtype=np.float64)), right, left),
    "minimum": np.minimum,
    "maximum": np.maximum,
}


@dataclass(frozen=True, eq=False)
class Binary(Expr):
    """Two expressions joined by an operator."""

    operator: str
    left: Expr
    right: Expr

    def children(self) -> tuple[Expr, ...]:
        """Both sides."""
        return (self.left, self.right)

    def code(self, names: Mapping[str, str]) -> str:
        """The operator over the code of both sides."""
        return _CODE[self.operator].format(self.left.code(names), self.right.code(names))

    def evaluate(self, columns: Mapping[str, ArrayLike]) -> NDArray[np.float64] | NDArray[np.bool_]:
        """The operator over the values of both sides."""
        value: NDArray[np.float64] = _ARRAYS[self.operator](self.left.evaluate(columns), self.right.evaluate(columns))
        return value

    def __str__(self) -> str:
        if self.operator in ("minimum", "maximum"):
            return f"{self.operator}({self.left}, {self.right})"
        if self.operator == "/" and isinstance(self.right, Constant) and self.right.value in _UNITS:
            return f"{_grouped(self.left)} in {_UNITS[self.right.value]}"
        return f"{_grouped(self.left)} {self.operator} {_grouped(self.right)}"


_UNARY_CODE = {"~": "negation({0})", "-": "(-{0})", "known": "truth({0} == {0})"}
_UNARY_ARRAYS: dict[str, Any] = {
    "~": lambda value: ~_truthy(value),
    "-": np.negative,
    "known": lambda value: ~np.isnan(np.asarray(value, dtype=np.float64)),
}


@dataclass(frozen=True, eq=False)
class Unary(Expr):
    """One expression under an operator."""

    operator: str
    operand: Expr

    def children(self) -> tuple[Expr, ...]:
        """The operand."""
        return (self.operand,)

    def code(self, names: Mapping[str, str]) -> str:
        """The operator over the code of the operand."""
        return _UNARY_CODE[self.operator].format(self.operand.code(names))

    def evaluate(self, columns: Mapping[str, ArrayLike]) -> NDArray[np.float64] | NDArray[np.bool_]:
        """The operator over the value of the operand."""
        value: NDArray[np.float64] = _UNARY_ARRAYS[self.operator](self.operand.evaluate(columns))
        return value

    def __str__(self) -> str:
        sign = {"~": "not ", "-": "-", "known": "known "}[self.operator]
        return f"{sign}{_grouped(self.operand)}"


def _grouped(expr: Expr) -> str:
    """An operand as text, in brackets where Python and `features.conditions` need them."""
    joined = isinstance(expr, Binary) and expr.operator not in ("minimum", "maximum")
    return f"({expr})" if joined or (isinstance(expr, Unary) and expr.operator != "-") else str(expr)


def minimum(left: Expr | float, right: Expr | float) -> Expr:
    """The smaller of two values; NaN if either is."""
    return Binary("minimum", lift(left), lift(right))


def maximum(left: Expr | float, right: Expr | float) -> Expr:
    """The larger of two values; NaN if either is."""
    return Binary("maximum", lift(left), lift(right))


def duration_text(duration: float) -> str:
    """A duration in microseconds in the largest unit that divides it: '7 days', '30 minutes'."""
    for unit, name in ((DAY, "day"), (HOUR, "hour"), (MINUTE, "minute")):
        if duration >= unit and duration % unit == 0:
            number = duration / unit
            return f"{number:g} {name}{'' if number == 1 else 's'}"
    return f"{duration / DAY:g} days"
