"""The third tier: logistic regression on a few features in logarithms."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields

import numpy as np
from numpy.typing import NDArray

from models.prediction.tiers.tier import check_row, check_rows, fields_of

FURTHEST = 4.0
"""A value further from the mean than so many standard deviations is cut off, for the sake of outliers."""

STEEPEST = 30.0
"""The largest log-odds, so that a probability is never 0 or 1."""


@dataclass(frozen=True, slots=True)
class Term:
    """One feature, `column`: log(1 + its value), less `mean`, over `scale`, times `weight`.

    `absent` replaces a value that is not defined; values below zero count as zero. Only the part above `knot` counts:
    log(1 + value) - log(1 + knot), so that several terms of one feature make a line that bends at their knots.
    """

    column: str
    absent: float
    mean: float
    scale: float
    weight: float
    knot: float = 0.0

    def __post_init__(self) -> None:
        numbers = (self.absent, self.mean, self.scale, self.weight, self.knot)
        if not all(map(math.isfinite, numbers)) or self.scale <= 0.0 or self.knot < 0.0:
            raise ValueError(
                f"The term of {self.column} is {numbers}; expected finite numbers, a positive scale and a knot of at "
                "least zero."
            )


class Logistic:
    """1 / (1 + exp(-(intercept + what the terms add)))."""

    name = "logistic"

    def __init__(self, terms: Sequence[Term], intercept: float, names: tuple[str, ...]) -> None:
        """ValueError when a term's column is not among `names`, or the intercept is no finite number."""
        missing = sorted({term.column for term in terms} - set(names))
        if missing:
            raise ValueError(
                f"The logistic model uses {', '.join(missing)}, which are no features. Retrain with `waypost train`."
            )
        if not math.isfinite(intercept):
            raise ValueError(f"The intercept is {intercept!r}; expected a finite number.")
        self.terms, self.intercept, self.names = tuple(terms), float(intercept), names
        self._places = np.array([names.index(term.column) for term in terms], np.int64)
        self._absent, self._mean, self._scale, self._weight, self._knot = (
            np.array([getattr(term, name) for term in terms], np.float64)
            for name in ("absent", "mean", "scale", "weight", "knot")
        )

    def raw(self, row: NDArray[np.float32]) -> float:
        """The probability of one row: computed as a batch of one, so that every rounding is the same."""
        check_row(row, len(self.names))
        return float(self.raw_many(row.reshape(1, -1))[0])

    def raw_many(self, matrix: NDArray[np.float32], threads: int = 1) -> NDArray[np.float64]:
        """The probabilities of float32[n, features]: float64[n]."""
        check_rows(matrix, len(self.names), threads)
        added = np.empty((len(matrix), len(self.terms) + 1))
        added[:, 0], added[:, 1:] = self.intercept, self._added(matrix)
        # A cumulative sum adds from left to right, however many rows there are; a dot product does not.
        margins = np.clip(np.cumsum(added, axis=1)[:, -1], -STEEPEST, STEEPEST)
        probabilities: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-margins))
        return probabilities

    def contributions(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """What each feature adds to the log-odds, the intercept last: float64[n, features + 1]."""
        check_rows(matrix, len(self.names))
        added = np.zeros((len(matrix), len(self.names) + 1))
        for place, column in zip(self._places, self._added(matrix).T, strict=True):
            added[:, place] += column
        added[:, -1] = self.intercept
        return added

    def to_bytes(self) -> bytes:
        """JSON of the terms and the intercept."""
        return json.dumps({"intercept": self.intercept, "terms": [asdict(term) for term in self.terms]}).encode()

    @classmethod
    def from_bytes(cls, content: bytes, target: str, names: tuple[str, ...]) -> Logistic:
        """What `to_bytes` gave; ValueError for anything else."""
        parameters = fields_of(content, target, frozenset({"intercept", "terms"}))
        parts = {field.name for field in fields(Term)}
        terms = parameters["terms"]
        # A term of a bundle from before there were knots has none.
        if not isinstance(terms, list) or not all(
            isinstance(term, dict) and set(term) | {"knot"} == parts for term in terms
        ):
            raise ValueError(f"The model of {target} is unreadable: expected terms of {', '.join(sorted(parts))}.")
        try:
            return cls([Term(**term) for term in terms], parameters["intercept"], names)
        except TypeError as error:
            raise ValueError(f"The model of {target} is unreadable: {error}.") from error

    def _added(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """What each term adds: float64[n, terms]."""
        logarithms = in_logarithms(matrix[:, self._places], self._absent, self._knot)
        steps = np.clip((logarithms - self._mean) / self._scale, -FURTHEST, FURTHEST)
        added: NDArray[np.float64] = steps * self._weight
        return added


def in_logarithms(
    values: NDArray[np.float32], absent: NDArray[np.float64], knot: NDArray[np.float64]
) -> NDArray[np.float64]:
    """By how much log(1 + value) of float32[n, terms] is above log(1 + `knot`), and zero below it.

    `absent` replaces values that are not defined.
    """
    given = np.ascontiguousarray(values, np.float64)
    known = np.where(np.isnan(given), absent, given)
    logarithms: NDArray[np.float64] = np.log1p(np.maximum(known, knot)) - np.log1p(knot)
    return logarithms
