"""The calibration of probabilities on outcomes, with standard errors that allow for correlated rows of a customer.

The outcome is regressed on the predicted log-odds (Cox, 1958). Calibrated probabilities have slope 1 and intercept 0; a
slope below 1 means that they are too extreme, a negative one that their order is reversed. The *shift* is the intercept
at slope 1 (calibration in the large): by how much the log-odds are too low on average. The standard errors are those of
the sandwich estimator with customers as clusters (Liang and Zeger, 1986).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from training.evaluation.evaluation import Figure
from training.fitting.intervals import log_odds

Array = NDArray[np.float64]

LEVEL_DEVIATIONS = 1.959964
"""Standard errors to either side of a 95 % interval."""

PRIOR_DEVIATION = 10.0
"""The prior standard deviation of slope and intercept around 1 and 0; without it, perfectly separated rows would have
no finite slope."""

_ROUNDS = 50


@dataclass(frozen=True, slots=True)
class Recalibration:
    """The line from predicted to true log-odds, with 95 % intervals."""

    slope: Figure
    intercept: Figure
    shift: Figure


def recalibrated(probabilities: Array, labels: NDArray[np.int8], customer: NDArray[np.int32]) -> Recalibration:
    """Slope, intercept and shift of rows with these probabilities and answers (0 or 1), float64[n] and int8[n]."""
    margins, answers = log_odds(probabilities), labels.astype(np.float64)
    constant = np.ones((len(margins), 1))
    line, errors = _regression(np.column_stack([constant, margins]), np.zeros(len(margins)), answers, customer, (0, 1))
    level, level_errors = _regression(constant, margins, answers, customer, (0,))
    return Recalibration(_figure(line[1], errors[1]), _figure(line[0], errors[0]), _figure(level[0], level_errors[0]))


def ratio_of_means(above: Array, below: Array, customer: NDArray[np.int32]) -> Figure:
    """The mean of `above` divided by the mean of `below`, of the same rows; its interval comes from linearisation."""
    ratio = float(above.mean() / below.mean())
    return _figure(ratio, float(np.sqrt(_clustered((above - ratio * below)[:, None], customer)[0, 0])) / below.sum())


def mean_of(values: Array, customer: NDArray[np.int32]) -> Figure:
    """The mean of rows with its interval."""
    return ratio_of_means(values, np.ones(len(values)), customer)


def standard_error(figure: Figure) -> float:
    """The standard error of a figure, from its interval."""
    return (figure.high - figure.low) / (2.0 * LEVEL_DEVIATIONS)


def _regression(
    design: Array, offset: Array, answers: Array, customer: NDArray[np.int32], prior: tuple[int, ...]
) -> tuple[Array, Array]:
    """Logistic regression by Newton's method: coefficients and their standard errors, each float64[columns].

    `prior` are the prior means of the coefficients.
    """
    believed = np.array(prior, np.float64)
    tightness = np.eye(design.shape[1]) / PRIOR_DEVIATION**2
    coefficients = believed.copy()
    for _ in range(_ROUNDS):
        given = 1.0 / (1.0 + np.exp(-np.clip(design @ coefficients + offset, -700.0, 700.0)))
        slopes = design * (given * (1.0 - given))[:, None]
        curvature = design.T @ slopes + tightness
        step = np.linalg.solve(curvature, design.T @ (answers - given) - tightness @ (coefficients - believed))
        # A full step may overshoot the optimum where the curve is flat; a step of at most 2 in log-odds is safe.
        coefficients += step * min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-12))
        if float(np.abs(step).max()) < 1e-9:
            break
    inverse = np.linalg.inv(curvature)
    covariance = inverse @ _clustered(design * (answers - given)[:, None], customer) @ inverse
    return coefficients, np.sqrt(np.diag(covariance))


def _clustered(contributions: Array, customer: NDArray[np.int32]) -> Array:
    """The variance of the sum of rows, float64[k, k], clustered by customer."""
    index = np.unique(customer, return_inverse=True)[1]
    clusters = int(index.max()) + 1
    sums = np.column_stack([np.bincount(index, weights=column, minlength=clusters) for column in contributions.T])
    return np.asarray(sums.T @ sums * (clusters / max(clusters - 1, 1)))


def _figure(value: float, error: float) -> Figure:
    reach = LEVEL_DEVIATIONS * float(error)
    return Figure(float(value), float(value) - reach, float(value) + reach)
