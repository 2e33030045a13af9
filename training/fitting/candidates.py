"""The candidates: each tier with its settings decided, on rows that the rows held back know nothing of."""

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
"""No settings of a study."""


@dataclass(frozen=True, eq=False)
class Way:
    """One tier with its settings decided: how it is fitted on any rows, and `early`, fitted on the purged rows."""

    fit: Fit
    early: Tier
    parameters: Mapping[str, object]


def _prior_way(data: Dataset, seed: int, tuned: Mapping[str, float]) -> Way:
    target = data.target
    return _remembered(lambda rows: fit_prior(rows, data.names, target.horizon, target.prior), data)


def _stage_way(data: Dataset, seed: int, tuned: Mapping[str, float]) -> Way:
    target = data.target
    return _remembered(lambda rows: fit_stage_rates(rows, data.names, target.horizon, target.prior), data)


def _remembered(fit: Fit, data: Dataset) -> Way:
    """A rate of all rows, or of the latest period alone, as long as the stop rows are: they say which is nearer.

    Where the share moves as fast as the shop changes who is asked, every row of before tells of another shop.
    """
    span = int(np.ptp(data.stop.cutoff))

    def latest(rows: Slice) -> Tier:
        return fit(rows.where(rows.cutoff >= rows.cutoff.max() - span))

    whole, newest = fit(data.purged_fit), latest(data.purged_fit)
    losses = [log_loss(each.raw_many(data.stop.features), data.stop.labels) for each in (whole, newest)]
    if losses[1] < losses[0]:
        return Way(latest, newest, {"rate": "of the latest period"})
    return Way(fit, whole, {"rate": "of all rows"})


def _logistic_way(data: Dataset, seed: int, tuned: Mapping[str, float]) -> Way:
    """The strength of the regularisation is heard on the stop rows."""
    past = data.purged_fit
    tried = {strength: fit_logistic(past, data.names, strength) for strength in STRENGTHS}
    losses = {
        strength: log_loss(each.raw_many(data.stop.features), data.stop.labels) for strength, each in tried.items()
    }
    best = min(losses, key=lambda strength: losses[strength])
    return Way(lambda rows: fit_logistic(rows, data.names, best), tried[best], {"strength": best})


def _trees_way(data: Dataset, seed: int, tuned: Mapping[str, float]) -> Way:
    """How many trees is heard on the stop rows: `PATIENCE` more without progress end it."""
    shown = settings(len(data.fit) + len(data.stop) + len(data.calibrate), seed) | dict(tuned)
    parameters = shown | constraints(data.target, data.names)
    grown = train_set(data.purged_fit, data.names)
    heard = train_set(data.stop, data.names, reference=grown)
    stopping = lightgbm.early_stopping(PATIENCE, verbose=False)
    early = lightgbm.train(parameters, grown, ROUNDS, valid_sets=[heard], callbacks=[stopping])
    rounds, name = max(1, early.best_iteration), data.target.name
    return Way(
        lambda rows: fit_trees(rows, data.names, name, parameters, rounds),
        Trees(name, early.model_to_string(num_iteration=rounds), data.names),
        {**shown, "rounds": rounds},
    )


WAYS: dict[str, Callable[[Dataset, int, Mapping[str, float]], Way]] = {
    "prior": _prior_way,
    "stage_rate": _stage_way,
    "logistic": _logistic_way,
    "lightgbm": _trees_way,
}
"""How each tier is decided, from a target's rows, the seed and the settings that a study found."""
