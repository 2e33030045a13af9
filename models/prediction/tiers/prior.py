"""The first tier: one probability for every customer."""

from __future__ import annotations

import json

import numpy as np
from numpy.typing import NDArray

from models.prediction.tiers.tier import check_row, check_rows, fields_of, log_odds, rate_of


class Prior:
    """The same probability, `rate`, for every row of `names`."""

    name = "prior"

    def __init__(self, rate: float, names: tuple[str, ...]) -> None:
        """ValueError unless `rate` is inside (0, 1)."""
        self.rate = rate_of(rate, "The prior")
        self.names = names

    def raw(self, row: NDArray[np.float32]) -> float:
        """The rate."""
        check_row(row, len(self.names))
        return self.rate

    def raw_many(self, matrix: NDArray[np.float32], threads: int = 1) -> NDArray[np.float64]:
        """The rate for every row, float64[n]."""
        check_rows(matrix, len(self.names), threads)
        return np.full(len(matrix), self.rate)

    def contributions(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """Nothing but the base, the log-odds of the rate: float64[n, features + 1]."""
        check_rows(matrix, len(self.names))
        added = np.zeros((len(matrix), len(self.names) + 1))
        added[:, -1] = log_odds(self.rate)
        return added

    def to_bytes(self) -> bytes:
        """JSON of the rate."""
        return json.dumps({"rate": self.rate}).encode()

    @classmethod
    def from_bytes(cls, content: bytes, target: str, names: tuple[str, ...]) -> Prior:
        """What `to_bytes` gave; ValueError for anything else."""
        return cls(fields_of(content, target, frozenset({"rate"}))["rate"], names)
