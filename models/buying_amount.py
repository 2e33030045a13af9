"""An amount in closed form: orders expected by BG/NBD, times the value of an order by Gamma-Gamma."""

from __future__ import annotations

import json
import math
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from models.buyers import COLUMNS, Buying, Record, Spending
from models.rungs.rung import check_rows, fields_of

Floats = NDArray[np.float64]

_LEAST = 1e-9


class BuyingAmount:
    """What a customer's orders bring in `days`: `factor` times the closed form; `otherwise` of who never ordered.

    The interval is from `ends[0]` to `ends[1]` times the amount, as it was for customers whose amount is known.
    """

    name = "buyers"

    def __init__(
        self, buying: Buying, spending: Spending, days: float, factor: float, ends: tuple[float, float],
        otherwise: float, names: tuple[str, ...],
    ) -> None:  # fmt: skip
        """ValueError unless the numbers are finite, positive where a scale is meant, and the ends in order."""
        numbers = (*asdict(buying).values(), *asdict(spending).values(), days, factor, *ends, otherwise)
        finite = all(map(math.isfinite, numbers))
        if not finite or min(days, factor, otherwise) <= 0.0 or not 0.0 <= ends[0] <= ends[1]:
            raise ValueError(f"The parameters of a closed form are {numbers}; expected finite positive ones.")
        missing = sorted(set(COLUMNS) - set(names))
        if missing:
            raise ValueError(f"An amount in closed form needs the features {', '.join(missing)}.")
        self.buying, self.spending, self.days, self.factor = buying, spending, float(days), float(factor)
        self.ends, self.otherwise, self.names = (float(ends[0]), float(ends[1])), float(otherwise), names

    def amounts(self, matrix: NDArray[np.float32], threads: int = 1) -> tuple[Floats, Floats, Floats]:
        """The amounts of float32[n, features] and the ends of their intervals."""
        check_rows(matrix, len(self.names), threads)
        found = self.factor * closed_form(self.buying, self.spending, matrix, self.names, self.days)
        mean = np.where(np.isfinite(found), np.maximum(found, _LEAST), self.otherwise)
        return mean, self.ends[0] * mean, self.ends[1] * mean

    def contributions(self, matrix: NDArray[np.float32]) -> Floats:
        """The logarithm of the expected orders with the latest order, that of their value with the mean basket, and
        the factor as the base."""
        check_rows(matrix, len(self.names))
        mean = self.amounts(matrix)[0]
        value = np.maximum(np.nan_to_num(self.spending.order_value(Record.of(matrix, self.names)), nan=1.0), _LEAST)
        added = np.zeros((len(matrix), len(self.names) + 1))
        added[:, -1] = math.log(self.factor)
        added[:, self.names.index("basket_value_mean")] = np.log(value)
        added[:, self.names.index("days_since_purchase")] = np.log(mean) - np.log(value) - math.log(self.factor)
        return added

    def to_bytes(self) -> bytes:
        """JSON of the parameters."""
        fields = {"buying": asdict(self.buying), "spending": asdict(self.spending), "days": self.days}
        return json.dumps(fields | {"factor": self.factor, "ends": self.ends, "otherwise": self.otherwise}).encode()

    @classmethod
    def from_bytes(cls, content: bytes, target: str, names: tuple[str, ...]) -> BuyingAmount:
        """What `to_bytes` gave; ValueError for anything else."""
        expected = frozenset({"buying", "spending", "days", "factor", "ends", "otherwise"})
        found = fields_of(content, target, expected)
        try:
            buying, spending, ends = Buying(**found["buying"]), Spending(**found["spending"]), tuple(found["ends"])
            return cls(buying, spending, found["days"], found["factor"], ends, found["otherwise"], names)
        except (TypeError, IndexError) as error:
            raise ValueError(f"The model of {target} is unreadable ({error}).") from error


def closed_form(
    buying: Buying, spending: Spending, matrix: NDArray[np.float32], names: tuple[str, ...], days: float
) -> Floats:
    """Expected orders times their expected value: float64[n], NaN of who never ordered."""
    known = Record.of(matrix, names)
    found: Floats = buying.orders_within(known, days) * spending.order_value(known)
    return found
