"""Customer lifetime value from a customer's own orders: BG/NBD for how often, Gamma-Gamma for how much.

While a customer is *alive*, orders come at random at a rate of the customer's own; after each order the customer
leaves for good with a chance of its own. The rates are distributed over the customers as Gamma(`r`, `alpha`), the
chances as Beta(`a`, `b`): the BG/NBD model (Fader, Hardie and Lee, 2005, "Counting your customers the easy way",
Marketing Science 24). The values of a customer's orders are distributed as Gamma(`p`, v), the v of the customers as
Gamma(`q`, `gamma`): the Gamma-Gamma model (Fader and Hardie, 2013, "The Gamma-Gamma model of monetary value").

Both are closed forms of four numbers per customer: repeat orders, days from the first order to the last, days from
the first order to now, and mean value of an order. `Orders` is a regression on more features that corrects BG/NBD.
Training fits both (`training.fitting.clv`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]

MOST_TERMS = 20_000
"""The most terms of a hypergeometric series that are summed; a longer one is replaced by an integral."""

LOST = 1e-8
"""The share of the expected orders that rounding may cost where terms cancel out; beyond it an integral is used."""

_TINY = 1e-15
_FLAT = 1e-9
_HUGE = 1e100
_NEAR, _FAR, _FURTHEST = 9.0, 40.0, 600.0
_NODES, _AT_ONCE = 201, 4_096


@dataclass(frozen=True, slots=True)
class Record:
    """The input of the models, each float64[n]; NaN for customers who never ordered.

    `repeats` is the number of orders after the first, `span` the days between the first order and the last, `age` the
    days since the first order, `basket` the mean value of an order.
    """

    repeats: Floats
    span: Floats
    age: Floats
    basket: Floats

    @staticmethod
    def of(matrix: NDArray[np.float32], names: Sequence[str]) -> Record:
        """From the features of customers, float32[n, f], whose columns have these `names`."""
        orders, first, last, basket = (matrix[:, names.index(name)].astype(np.float64) for name in COLUMNS)
        first = np.maximum(first, last)
        return Record(np.where(np.isnan(first), np.nan, orders - 1.0), first - last, first, basket)


COLUMNS = ("purchases_ever", "days_since_first_purchase", "days_since_purchase", "basket_value_mean")
"""The features that a `Record` is read from."""


@dataclass(frozen=True, slots=True)
class Buying:
    """The BG/NBD model with its parameters, all positive; `alpha` is in days."""

    r: float
    alpha: float
    a: float
    b: float

    def alive(self, known: Record) -> Floats:
        """The probability that a customer has not left, float64[n]; 1 until the second order."""
        with np.errstate(invalid="ignore"):  # NaN, for a customer who never ordered, stays NaN
            stays: Floats = np.exp(-np.logaddexp(0.0, self._odds_of_absence(known)))
        return stays

    def any_within(self, known: Record, days: ArrayLike) -> Floats:
        """The probability of at least one order in the next `days`, float64[n]."""
        shape = self.r + known.repeats
        silent = np.exp(-shape * np.log1p(np.asarray(days) / (self.alpha + known.age)))
        return self.alive(known) * (1.0 - silent)

    def orders_within(self, known: Record, days: ArrayLike) -> Floats:
        """The number of orders expected in the next `days`, float64[n].

        Equation 10 of the paper after Euler's transformation of its hypergeometric function, which removes the powers
        that overflow, and with the removable pole at a = 1 divided out. Where customers are so similar that the
        parameters are very large, the terms of the series are very large, too, and cancel out: there the orders are
        integrated over the chance to leave instead.
        """
        ahead = np.broadcast_to(np.asarray(days, np.float64), known.age.shape)
        share = ahead / (self.alpha + known.age + ahead)
        above = self.a + self.b + known.repeats
        rest = np.log1p(-share)
        power = self.a - 1.0
        direct = -rest if abs(power) < _FLAT else -np.expm1(power * rest) / power
        series, largest = _series(self.a + self.b - 1.0 - self.r, self.a, above, share)
        weight = np.exp(power * rest)
        staying = (above - 1.0) * direct - weight * series
        unsure = (largest > _HUGE) | (weight * np.minimum(largest, _HUGE) * _TINY > LOST * staying)
        if unsure.any():
            hard = Record(*(part[unsure] for part in (known.repeats, known.span, known.age, known.basket)))
            staying[unsure] = self._integrated(hard, ahead[unsure])
        return self.alive(known) * staying

    def _integrated(self, known: Record, ahead: Floats) -> Floats:
        """The orders expected of customers who are alive, float64[n]: the mean over their chances to leave.

        The trapezoidal rule over the log-odds of the chance, centred at the mode, with steps that widen outwards: it
        is accurate both where all chances are nearly the same and where they are near 0 and 1.
        """
        step = np.linspace(-1.0, 1.0, _NODES)
        expected = np.empty(len(ahead))
        for start in range(0, len(ahead), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            after, shape = self.b + known.repeats[part, None], self.r + known.repeats[part, None]
            deviation = np.sqrt(1.0 / self.a + 1.0 / after)
            place = np.arcsinh(_NEAR + _FAR * deviation) * step
            odds = np.log(self.a / after) + deviation * np.sinh(place)
            # The logarithms of the chance to leave and of the chance to stay.
            leaves, stays = -np.logaddexp(0.0, -odds), -np.logaddexp(0.0, odds)
            density = self.a * leaves + after * stays + np.log(np.cosh(place))
            density = np.exp(density - density.max(axis=1, keepdims=True))
            chance = np.exp(np.maximum(leaves, -_FURTHEST))
            grown = shape * np.log1p(chance * (ahead[part, None] / (self.alpha + known.age[part, None])))
            orders = -np.expm1(-grown) / chance
            expected[part] = (density * orders).sum(axis=1) / density.sum(axis=1)
        return expected

    def _odds_of_absence(self, known: Record) -> Floats:
        """Logarithm of the odds that a customer has left; minus infinity without a repeat order."""
        with np.errstate(divide="ignore"):
            chance = np.log(np.where(known.repeats > 0, self.a / (self.b + np.maximum(known.repeats, 1.0) - 1.0), 0.0))
        silence = np.log((self.alpha + known.age) / (self.alpha + known.span))
        return np.where(np.isnan(known.age), np.nan, chance + (self.r + known.repeats) * silence)


@dataclass(frozen=True, slots=True)
class Spending:
    """The Gamma-Gamma model with its parameters; `q` above 1, `gamma` in the currency of the orders."""

    p: float
    q: float
    gamma: float

    def order_value(self, known: Record) -> Floats:
        """The mean value of a customer's future orders, float64[n]: its own mean, shrunk towards that of all."""
        orders = known.repeats + 1.0
        return self.p * (self.gamma + orders * known.basket) / (self.p * orders + self.q - 1.0)


@dataclass(frozen=True, slots=True)
class Orders:
    """Expected orders: BG/NBD times a factor from a Poisson regression on the next `period` days.

    `centres` and `spreads`, the mean and the standard deviation, and `weights` have a number for each column of
    `regressors`.
    """

    buying: Buying
    period: float
    centres: tuple[float, ...]
    spreads: tuple[float, ...]
    weights: tuple[float, ...]

    def within(self, matrix: NDArray[np.float32], names: Sequence[str], days: float) -> Floats:
        """The number of orders expected in the next `days`, float64[n], of customers with features float32[n, f].

        For other `days` than the `period` that was learnt, the factor is applied to what BG/NBD expects of those days.
        NaN for customers who never ordered.
        """
        columns = regressors(self.buying, matrix, names, self.period)
        standard = (columns - np.array(self.centres)) / np.array(self.spreads)
        known = Record.of(matrix, names)
        learnt: Floats = np.exp((standard * np.array(self.weights)).sum(axis=1))
        return self.buying.orders_within(known, days) * learnt


def regressors(buying: Buying, matrix: NDArray[np.float32], names: Sequence[str], days: float) -> Floats:
    """The regressors of `Orders`, float64[n, columns]: a constant, the orders that BG/NBD expects, and features."""
    known = Record.of(matrix, names)
    silence = known.age - known.span
    fading = [np.log(matrix[:, names.index(name)].astype(np.float64) + _FADED) for name in FADING]
    return np.column_stack(
        [
            np.ones(len(matrix)),
            np.log(buying.orders_within(known, days)),
            known.repeats == 0,
            known.repeats == 1,
            np.log1p(known.repeats),
            np.log1p(silence),
            np.log1p(known.age),
            np.log1p(known.span),
            silence / (known.age + 1.0),
            np.log1p(np.maximum(known.basket, 0.0)),
            *fading,
        ]
    )


FADING = ("purchases_fading_14d", "purchases_fading_28d", "purchases_fading_56d", "purchases_fading_112d")
"""Features of `Orders` besides those of a `Record`."""

_FADED = 0.05


def _series(first: float, second: float, third: Floats, share: Floats) -> tuple[Floats, Floats]:
    """The sum over k from 1 of (first)_k (second)_(k-1) share^k / ((third)_(k-1) k!), float64[n], and its largest term.

    Shares are below 1. (second - 1) / (third - 1) times the sum is 2F1(first, second - 1; third - 1; share) - 1. Where
    the series does not converge within `MOST_TERMS`, the largest term is infinite and the sum is 0.
    """
    term = first * share
    total = term.copy()
    largest = np.abs(term)
    going = largest > 0.0
    for k in range(1, MOST_TERMS):
        if not going.any():
            break
        # Each customer's sum ends with its own last term, so that it has the same bits alone and in a batch.
        term = np.where(going, term, 0.0)
        term = term * ((first + k) * (second + k - 1.0) / ((third + (k - 1.0)) * (k + 1.0)) * share)
        total += term
        size = np.abs(term)
        largest = np.maximum(largest, size)
        going &= (size > _TINY * np.abs(total)) & (size < _HUGE)
    endless = going | (largest >= _HUGE)
    return np.where(endless, 0.0, total), np.where(endless, np.inf, largest)
