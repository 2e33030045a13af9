"""Fitting BG/NBD and Gamma-Gamma by maximum likelihood, and a regression over BG/NBD.

Both likelihoods depend on few numbers per customer and have few parameters, so that a quasi-Newton search over the
logarithms of the parameters, with the exact gradient, takes well under a second.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import digamma, gammaln

from models.prediction.clv import Buying, Orders, Record, Spending, regressors

Floats = NDArray[np.float64]
Likelihood = Callable[[Floats], tuple[float, Floats]]

LARGEST = 12.0
"""Bound of the logarithm of a parameter: beyond it the distribution is degenerate and predicts the same."""

PRIOR = 1e-6
"""Penalty on squared logarithms, per customer: it decides only what the data leave open."""

RIDGE = 20.0
"""Penalty on the squared weights of the regression, as strong as twenty orders."""

NEWTON_STEPS = 50
SETTLED = 1e-8


class NotEnoughOrders(ValueError):
    """The parameters cannot be fitted: nobody has ordered twice, or fewer than two customers have an order value."""


def fit_buying(known: Record) -> Buying:
    """The BG/NBD parameters that make the customers' orders most likely. Raises `NotEnoughOrders`.

    Customers who never ordered (NaN) are left out. The search uses the customers' mean age as its unit of time, so that
    its start suits any time scale.
    """
    customers = np.flatnonzero(known.age > 0)
    repeats, span, age = known.repeats[customers], known.span[customers], known.age[customers]
    if not np.any(repeats > 0):
        raise NotEnoughOrders(
            f"None of {len(customers)} customers has ordered twice; fitting their rates needs repeat orders. "
            "Import more customers or more history with `waypost import`."
        )
    unit = float(age.mean())
    (repeats, span, age), weights = _distinct(repeats, span / unit, age / unit)

    def likelihood(logs: Floats) -> tuple[float, Floats]:
        values, slopes = buying_likelihood(logs, repeats, span, age)
        return float(weights @ values), slopes @ weights

    r, alpha, a, b = np.exp(_most_likely(likelihood, float(weights.sum()), np.zeros(4))).tolist()
    return Buying(r, alpha * unit, a, b)


def buying_likelihood(logs: Floats, repeats: Floats, span: Floats, age: Floats) -> tuple[Floats, Floats]:
    """Log likelihood of each customer, float64[n], and its gradient, float64[4, n], at log r, log alpha, log a, log b.

    Equation 6 of Fader, Hardie and Lee (2005), in logarithms throughout (their note of 2013 on the #NUM! error).
    """
    r, alpha, a, b = np.exp(logs)
    shape, last = r + repeats, np.maximum(b + repeats - 1.0, 0.0) + (repeats == 0)
    stayed = -shape * np.log(alpha + age)
    left = np.where(repeats > 0, np.log(a / last) - shape * np.log(alpha + span), -np.inf)
    either = np.logaddexp(stayed, left)
    value = gammaln(shape) - gammaln(r) + r * np.log(alpha) + either
    value += gammaln(b + repeats) - gammaln(a + b + repeats) - gammaln(b) + gammaln(a + b)
    gone = np.exp(left - either)
    waiting = (1.0 - gone) * np.log(alpha + age) + gone * np.log(alpha + span)
    pace = (1.0 - gone) / (alpha + age) + gone / (alpha + span)
    both = digamma(a + b) - digamma(a + b + repeats)
    slopes = (
        r * (digamma(shape) - digamma(r) + np.log(alpha) - waiting),
        r - alpha * shape * pace,
        a * both + gone,
        b * (both + digamma(b + repeats) - digamma(b) - gone / last),
    )
    return value, np.stack(slopes)


def fit_spending(known: Record) -> Spending:
    """The Gamma-Gamma parameters that make the customers' mean baskets most likely. Raises `NotEnoughOrders`.

    Customers without a basket of positive value are left out.
    """
    customers = np.flatnonzero((known.repeats >= 0) & (known.basket > 0))
    orders, basket = known.repeats[customers] + 1.0, known.basket[customers]
    if len(orders) < 2:
        raise NotEnoughOrders(
            f"{len(orders)} customers have orders of positive value; fitting order values needs at least two. "
            "Import more customers with `waypost import`."
        )
    unit = float(basket.mean())

    def likelihood(logs: Floats) -> tuple[float, Floats]:
        values, slopes = spending_likelihood(logs, orders, basket / unit)
        return float(values.sum()), slopes.sum(axis=1)

    p, above_one, gamma = np.exp(_most_likely(likelihood, float(len(orders)), np.zeros(3))).tolist()
    return Spending(p, 1.0 + above_one, gamma * unit)


def spending_likelihood(logs: Floats, orders: Floats, basket: Floats) -> tuple[Floats, Floats]:
    """Log likelihood of each customer's mean basket, float64[n], and its gradient, float64[3, n], at log p, log(q - 1),
    log gamma; q is above 1 so that the mean of all customers exists. Equation 1a of Fader and Hardie (2013)."""
    p, above_one, gamma = np.exp(logs)
    q, shape = 1.0 + above_one, p * orders
    scale = gamma + orders * basket
    value = gammaln(shape + q) - gammaln(shape) - gammaln(q) + q * np.log(gamma)
    value += shape * np.log(orders * basket) - np.log(basket) - (shape + q) * np.log(scale)
    slopes = (
        shape * (digamma(shape + q) - digamma(shape) + np.log(orders * basket / scale)),
        above_one * (digamma(shape + q) - digamma(q) + np.log(gamma / scale)),
        q - (shape + q) * gamma / scale,
    )
    return value, np.stack(slopes)


def fit_orders(
    buying: Buying, matrix: NDArray[np.float32], names: Sequence[str], orders: Floats, period: float
) -> Orders:
    """A Poisson regression of `orders`, float64[n], in the next `period` days on `regressors`, with the expectation of
    BG/NBD as its offset: ridge-penalised, by Newton's method. Rows of customers who never ordered are left out."""
    columns = regressors(buying, matrix, names, period)
    kept = ~np.isnan(columns).any(axis=1)
    columns, counts = columns[kept], orders[kept]
    offset = columns[:, 1].copy()
    centres, spreads = columns.mean(axis=0), columns.std(axis=0)
    centres[0], spreads[spreads == 0.0] = 0.0, 1.0
    standard = (columns - centres) / spreads
    ridge = np.diag(np.append(0.0, np.full(len(centres) - 1, RIDGE)))
    weights = np.zeros(len(centres))
    weights[0] = np.log(max(counts.sum(), 0.5) / np.exp(offset).sum())
    for _ in range(NEWTON_STEPS):
        expected = np.exp(offset + standard @ weights)
        step = np.linalg.solve(
            (standard * expected[:, None]).T @ standard + ridge, standard.T @ (counts - expected) - ridge @ weights
        )
        weights = weights + step / max(1.0, float(np.abs(step).max()))
        if np.abs(step).max() < SETTLED:
            break
    return Orders(buying, period, tuple(centres.tolist()), tuple(spreads.tolist()), tuple(weights.tolist()))


def _distinct(*columns: Floats) -> tuple[Floats, Floats]:
    """The different rows among those of the columns, float64[columns, rows], and how often each occurs."""
    rows, counts = np.unique(np.stack(columns), axis=1, return_counts=True)
    return rows, counts.astype(np.float64)


def _most_likely(likelihood: Likelihood, customers: float, start: Floats) -> Floats:
    """The logarithms of the parameters at the greatest penalised likelihood."""

    def loss(logs: Floats) -> tuple[float, Floats]:
        value, slope = likelihood(logs)
        return PRIOR * float(logs @ logs) - value / customers, 2.0 * PRIOR * logs - slope / customers

    minimum = minimize(
        loss, start, jac=True, method="L-BFGS-B", bounds=[(-LARGEST, LARGEST)] * len(start),
        options={"ftol": 1e-13, "gtol": 1e-9, "maxiter": 1000},
    )  # fmt: skip
    return np.asarray(minimum.x, np.float64)
