"""Fitting a scorer: boosted trees on past rows, and a calibration learnt on rows held back from them."""

from __future__ import annotations

from dataclasses import dataclass

import lightgbm
import numpy as np
from numpy.typing import NDArray
from sklearn.isotonic import isotonic_regression
from sklearn.linear_model import LogisticRegression

from models.calibration import Calibration
from models.scorer import Scorer
from training.dataset import Dataset, Slice, joined

Probabilities = NDArray[np.float64]

ROUNDS = 300
"""Most trees of a scorer: a score costs time in proportion to them."""

PATIENCE = 40
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
    bit. On small data more threads only wait for each other.
    """
    return {
        "objective": "binary",
        "learning_rate": 0.02,
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


@dataclass(frozen=True, eq=False)
class FittedScorer:
    """A scorer and how it came about: `rounds` trees, what each feature adds (`importance`, shares of the gain),
    the settings, and the log loss of each candidate calibration on customers it had not seen."""

    scorer: Scorer
    rounds: int
    importance: dict[str, float]
    parameters: dict[str, object]
    calibration_losses: dict[str, float]


def fit_scorer(data: Dataset, seed: int) -> FittedScorer:
    """Trees and their calibration.

    How many trees are right is heard on `data.stop` from trees that know nothing of it (`data.purged_fit`). So many,
    grown on `fit` and `stop`, are calibrated on the rows held back a horizon later in `data.calibrate`. Then so many
    are grown anew on all three, because the newest rows know most about the next; `data.test` is as far from them as
    `calibrate` was from the trees that were calibrated.
    """
    parameters = settings(len(data.fit) + len(data.stop) + len(data.calibrate), seed)
    rounds, held = _rounds(data, parameters), data.calibrate
    past = lightgbm.train(parameters, _train_set(data, joined([data.fit, data.stop])), rounds)
    raw = np.asarray(past.predict(held.features), np.float64)
    calibration, losses = fit_calibration(raw, held.labels, held.customer)
    booster = lightgbm.train(parameters, _train_set(data, joined([data.fit, data.stop, held])), rounds)
    gain = booster.feature_importance("gain")
    shares = dict(zip(data.names, (gain / max(gain.sum(), _EDGE)).tolist(), strict=True))
    scorer = Scorer.from_text(data.target.name, booster.model_to_string(), calibration, data.names)
    return FittedScorer(scorer, rounds, shares, parameters, losses)


def _rounds(data: Dataset, parameters: dict[str, object]) -> int:
    """How many trees grown on the purged fit rows do best on the stop rows; `PATIENCE` more without progress end it."""
    stopping = lightgbm.early_stopping(PATIENCE, verbose=False)
    grown = _train_set(data, data.purged_fit)
    heard = _train_set(data, data.stop, reference=grown)
    return max(1, lightgbm.train(parameters, grown, ROUNDS, valid_sets=[heard], callbacks=[stopping]).best_iteration)


def _train_set(data: Dataset, rows: Slice, reference: lightgbm.Dataset | None = None) -> lightgbm.Dataset:
    return lightgbm.Dataset(
        rows.features, rows.labels.astype(np.float32), feature_name=list(data.names), reference=reference
    )


def fit_calibration(
    raw: Probabilities, labels: NDArray[np.int8], customer: NDArray[np.int32]
) -> tuple[Calibration, dict[str, float]]:
    """Isotonic or Platt, whichever has the smaller log loss on customers it was not fitted on, fitted on all rows.

    Rows of one customer stay together in one of `FOLDS` parts: they are alike, and would flatter the bendier curve.
    Also returns the log loss of each kind.
    """
    part = np.unique(customer, return_inverse=True)[1] % FOLDS
    losses = {}
    for kind, fit in _FITS.items():
        predicted = np.empty(len(raw))
        for fold in range(FOLDS):
            inside = part == fold
            outside = ~inside if inside.any() and not inside.all() else np.ones(len(raw), bool)
            predicted[inside] = fit(raw[outside], labels[outside]).apply_many(raw[inside])
        losses[kind] = log_loss(predicted, labels)
    best = min(losses, key=lambda kind: losses[kind])
    return _FITS[best](raw, labels), losses


def fit_isotonic(raw: Probabilities, labels: NDArray[np.int8]) -> Calibration:
    """The non-decreasing curve of least squared error (pool adjacent violators), joined between the pools' centres.

    One row more of the mean label at either end keeps the curve from 0 and 1, for which no sample is evidence enough.
    """
    order = np.argsort(raw, kind="stable")
    places, firsts, counts = np.unique(raw[order], return_index=True, return_counts=True)
    totals, sizes = np.add.reduceat(labels[order].astype(np.float64), firsts), counts.astype(np.float64)
    for end in (0, -1):
        totals[end] += labels.mean()
        sizes[end] += 1.0
    means = totals / sizes
    levels = isotonic_regression(means, sample_weight=sizes, y_min=0.0, y_max=1.0)
    # Pools of one level are one pool, whatever rounding did to the last digit.
    starts = np.flatnonzero(np.diff(levels, prepend=-1.0) > _SAME_LEVEL)
    centres = np.add.reduceat(places * sizes, starts) / np.add.reduceat(sizes, starts)
    knots, kept = np.unique(centres, return_index=True)
    return Calibration.isotonic(knots.tolist(), np.maximum.accumulate(levels[starts][kept]).tolist())


def fit_platt(raw: Probabilities, labels: NDArray[np.int8]) -> Calibration:
    """A logistic curve over the log-odds of `raw`; the identity where it would turn the order round."""
    inside = np.clip(raw, _EDGE, 1.0 - _EDGE)
    margins = np.log(inside / (1.0 - inside)).reshape(-1, 1)
    if not 0 < int(labels.sum()) < len(labels):
        return Calibration.identity()
    curve = LogisticRegression(C=1e6).fit(margins, labels)
    slope, intercept = float(curve.coef_[0, 0]), float(curve.intercept_[0])
    return Calibration.platt(slope, intercept) if slope > 0.0 else Calibration.identity()


_FITS = {"isotonic": fit_isotonic, "platt": fit_platt}


def log_loss(probabilities: Probabilities, labels: NDArray[np.int8]) -> float:
    """Mean of -log(the probability given to what happened), probabilities kept inside [1e-15, 1 - 1e-15]."""
    given = np.where(labels == 1, probabilities, 1.0 - probabilities)
    return float(-np.log(np.clip(given, _EDGE, 1.0)).mean())
