"""What a fitted scorer leans on, how far that had moved by the time of the test, and how much more rows would help."""

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
"""Shares of the customers that a learning curve is measured at, beside all of them: a third of one more fit."""

SCORE = "the score itself"
LEANT_ON = 19
"""Features whose drift is told."""

FEATURES, VALUES, ROWS = 5, 12, 300
"""Partial dependence: of the first so many features, at so many values, over so many rows."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Log loss in the test, before calibration, by number of rows learnt from; `base` is that of the base rate."""

    tier: str
    rows: tuple[int, ...]
    losses: tuple[float, ...]
    base: float


@dataclass(frozen=True, slots=True)
class Drift:
    """How far a column of the test is from that of the rows learnt from: `SCORE`, or a feature the scorer leans on.

    `psi` is the population stability index, `wasserstein` the mean way of the values in mean deviations (see
    `models.bundle.sketch`), NaN for a column that was constant.
    """

    column: str
    psi: float
    wasserstein: float


@dataclass(frozen=True, slots=True)
class Dependence:
    """The mean probability if everybody had this value of the feature, by value (Friedman, 2001)."""

    feature: str
    values: tuple[float, ...]
    means: tuple[float, ...]


def learning_curve(data: Dataset, fitted: FittedScorer, seed: int) -> Curve | None:
    """The tier with its settings, learnt from some of the customers; None for the tiers that are mere rates."""
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
    """The same tier with the same settings, of other rows."""
    settings = dict(fitted.parameters)
    if isinstance(fitted.scorer.tier, Logistic):
        return fit_logistic(rows, data.names, float(str(settings["strength"])))
    settings.pop("rounds")
    settings |= constraints(data.target, data.names)
    return fit_trees(rows, data.names, data.target.name, settings, fitted.rounds)


def drifts(data: Dataset, fitted: FittedScorer, scores: NDArray[np.float64]) -> list[Drift]:
    """Of the score, `scores` being those of the test, and of the features of most importance, most important first.

    The score is compared with that of the calibration rows, which the scorer has not learnt by heart.
    """
    scorer, importance = fitted.judged or fitted.scorer, fitted.importance
    found = [_drift(SCORE, scorer.score_many(data.calibrate.features), scores)]
    for name in sorted(importance, key=lambda name: -importance[name])[:LEANT_ON]:
        if importance[name] > 0.0:
            known = data.column(data.upto(data.calibrate), name)
            found.append(_drift(name, known, data.column(data.test, name)))
    return found


def _drift(column: str, before: NDArray[np.float64], after: NDArray[np.float64]) -> Drift:
    reference = Sketch.reference(before)
    found = Sketch.of(after, reference.edges)
    return Drift(column, psi(reference, found), wasserstein(reference, found))


def partial_dependence(
    scorer: Scorer, features: NDArray[np.float32], importance: Mapping[str, float], seed: int
) -> list[Dependence]:
    """How the mean calibrated probability goes with the features of most importance, over some rows drawn by the seed.

    `features` is float32[n, f]; the values are quantiles of those that are defined.
    """
    drawn = np.random.default_rng(seed).permutation(len(features))[:ROWS]
    rows, found = features[np.sort(drawn)], []
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
            found.append(Dependence(name, tuple(map(float, values)), tuple(map(float, means))))
    return found
