"""Fitting an amount from a customer's own orders: the weights of the closed form and of the pace."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls

from models.prediction.amount import AmountTier
from models.prediction.clv import Record
from models.prediction.clv_amount import BuyingAmount, buying_parts
from models.prediction.interval import INTERVAL
from training.fitting.clv import NotEnoughOrders, fit_buying, fit_spending
from training.fitting.tier_selection import newest_rows
from training.rows.dataset import Slice

Floats = NDArray[np.float64]

TAIL = 0.5 * (1.0 - INTERVAL)
POWER = 1.3
"""The variance of an amount grows with this power of its mean: between counts (1) and amounts of one size (2)."""

FEW = (0.05, 3.0)
"""The ends of the interval, in multiples of the mean, for too few rows: near those of an exponential amount."""

SHARES = np.linspace(0.0, 0.9, 10)
"""Shares of the pace in the amount that are tried; the closed form has the rest."""

NONE = 1e-3
"""The share of the mean below which the variance of an amount does not fall any further."""

STEPS = 20
"""Iterations in which the weights of the closed form converge."""


def deviance(spent: NDArray[np.float32], said: Floats) -> float:
    """The mean Tweedie deviance of `POWER`; zero where all predictions are exact."""
    return float(np.mean(deviances(spent.astype(np.float64), said)))


def deviances(spent: Floats, said: Floats) -> Floats:
    """The Tweedie deviance of each amount. Predictions below a small share of the mean count as that share."""
    near, far = 1.0 - POWER, 2.0 - POWER
    meant = np.maximum(said, max(NONE * float(np.abs(spent).mean()), 1e-9))
    apart: Floats = np.maximum(spent, 0.0) ** far / (near * far) - spent * meant**near / near + meant**far / far
    return 2.0 * apart


def said_of(tier: AmountTier, rows: Slice) -> Floats:
    """The tier's mean amounts of the rows."""
    return tier.amounts(np.ascontiguousarray(rows.features))[0]


def own_amount(rows: Slice, names: tuple[str, ...], days: float) -> BuyingAmount | None:
    """The closed form: BG/NBD and Gamma-Gamma fitted on the orders before the rows, its weights on the spending after.

    The pace has no weight yet (see `shared`). None when nobody has ordered twice, or no buyer spent anything after.
    """
    known, spent = Record.of(newest_rows(rows).features, names), rows.labels.astype(np.float64)
    try:
        buying, spending = fit_buying(known), fit_spending(known)
    except NotEnoughOrders:
        return None
    orders, value, pace = buying_parts(buying, spending, np.ascontiguousarray(rows.features), names, days)
    there = np.isfinite(orders * value)
    if not spent[there].sum() > 0.0:
        return None
    constant, closed = _weights(np.column_stack([np.ones(len(rows)), orders * value])[there], spent[there])
    usual = (float(orders[there].mean()), float(value[there].mean()), float(pace[there].mean()))
    return BuyingAmount(buying, spending, days, (constant, closed, 0.0), usual, FEW, float(spent.mean()), names)


def _weights(columns: Floats, spent: Floats) -> list[float]:
    """The non-negative weights of the columns with the least deviance: iterated least squares, weighted by variance."""
    weights, least = nnls(columns, spent)[0], NONE * float(spent.mean())
    for _ in range(STEPS):
        scale = np.maximum(columns @ weights, least) ** (-0.5 * POWER)
        weights = nnls(columns * scale[:, None], spent * scale)[0]
    fitted: list[float] = weights.tolist()
    return fitted


def shared(own: BuyingAmount, share: float) -> BuyingAmount:
    """The same amount with this share of the pace."""
    weights = ((1.0 - share) * own.weights[0], (1.0 - share) * own.weights[1], share)
    return BuyingAmount(own.buying, own.spending, own.days, weights, own.usual, own.ends, own.otherwise, own.names)


def best_share(ahead: list[tuple[BuyingAmount, Slice]]) -> float:
    """The share of the pace with the least deviance; each slice is predicted by the model fitted before it.

    Only the share is fitted, not the scale of the pace: in the first months of a log everybody's pace is too low.
    """

    def loss(share: float) -> float:
        return float(sum(deviance(rows.labels, said_of(shared(own, share), rows)) * len(rows) for own, rows in ahead))

    return float(min(SHARES, key=loss))


def held_ends(final: BuyingAmount, ahead: list[tuple[BuyingAmount, Slice]]) -> BuyingAmount:
    """The same amount with an interval that fits the rows; each slice is predicted by the model fitted before it."""
    ratios = np.concatenate([rows.labels / said_of(own, rows) for own, rows in ahead])
    low, high = np.quantile(np.maximum(ratios, 0.0), [TAIL, 1.0 - TAIL]).tolist()
    return BuyingAmount(
        final.buying, final.spending, final.days, final.weights, final.usual, (low, high), final.otherwise, final.names
    )
