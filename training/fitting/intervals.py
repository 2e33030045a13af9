"""Fitting the intervals of probabilities on held-out groups of customers, and measuring their coverage."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize
from scipy.special import gammaln
from scipy.stats import binom

from models.prediction.interval import INTERVAL, Intervals

Floats = NDArray[np.float64]

GROUP = 50
"""The number of rows of one group: neighbours by probability, whose rate is compared with it."""

USUAL, VAGUENESS = 0.2, 0.7
"""The prior of a standard deviation in log-odds: its median, and its own deviation in logarithms (log-normal)."""

ENOUGH_GROUPS = 20
"""Groups for each place at which the intervals have their own deviation; there are at most `MOST_PLACES` places."""

MOST_PLACES = 3
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(15)
_EDGE = 1e-9


def groups(probabilities: Floats, labels: NDArray[np.int8], size: int = GROUP) -> tuple[Floats, Floats, Floats]:
    """Groups of neighbours by probability: the log-odds of the mean, the number of yes and the number of rows."""
    parts = np.array_split(np.argsort(probabilities, kind="stable"), max(1, len(probabilities) // size))
    means = np.array([probabilities[part].mean() for part in parts])
    return (
        log_odds(means),
        np.array([float(labels[part].sum()) for part in parts]),
        np.array([float(len(p)) for p in parts]),
    )


def log_odds(probabilities: Floats) -> Floats:
    """log(p / (1 - p)), kept finite."""
    inside = np.clip(probabilities, _EDGE, 1.0 - _EDGE)
    margins: Floats = np.log(inside / (1.0 - inside))
    return margins


def fit_intervals(margins: Floats, yes: Floats, rows: Floats) -> Intervals:
    """The intervals of the greatest posterior probability, given these groups' numbers of yes.

    A group's rate has normal log-odds around `margins`, its number of yes is binomial. The groups must consist of rows
    that neither the model nor its calibration had seen.
    """
    number = max(1, min(MOST_PLACES, len(margins) // ENOUGH_GROUPS))
    places = np.unique(np.quantile(margins, (np.arange(number) + 0.5) / number))
    fixed = gammaln(rows + 1) - gammaln(yes + 1) - gammaln(rows - yes + 1)

    def unlikely(logarithms: Floats) -> float:
        deviations = np.interp(margins, places, np.exp(logarithms))
        shifted = margins[:, None] + deviations[:, None] * _NODES
        terms = fixed[:, None] + yes[:, None] * shifted - rows[:, None] * np.logaddexp(0.0, shifted)
        top = terms.max(axis=1, keepdims=True)
        likelihood = top[:, 0] + np.log(np.exp(terms - top) @ _WEIGHTS)
        belief = ((logarithms - np.log(USUAL)) ** 2).sum() / (2.0 * VAGUENESS**2)
        return float(belief - likelihood.sum())

    minimum = minimize(
        unlikely, np.full(len(places), np.log(USUAL)), method="L-BFGS-B", bounds=[(-5.0, 1.5)] * len(places)
    )
    return Intervals(tuple(places.tolist()), tuple(np.exp(minimum.x).tolist()))


def coverage(probabilities: Floats, labels: NDArray[np.int8], intervals: Intervals, seed: int) -> float:
    """The share of groups whose number of yes is inside its predictive interval, which should be `INTERVAL`.

    A group's rate has normal log-odds with the deviation of the intervals, its number of yes is binomial. Because
    numbers are whole, an end of the interval belongs to it with the probability that makes the coverage exactly
    `INTERVAL` (the randomised interval).
    """
    margins, yes, rows = groups(probabilities, labels)
    rates = 1.0 / (1.0 + np.exp(-(margins[:, None] + intervals.deviation(margins)[:, None] * _NODES)))
    chances = _WEIGHTS / _WEIGHTS.sum()
    below = binom.cdf(yes[:, None] - 1, rows[:, None], rates) @ chances
    at = binom.pmf(yes[:, None], rows[:, None], rates) @ chances
    place = below + at * np.random.default_rng(seed).random(len(margins))
    tail = 0.5 * (1.0 - INTERVAL)
    return float(((place >= tail) & (place <= 1.0 - tail)).mean())
