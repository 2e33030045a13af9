"""The second tier: the rate of the customer's stage on the journey."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from features.events import Stage
from models.prediction.tiers.tier import check_row, check_rows, fields_of, log_odds, rate_of

COLUMN = "stage"


class StageRates:
    """A probability for each stage, `rates`, and the shop's `rate` for a row without a stage."""

    name = "stage_rate"

    def __init__(self, rate: float, rates: Sequence[float], names: tuple[str, ...]) -> None:
        """`rates` in the order of the stages; ValueError unless all are inside (0, 1) and `names` has the stage."""
        if COLUMN not in names:
            raise ValueError(
                f"Rates by stage need the feature {COLUMN!r}, which is not among the {len(names)} features."
            )
        if len(rates) != len(Stage):
            raise ValueError(f"There are {len(rates)} rates; expected {len(Stage)}, one for each stage.")
        self.rate = rate_of(rate, "The shop's rate")
        self.rates = tuple(rate_of(stage_rate, "A stage's rate") for stage_rate in rates)
        self.names = names
        self._place = names.index(COLUMN)
        self._table = np.array([*self.rates, self.rate])

    def raw(self, row: NDArray[np.float32]) -> float:
        """The rate of the row's stage."""
        check_row(row, len(self.names))
        stage = float(row[self._place])
        return self.rates[int(stage)] if 0.0 <= stage < len(self.rates) else self.rate

    def raw_many(self, matrix: NDArray[np.float32], threads: int = 1) -> NDArray[np.float64]:
        """The rate of each row's stage, float64[n]."""
        check_rows(matrix, len(self.names), threads)
        probabilities: NDArray[np.float64] = self._table[self._stages(matrix)]
        return probabilities

    def contributions(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """The stage's log-odds less the shop's, which are the base: float64[n, features + 1]."""
        check_rows(matrix, len(self.names))
        base = log_odds(self.rate)
        added = np.zeros((len(matrix), len(self.names) + 1))
        added[:, -1] = base
        added[:, self._place] = np.array([log_odds(stage_rate) - base for stage_rate in self._table])[
            self._stages(matrix)
        ]
        return added

    def to_bytes(self) -> bytes:
        """JSON of the rates."""
        return json.dumps({"rate": self.rate, "rates": self.rates}).encode()

    @classmethod
    def from_bytes(cls, content: bytes, target: str, names: tuple[str, ...]) -> StageRates:
        """What `to_bytes` gave; ValueError for anything else."""
        fields = fields_of(content, target, frozenset({"rate", "rates"}))
        if not isinstance(fields["rates"], list):
            raise ValueError(f"The model of {target} is unreadable: rates are {fields['rates']!r}; expected a list.")
        return cls(fields["rate"], fields["rates"], names)

    def _stages(self, matrix: NDArray[np.float32]) -> NDArray[np.int64]:
        """Each row's place in the table; the last one for a row without a stage."""
        stages, last = matrix[:, self._place], len(self.rates)
        known = (stages >= 0.0) & (stages < last)
        return np.where(known, stages, last).astype(np.int64)
