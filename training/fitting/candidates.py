"""The candidates: each tier with its settings chosen, on rows that overlap with none of the rows held back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import lightgbm
import numpy as np

from models.prediction.tiers import Tier, Trees
from training.fitting.calibration import PATIENCE, ROUNDS, constraints, log_loss, settings
from training.fitting.tiers import STRENGTHS, Fit, fit_logistic, fit_prior, fit_stage_rates, fit_trees, train_set
from training.rows.dataset import Dataset, Slice

USUAL: Mapping[str, float] = {}
"""The usual settings, without those of a study."""


@dataclass(frozen=True, eq=False)
class Candidate:
    """One tier with its settings chosen: how it is fitted on any rows, and `early`, fitted on the purged rows."""

    fit: Fit
    early: Tier
    parameters: Mapping[str, object]


def _prior_candidate(data: Dataset, seed: int, tuned: Mapping[str, float]) -> Candidate:
    target = data.target
    return _remembered(lambda rows: fit_prior(rows, data.names, target.horizon, target.prior), data)


def _stage_candidate(data: Dataset, seed: int, tuned: Mapping[str, float]) -> Candidate:
    target = data.target
    return _remembered(lambda rows: fit_stage_rates(rows, data.names, target.horizon, target.prior), data)


def _remembered(fit: Fit, data: Dataset) -> Candidate:
    """A rate of all rows, or of a latest period as long as the stop rows, whichever fits the stop rows better.

    Where the customers in scope change quickly, the rate changes, too, and older rows are misleading.
    """
    span = int(np.ptp(data.stop.cutoff))

    def latest(rows: Slice) -> Tier:
        return fit(rows.where(rows.cutoff >= rows.cutoff.max() - span))

    whole, newest = fit(data.purged_fit), latest(data.purged_fit)
    losses = [log_loss(tier.raw_many(data.stop.features), data.stop.labels) for tier in (whole, newest)]
    if losses[1] < losses[0]:
        return Candidate(latest, newest, {"rate": "of the latest period"})
    return Candidate(fit, whole, {"rate": "of all rows"})


def _logistic_candidate(data: Dataset, seed: int, tuned: Mapping[str, float]) -> Candidate:
    """The strength of the regularisation is chosen on the stop rows."""
    past = data.purged_fit
    tried = {strength: fit_logistic(past, data.names, strength) for strength in STRENGTHS}
    losses = {
        strength: log_loss(tier.raw_many(data.stop.features), data.stop.labels) for strength, tier in tried.items()
    }
    best = min(losses, key=lambda strength: losses[strength])
    return Candidate(lambda rows: fit_logistic(rows, data.names, best), tried[best], {"strength": best})


def _trees_candidate(data: Dataset, seed: int, tuned: Mapping[str, float]) -> Candidate:
    """The number of trees is chosen on the stop rows: early stopping with `PATIENCE`."""
    shown = settings(len(data.fit) + len(data.stop) + len(data.calibrate), seed) | dict(tuned)
    parameters = shown | constraints(data.target, data.names)
    grown = train_set(data.purged_fit, data.names)
    heard = train_set(data.stop, data.names, reference=grown)
    stopping = lightgbm.early_stopping(PATIENCE, verbose=False)
    early = lightgbm.train(parameters, grown, ROUNDS, valid_sets=[heard], callbacks=[stopping])
    rounds, name = max(1, early.best_iteration), data.target.name
    return Candidate(
        lambda rows: fit_trees(rows, data.names, name, parameters, rounds),
        Trees(name, early.model_to_string(num_iteration=rounds), data.names),
        {**shown, "rounds": rounds},
    )


CANDIDATES: dict[str, Callable[[Dataset, int, Mapping[str, float]], Candidate]] = {
    "prior": _prior_candidate,
    "stage_rate": _stage_candidate,
    "logistic": _logistic_candidate,
    "lightgbm": _trees_candidate,
}
"""For each tier, the function that makes its candidate from a target's rows, the seed and the settings of a study."""
