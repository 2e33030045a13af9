"""The settings and constraints of boosted trees, and calibrations fitted on rows held back from them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import isotonic_regression
from sklearn.linear_model import LogisticRegression

from features.journey import Journey
from models.prediction.calibration import Calibration
from training.targets import Target

Probabilities = NDArray[np.float64]

ROUNDS = 150
"""The most trees of a scorer; the time of a score is proportional to their number."""

PATIENCE = 20
"""Early stopping waits this many trees for a better one."""

MANY_ROWS = 500_000
"""From so many rows on, trees are grown with several threads."""

FOLDS = 5
"""Parts of the calibration rows, by customer, on which the kinds of calibration are compared."""

_EDGE = 1e-15
_SAME_LEVEL = 1e-12


def settings(rows: int, seed: int) -> dict[str, object]:
    """LightGBM's parameters for so many rows: small trees and strong regularisation, because rows are much alike.

    Everything follows from the arguments, nothing from the machine: the same rows and seed give the same trees to the
    bit. On small data more threads would only wait for each other.
    """
    return {
        "objective": "binary",
        "learning_rate": 0.04,
        "num_leaves": 15,
        "min_data_in_leaf": 200,
        "feature_fraction": 0.3,
        "bagging_fraction": 0.7,
        "bagging_freq": 1,
        "lambda_l2": 10.0,
        "seed": seed,
        "deterministic": True,
        "force_col_wise": True,
        "num_threads": 1 if rows < MANY_ROWS else 4,
        "verbosity": -1,
    }


def constraints(target: Target, names: Sequence[str]) -> dict[str, object]:
    """LightGBM's parameters that make the answer monotone in the engaging features among `names`.

    Empty where the target has no `engagement`. They are no part of `settings`, because they have a number per column.
    """
    if not target.engagement:
        return {}
    return {
        "monotone_constraints": [target.engagement if name in Journey.engaging else 0 for name in names],
        "monotone_constraints_method": "intermediate",
    }


def fit_calibration(
    raw: Probabilities, labels: NDArray[np.int8], customer: NDArray[np.int32]
) -> tuple[Calibration, dict[str, float], Probabilities]:
    """The kind of calibration with the smallest log loss on customers it was not fitted on, fitted on all rows.

    Rows of one customer stay together in one of `FOLDS` parts: they are correlated, and would favour the more
    flexible curve otherwise. Also returns the log loss of each kind, and the probabilities of the chosen kind for the
    rows when they were unseen.
    """
    part = np.unique(customer, return_inverse=True)[1] % FOLDS
    said = {}
    for kind in _FITS:
        said[kind] = np.empty(len(raw))
        for fold in range(FOLDS):
            inside = part == fold
            outside = ~inside if inside.any() and not inside.all() else np.ones(len(raw), bool)
            said[kind][inside] = fit_kind(kind, raw[outside], labels[outside]).apply_many(raw[inside])
    losses = {kind: log_loss(unseen, labels) for kind, unseen in said.items()}
    best = min(losses, key=lambda kind: losses[kind])
    return fit_kind(best, raw, labels), losses, said[best]


def fit_kind(kind: str, raw: Probabilities, labels: NDArray[np.int8]) -> Calibration:
    """The calibration of this kind."""
    return _FITS[kind](raw, labels)


def fit_isotonic(raw: Probabilities, labels: NDArray[np.int8]) -> Calibration:
    """The non-decreasing curve of least squared error (pool adjacent violators), joined between the pools' centres.

    A further row with the mean label at either end keeps the curve away from 0 and 1, for which no sample is enough
    evidence.
    """
    order = np.argsort(raw, kind="stable")
    places, firsts, counts = np.unique(raw[order], return_index=True, return_counts=True)
    totals, sizes = np.add.reduceat(labels[order].astype(np.float64), firsts), counts.astype(np.float64)
    for end in (0, -1):
        totals[end] += labels.mean()
        sizes[end] += 1.0
    means = totals / sizes
    levels = isotonic_regression(means, sample_weight=sizes, y_min=0.0, y_max=1.0)
    # Pools of the same level are one pool, even where rounding changed the last digit.
    starts = np.flatnonzero(np.diff(levels, prepend=-1.0) > _SAME_LEVEL)
    centres = np.add.reduceat(places * sizes, starts) / np.add.reduceat(sizes, starts)
    knots, kept = np.unique(centres, return_index=True)
    return Calibration.isotonic(knots.tolist(), np.maximum.accumulate(levels[starts][kept]).tolist())


def fit_platt(raw: Probabilities, labels: NDArray[np.int8]) -> Calibration:
    """A logistic curve over the log-odds of `raw`; the identity where it would reverse the order.

    No row counts as surely yes or no (Platt, 1999): where `raw` separates the labels perfectly, a curve fitted to the
    labels themselves would be infinitely steep.
    """
    inside = np.clip(raw, _EDGE, 1.0 - _EDGE)
    margins = np.log(inside / (1.0 - inside)).reshape(-1, 1)
    yes, number = int(labels.sum()), len(labels)
    if not 0 < yes < number:
        return Calibration.identity()
    sure = np.where(labels == 1, (yes + 1.0) / (yes + 2.0), 1.0 / (number - yes + 2.0))
    answers = np.repeat([1, 0], number)
    curve = LogisticRegression(C=1e6, solver="newton-cholesky").fit(
        np.concatenate([margins, margins]), answers, np.concatenate([sure, 1.0 - sure])
    )
    slope, intercept = float(curve.coef_[0, 0]), float(curve.intercept_[0])
    return Calibration.platt(slope, intercept) if slope > 0.0 else Calibration.identity()


def fit_identity(raw: Probabilities, labels: NDArray[np.int8]) -> Calibration:
    """The raw probabilities as they are."""
    return Calibration.identity()


_FITS = {"identity": fit_identity, "platt": fit_platt, "isotonic": fit_isotonic}


def row_losses(probabilities: Probabilities, labels: NDArray[np.int8]) -> NDArray[np.float64]:
    """-log(probability of the actual outcome) of each row, with probabilities kept inside [1e-15, 1 - 1e-15]."""
    given = np.where(labels == 1, probabilities, 1.0 - probabilities)
    losses: NDArray[np.float64] = -np.log(np.clip(given, _EDGE, 1.0))
    return losses


def log_loss(probabilities: Probabilities, labels: NDArray[np.int8]) -> float:
    """The mean of `row_losses`."""
    return float(row_losses(probabilities, labels).mean())
