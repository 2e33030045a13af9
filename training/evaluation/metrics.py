"""Metrics of a probability, each computed for many resamplings of the customers at once.

Rows of one customer are correlated, so the bootstrap draws customers, not rows (the cluster bootstrap: Field and
Welsh, 2007). A resampling is a number of copies for each row: one row of `weights`, float64[replicates, n]; weights of
1 give the metric without resampling. Every metric takes `(Ranked, weights)` and returns float64[replicates].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Weights = NDArray[np.float64]
Figures = NDArray[np.float64]

BINS = 10
TOP = 0.1
_EDGE = 1e-15


@dataclass(frozen=True, eq=False)
class Ranked:
    """Labels and probabilities of some rows, highest probability first.

    `order` sorts the rows as they were, and `starts` is where each run of equal probabilities begins: every ranking
    metric treats rows of equal probability as one step.
    """

    labels: NDArray[np.float64]
    probabilities: NDArray[np.float64]
    order: NDArray[np.int64]
    starts: NDArray[np.int64]

    @staticmethod
    def of(probabilities: NDArray[np.float64], labels: NDArray[np.int8]) -> Ranked:
        """Rows in any order."""
        order = np.argsort(-probabilities, kind="stable")
        ordered = probabilities[order]
        starts = np.flatnonzero(np.diff(ordered, prepend=np.inf) != 0.0)
        return Ranked(labels[order].astype(np.float64), ordered, order, starts)

    def steps(self, weights: Weights) -> tuple[Figures, Figures]:
        """Weight of the positives and of the negatives in each run of equal probabilities, [replicates, runs]."""
        positives = np.add.reduceat(weights * self.labels, self.starts, axis=1)
        return positives, np.add.reduceat(weights, self.starts, axis=1) - positives


def roc_auc(rows: Ranked, weights: Weights) -> Figures:
    """The probability that a positive is ranked above a negative; ties count half."""
    positives, negatives = rows.steps(weights)
    above = np.cumsum(positives, axis=1) - 0.5 * positives
    figures: Figures = (negatives * above).sum(axis=1) / (positives.sum(axis=1) * negatives.sum(axis=1))
    return figures


def pr_auc(rows: Ranked, weights: Weights) -> Figures:
    """Average precision: precision at each step of the ranking, weighted by the recall it adds."""
    positives, negatives = rows.steps(weights)
    hits = np.cumsum(positives, axis=1)
    counts = hits + np.cumsum(negatives, axis=1)
    precision = np.divide(hits, counts, out=np.zeros_like(hits), where=counts > 0)
    figures: Figures = (positives * precision).sum(axis=1) / hits[:, -1]
    return figures


def log_loss(rows: Ranked, weights: Weights) -> Figures:
    """Mean of -log(probability of the actual outcome), with probabilities kept inside [1e-15, 1]."""
    given = np.where(rows.labels == 1.0, rows.probabilities, 1.0 - rows.probabilities)
    return _mean(-np.log(np.clip(given, _EDGE, 1.0)), weights)


def brier(rows: Ranked, weights: Weights) -> Figures:
    """Mean squared distance between probability and outcome (Brier, 1950)."""
    return _mean((rows.probabilities - rows.labels) ** 2, weights)


def calibration_error(rows: Ranked, weights: Weights) -> Figures:
    """Expected calibration error: |mean probability - share of positives|, averaged over `BINS` bins of equal numbers
    of rows (Naeini and others, 2015). The bins are cut once, on the rows without resampling, and never within a run of
    equal probabilities."""
    edges = np.linspace(0, len(rows.labels), BINS + 1)[:-1].round().astype(np.int64)
    starts = np.unique(rows.starts[np.searchsorted(rows.starts, edges, side="right") - 1])
    gap = np.add.reduceat(weights * (rows.probabilities - rows.labels), starts, axis=1)
    figures: Figures = np.abs(gap).sum(axis=1) / weights.sum(axis=1)
    return figures


def lift_at_10(rows: Ranked, weights: Weights) -> Figures:
    """How many times more frequent positives are among the top 10 % than among all."""
    positives, negatives = rows.steps(weights)
    hits, counts = np.cumsum(positives, axis=1), np.cumsum(positives + negatives, axis=1)
    # Within a run of equal probabilities any row may be the last one above the cut: positives count in proportion.
    cut = TOP * counts[:, -1:]
    last = (counts < cut).sum(axis=1, keepdims=True)
    weight, positive = (np.take_along_axis(part, last, axis=1) for part in (positives + negatives, positives))
    missing = np.take_along_axis(counts, last, axis=1) - cut
    figures: Figures = ((np.take_along_axis(hits, last, axis=1) - positive * missing / weight) / cut)[:, 0]
    return figures / (hits[:, -1] / counts[:, -1])


def _mean(values: NDArray[np.float64], weights: Weights) -> Figures:
    means: Figures = (weights @ values) / weights.sum(axis=1)
    return means


METRICS: dict[str, Callable[[Ranked, Weights], Figures]] = {
    "roc_auc": roc_auc,
    "pr_auc": pr_auc,
    "log_loss": log_loss,
    "brier": brier,
    "calibration_error": calibration_error,
    "lift_at_10": lift_at_10,
}
"""Every metric by name."""

TITLES = {
    "roc_auc": "ROC-AUC",
    "pr_auc": "PR-AUC",
    "log_loss": "log loss",
    "brier": "Brier",
    "calibration_error": "calibration error",
    "lift_at_10": "lift at 10 %",
}
"""The title of each metric in reports."""
