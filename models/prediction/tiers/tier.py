"""The interface of a tier, and the checks that tiers share."""

from __future__ import annotations

import json
import math
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray


class Tier(Protocol):
    """From the features of a customer to a probability, before calibration.

    Rows are float32 in the order of `names`; NaN means "not defined". One row and the same row in a batch give the
    same bits. Safe to share between threads.
    """

    @property
    def name(self) -> str:
        """What the tier is called: `prior`, `stage_rate`, `logistic` or `lightgbm`."""

    @property
    def names(self) -> tuple[str, ...]:
        """The features that a row holds, in their order."""

    def raw(self, row: NDArray[np.float32]) -> float:
        """The probability of one row, float32[features], inside (0, 1)."""

    def raw_many(self, matrix: NDArray[np.float32], threads: int = 1) -> NDArray[np.float64]:
        """The probabilities of float32[n, features]: float64[n]."""

    def contributions(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """What each feature adds to each row's log-odds: float64[n, features + 1], the last column the base.

        A row sums to the log-odds of its probability.
        """

    def to_bytes(self) -> bytes:
        """The tier as text; reading it gives the same answers, bit for bit."""


def log_odds(probability: float) -> float:
    """log(p / (1 - p))."""
    return math.log(probability / (1.0 - probability))


def check_row(row: NDArray[np.float32], features: int) -> None:
    """ValueError unless `row` has so many `features`."""
    if row.shape != (features,):
        raise ValueError(f"A row has shape {row.shape}; expected ({features},).")


def check_rows(matrix: NDArray[np.float32], features: int, threads: int = 1) -> None:
    """ValueError unless `matrix` has so many `features` as columns and `threads` is at least 1."""
    if matrix.ndim != 2 or matrix.shape[1] != features:
        raise ValueError(f"Rows have shape {matrix.shape}; expected (n, {features}).")
    if threads < 1:
        raise ValueError(f"threads is {threads}; expected at least 1.")


def rate_of(value: object, what: str) -> float:
    """`value` as a rate; ValueError unless it is a number inside (0, 1)."""
    if isinstance(value, (int, float)) and 0.0 < value < 1.0:
        return float(value)
    raise ValueError(f"{what} is {value!r}; expected a number between 0 and 1.")


def fields_of(content: bytes, target: str, expected: frozenset[str]) -> dict[str, Any]:
    """The JSON object in `content`; ValueError unless it has exactly the `expected` keys."""
    fields = json.loads(content)
    if not isinstance(fields, dict) or set(fields) != expected:
        raise ValueError(f"The model of {target} is unreadable: expected JSON of {', '.join(sorted(expected))}.")
    return fields
