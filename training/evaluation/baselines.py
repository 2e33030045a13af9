"""Baselines that a model has to beat: simple rules, fitted and tested on the same rows as the model.

Each baseline is made as good as it can be: skewed columns in logarithms, standardised, the strength of the
regularisation chosen on later rows, and the same calibration as the model's.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from models.prediction.calibration import Calibration
from training.fitting.calibration import fit_calibration, fit_isotonic, log_loss
from training.rows.dataset import Dataset, Slice, joined

Predict = Callable[[Slice], NDArray[np.float64]]

RFM = ("days_since_purchase", "purchases_ever", "spend_gross_ever")
"""Recency, frequency and monetary value: the numbers by which mail-order shops have ranked customers for decades."""

RFM_WINDOWS = (*RFM, "purchases_28d", "purchases_90d", "spend_gross_28d", "spend_net_90d")
"""The three, and the same within windows: a stronger version of the baseline, shown beside it."""

STRENGTHS = (0.001, 0.01, 0.1, 1.0, 10.0)
NEVER = 3650.0
"""The value of days since a purchase for a customer without one."""


def baselines(data: Dataset) -> dict[str, NDArray[np.float64]]:
    """Probabilities of the test rows by baseline."""
    rules: dict[str, Predict] = {
        "rfm_logistic": _logistic(data, RFM),
        "rfm_windows_logistic": _logistic(data, RFM_WINDOWS),
        "recency_rule": _recency(data),
        "base_rate": _base_rate(data),
    }
    return {name: rule(data.test) for name, rule in rules.items()}


def _base_rate(data: Dataset) -> Predict:
    """The share of positives of the latest period for everyone: of the newest rows known before the test."""
    rate = float(data.calibrate.labels.mean())
    return lambda rows: np.full(len(rows), rate)


def _recency(data: Dataset) -> Predict:
    """A monotone curve over days since the purchase: the share in training, falling (or, for churn, rising)."""
    train = joined([data.fit, data.stop, data.calibrate])
    days = _days_since_purchase(data, train)
    later = float(np.corrcoef(days, train.labels)[0, 1]) if days.std() > 0 else 0.0
    direction = 1.0 if later >= 0 else -1.0
    curve = fit_isotonic(direction * days, train.labels)
    return lambda rows: curve.apply_many(direction * _days_since_purchase(data, rows))


def _days_since_purchase(data: Dataset, rows: Slice) -> NDArray[np.float64]:
    return np.nan_to_num(data.column(rows, "days_since_purchase"), nan=NEVER)


def _logistic(data: Dataset, columns: tuple[str, ...]) -> Predict:
    """Logistic regression on logarithms of `columns`: strength chosen on the stop rows, calibrated like the model."""
    losses, past = {}, data.purged_fit
    for strength in STRENGTHS:
        tried = _fitted(data, columns, past, strength)
        losses[strength] = log_loss(_probabilities(data, columns, tried, data.stop), data.stop.labels)
    best = min(losses, key=lambda strength: losses[strength])
    model = _fitted(data, columns, joined([data.fit, data.stop]), best)
    held = data.calibrate
    calibration, *_ = fit_calibration(_probabilities(data, columns, model, held), held.labels, held.customer)
    final = _fitted(data, columns, joined([data.fit, data.stop, held]), best)
    return _calibrated(data, columns, final, calibration)


def _calibrated(data: Dataset, columns: tuple[str, ...], model: Pipeline, calibration: Calibration) -> Predict:
    return lambda rows: calibration.apply_many(_probabilities(data, columns, model, rows))


def _fitted(data: Dataset, columns: tuple[str, ...], rows: Slice, strength: float) -> Pipeline:
    model = make_pipeline(StandardScaler(), LogisticRegression(C=strength, solver="newton-cholesky"))
    return model.fit(_logarithms(data, columns, rows), rows.labels)


def _probabilities(data: Dataset, columns: tuple[str, ...], model: Pipeline, rows: Slice) -> NDArray[np.float64]:
    given: NDArray[np.float64] = model.predict_proba(_logarithms(data, columns, rows))[:, 1]
    return given


def _logarithms(data: Dataset, columns: tuple[str, ...], rows: Slice) -> NDArray[np.float64]:
    """log(1 + value) of each column; without a purchase the days are `NEVER`, an unknown amount counts as 0."""
    values = [
        np.nan_to_num(data.column(rows, name), nan=NEVER if name.startswith("days_since") else 0.0) for name in columns
    ]
    return np.log1p(np.maximum(np.column_stack(values), 0.0))
