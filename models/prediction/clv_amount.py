"""An amount from a customer's own orders: BG/NBD times Gamma-Gamma, and the spending of the last 90 days."""

from __future__ import annotations

import json
import math
from dataclasses import asdict

import numpy as np
from numpy.typing import NDArray

from models.prediction.clv import COLUMNS, Buying, Record, Spending
from models.prediction.tiers.tier import check_rows, fields_of

Floats = NDArray[np.float64]
Parts = tuple[float, float, float]

PACE = "spend_net_90d"
"""The feature of the pace: the spending of the last `PACE_DAYS`."""

PACE_DAYS = 90.0
LEAST = 1e-3
"""No customer's amount is below this share of the mean: a customer who seems lost may still come back."""

_SAME = 1e-9


class BuyingAmount:
    """The amount of a customer's orders in `days`: a weighted sum of a constant, a closed form and the customer's pace.

    The closed form is the orders expected by BG/NBD times the order value expected by Gamma-Gamma. The pace is the
    customer's spending per day over the last 90 days, times `days`. `weights` are those of the constant (money), the
    closed form and the pace (shares). `otherwise` is the mean, and the amount of a customer who never ordered. The
    interval is from `ends[0]` to `ends[1]` times the amount, as measured on rows held back. `usual` are the expected
    orders, order value and pace of a usual customer, with whom contributions compare.
    """

    name = "clv"

    def __init__(
        self, buying: Buying, spending: Spending, days: float, weights: Parts, usual: Parts,
        ends: tuple[float, float], otherwise: float, names: tuple[str, ...],
    ) -> None:  # fmt: skip
        """ValueError unless all numbers are finite, scales are positive, and the ends are in order."""
        numbers = (*asdict(buying).values(), *asdict(spending).values(), days, *weights, *usual, *ends, otherwise)
        positive = min(days, otherwise, sum(weights)) > 0.0 and min(*weights, *usual) >= 0.0
        if not all(map(math.isfinite, numbers)) or not positive or not 0.0 <= ends[0] <= ends[1]:
            raise ValueError(f"The parameters of a closed form are {numbers}; expected finite positive numbers.")
        missing = sorted({*COLUMNS, PACE} - set(names))
        if missing:
            raise ValueError(f"An amount in closed form needs the features {', '.join(missing)}.")
        self.buying, self.spending, self.days, self.names = buying, spending, float(days), names
        constant, closed, own = weights
        self.weights: Parts = (float(constant), float(closed), float(own))
        orders, value, pace = usual
        self.usual: Parts = (float(orders), float(value), float(pace))
        self.ends, self.otherwise = (float(ends[0]), float(ends[1])), float(otherwise)

    def amounts(self, matrix: NDArray[np.float32], threads: int = 1) -> tuple[Floats, Floats, Floats]:
        """The amounts of float32[n, features] and the ends of their intervals."""
        check_rows(matrix, len(self.names), threads)
        mean = self._mean(*buying_parts(self.buying, self.spending, matrix, self.names, self.days))
        return mean, self.ends[0] * mean, self.ends[1] * mean

    def contributions(self, matrix: NDArray[np.float32]) -> Floats:
        """What distinguishes the customer from a usual one, in the logarithm of the amount.

        The expected orders count for `days_since_purchase`, their value for `basket_value_mean`, the pace for `PACE`.
        The difference of the logarithms is divided in proportion to the parts of the sum (Aumann and Shapley, 1974);
        a change of the product of orders and value is divided evenly. The base is the usual customer. Where the parts
        do not change, as for a customer who never ordered, the difference counts for `purchases_ever`.
        """
        check_rows(matrix, len(self.names))
        parts = buying_parts(self.buying, self.spending, matrix, self.names, self.days)
        (orders, value, pace), (usual_orders, usual_value, usual_pace) = parts, self.usual
        closed, own = self.weights[1:]
        moved = np.stack(
            [
                closed * (orders - usual_orders) * (value + usual_value) / 2.0,
                closed * (value - usual_value) * (orders + usual_orders) / 2.0,
                own * (pace - usual_pace),
            ]
        )
        moved[:, np.isnan(orders * value)] = 0.0
        base = float(self._mean(*map(np.atleast_1d, self.usual))[0])
        change, total = np.log(self._mean(*parts) / base), moved.sum(axis=0)
        explained = np.abs(total) > _SAME * base
        added = np.zeros((len(matrix), len(self.names) + 1))
        added[:, -1] = math.log(base)
        for name, part in zip(("days_since_purchase", "basket_value_mean", PACE), moved, strict=True):
            share = np.where(explained, part / np.where(explained, total, 1.0), 0.0)
            added[:, self.names.index(name)] = share * change
        added[:, self.names.index("purchases_ever")] = np.where(explained, 0.0, change)
        return added

    def _mean(self, orders: Floats, value: Floats, pace: Floats) -> Floats:
        constant, closed, own = self.weights
        amount = constant + closed * (orders * value) + own * pace
        return np.where(np.isfinite(amount), np.maximum(amount, LEAST * self.otherwise), self.otherwise)

    def to_bytes(self) -> bytes:
        """JSON of the parameters."""
        fields = {"buying": asdict(self.buying), "spending": asdict(self.spending), "days": self.days}
        fields |= {"weights": self.weights, "usual": self.usual, "ends": self.ends, "otherwise": self.otherwise}
        return json.dumps(fields).encode()

    @classmethod
    def from_bytes(cls, content: bytes, target: str, names: tuple[str, ...]) -> BuyingAmount:
        """What `to_bytes` gave; ValueError for anything else."""
        expected = frozenset({"buying", "spending", "days", "weights", "usual", "ends", "otherwise"})
        parameters = fields_of(content, target, expected)
        try:
            buying, spending = Buying(**parameters.pop("buying")), Spending(**parameters.pop("spending"))
            return cls(buying, spending, **parameters, names=names)
        except TypeError as error:
            raise ValueError(f"The model of {target} is unreadable ({error}).") from error


def buying_parts(
    buying: Buying, spending: Spending, matrix: NDArray[np.float32], names: tuple[str, ...], days: float
) -> tuple[Floats, Floats, Floats]:
    """The orders expected in `days`, the value of an order, and the spending of `days` at the pace: each float64[n].

    Orders and value are NaN for customers who never ordered.
    """
    known = Record.of(matrix, names)
    pace = np.nan_to_num(matrix[:, names.index(PACE)].astype(np.float64)) * (days / PACE_DAYS)
    return buying.orders_within(known, days), spending.order_value(known), np.maximum(pace, 0.0)
