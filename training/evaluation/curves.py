"""A fitted scorer's most important features, their drift until the test, and its learning curve."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from models.bundle.sketch import Sketch, psi, wasserstein
from models.prediction.scorer import Scorer
from models.prediction.tiers import Logistic, Tier, Trees
from training.fitting.calibration import constraints, log_loss
from training.fitting.tier_selection import FittedScorer
from training.fitting.tiers import fit_logistic, fit_trees
from training.rows.dataset import Dataset, Slice

SHARES = (1 / 64, 1 / 16, 1 / 4)
"""Shares of the customers at which a learning curve is measured, besides all; together they cost a third of a fit."""

SCORE = "the score itself"
LEANT_ON = 19
"""The number of most important features whose drift is reported."""

FEATURES, VALUES, ROWS = 5, 12, 300
"""Partial dependence: the number of features, of values of each, and of rows averaged over."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Log loss in the test, before calibration, by number of training rows; `base` is that of the base rate."""

    tier: str
    rows: tuple[int, ...]
    losses: tuple[float, ...]
    base: float


@dataclass(frozen=True, slots=True)
class Drift:
    """The distance of a column in the test from the same in the training rows: of `SCORE`, or of an important feature.

    `psi` is the population stability index, `wasserstein` the Wasserstein distance in mean deviations (see
    `models.bundle.sketch`), NaN for a column that was constant.
    """

    column: str
    psi: float
    wasserstein: float


@dataclass(frozen=True, slots=True)
class Dependence:
    """Partial dependence (Friedman, 2001): the mean probability if everybody had a value of the feature, by value."""

    feature: str
    values: tuple[float, ...]
    means: tuple[float, ...]


def learning_curve(data: Dataset, fitted: FittedScorer, seed: int) -> Curve | None:
    """The losses of the tier with its settings, fitted on a share of the customers; None for tiers that are rates."""
    tier, known = (fitted.judged or fitted.scorer).tier, data.upto(data.calibrate)
    if not isinstance(tier, Trees | Logistic):
        return None
    rows, losses = [], []
    customers = np.random.default_rng(seed).permutation(np.unique(known.customer))
    for share in SHARES:
        some = known.where(np.isin(known.customer, customers[: max(1, round(share * len(customers)))]))
        if 0 < int(some.labels.sum()) < len(some):
            rows.append(len(some))
            losses.append(log_loss(_again(some, data, fitted).raw_many(data.test.features), data.test.labels))
    rows.append(len(known))
    losses.append(log_loss(tier.raw_many(data.test.features), data.test.labels))
    base = np.full(len(data.test), float(known.labels.mean()))
    return Curve(tier.name, tuple(rows), tuple(losses), log_loss(base, data.test.labels))


def _again(rows: Slice, data: Dataset, fitted: FittedScorer) -> Tier:
    """The same tier with the same settings, fitted on other rows."""
    settings = dict(fitted.parameters)
    if isinstance(fitted.scorer.tier, Logistic):
        return fit_logistic(rows, data.names, float(str(settings["strength"])))
    settings.pop("rounds")
    settings |= constraints(data.target, data.names)
    return fit_trees(rows, data.names, data.target.name, settings, fitted.rounds)


def drifts(data: Dataset, fitted: FittedScorer, scores: NDArray[np.float64]) -> list[Drift]:
    """The drift of the score, and of the most important features, the most important first.

    `scores` are those of the test. They are compared with scores of the calibration rows, on which the scorer was not
    fitted.
    """
    scorer, importance = fitted.judged or fitted.scorer, fitted.importance
    columns = [_drift(SCORE, scorer.score_many(data.calibrate.features), scores)]
    for name in sorted(importance, key=lambda name: -importance[name])[:LEANT_ON]:
        if importance[name] > 0.0:
            known = data.column(data.upto(data.calibrate), name)
            columns.append(_drift(name, known, data.column(data.test, name)))
    return columns


def _drift(column: str, before: NDArray[np.float64], after: NDArray[np.float64]) -> Drift:
    reference = Sketch.reference(before)
    live = Sketch.of(after, reference.edges)
    return Drift(column, psi(reference, live), wasserstein(reference, live))


def partial_dependence(
    scorer: Scorer, features: NDArray[np.float32], importance: Mapping[str, float], seed: int
) -> list[Dependence]:
    """The partial dependence of the calibrated probability on the most important features, over rows drawn by the seed.

    `features` is float32[n, f]; the values are quantiles of the feature's defined values.
    """
    drawn = np.random.default_rng(seed).permutation(len(features))[:ROWS]
    rows, dependences = features[np.sort(drawn)], []
    for name in sorted(importance, key=lambda name: -importance[name])[:FEATURES]:
        place = scorer.names.index(name)
        column = features[:, place]
        known = column[~np.isnan(column)]
        if importance[name] > 0.0 and len(known):
            values = np.unique(np.quantile(known, np.linspace(0.02, 0.98, VALUES), method="nearest"))
            asked = np.repeat(rows[None], len(values), axis=0)
            asked[:, :, place] = values[:, None]
            said = scorer.score_many(np.ascontiguousarray(asked.reshape(-1, asked.shape[2])))
            means = said.reshape(len(values), -1).mean(axis=1)
            dependences.append(Dependence(name, tuple(map(float, values)), tuple(map(float, means))))
    return dependences
