"""Fitting a model of the next stage: boosted trees where the rows can be split by time, else the shares."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import lightgbm
import numpy as np
from numpy.typing import NDArray

from features.events import DAY
from features.outcomes import STAYS
from models.prediction.next_stage import ANSWERS, STAGE_TIERS, StageScorer, StageShares, StageTier, StageTrees
from training.fitting.calibration import PATIENCE, settings
from training.rows.dataset import Dataset, Gathered, Slice, joined

Floats = NDArray[np.float64]

ROUNDS = 40
"""The most rounds; each grows a tree for every answer, so that the learning rate is higher than a scorer's."""

BELIEVED = 6.0
"""The number of customers that the prior counts as, besides the shop's own."""

_EDGE = 1e-15


@dataclass(frozen=True, eq=False)
class FittedStage:
    """A stage scorer and its fit: rounds of trees, settings, and the log loss of each tier tried, on later rows. `rate`
    is the share of rows in which another stage was entered."""

    scorer: StageScorer
    rate: float
    rounds: int = 0
    parameters: Mapping[str, object] = field(default_factory=dict)
    losses: Mapping[str, float] = field(default_factory=dict)


def fit_stage(gathered: Gathered, seed: int, tiers: tuple[str, ...] = tuple(STAGE_TIERS)) -> FittedStage:
    """Trees where there is enough history and they fit the held rows better than the shares; else the shares.

    Only these `tiers` and the shares are tried.
    """
    target, data = gathered.target, gathered.dataset if gathered.split is not None else None
    known = gathered.rows if data is None else joined([data.fit, data.stop, data.calibrate])
    shares = stage_shares(known, gathered.names, target.prior, target.horizon / DAY)
    rate = 1.0 - shares.shares[STAYS]
    if data is None or StageTrees.name not in tiers:
        return FittedStage(StageScorer(target.name, shares), rate)
    parameters = _parameters(len(data.fit) + len(data.stop) + len(data.calibrate), seed)
    rounds = _rounds(data, parameters)
    past, held = joined([data.fit, data.stop]), data.calibrate
    losses = {
        "prior": stage_loss(stage_shares(past, gathered.names, target.prior, target.horizon / DAY), held),
        "lightgbm": stage_loss(_trees(past, data, parameters, rounds), held),
    }
    if losses["prior"] <= losses["lightgbm"]:
        return FittedStage(StageScorer(target.name, shares), rate, losses=losses)
    trees = _trees(known, data, parameters, rounds)
    return FittedStage(StageScorer(target.name, trees), rate, rounds, parameters, losses)


def stage_shares(rows: Slice, names: tuple[str, ...], prior: float, horizon_days: float) -> StageShares:
    """The shares of the answers, shrunk towards the prior: a change to any stage alike."""
    believed = np.full(ANSWERS, prior / STAYS)
    believed[STAYS] = 1.0 - prior
    number = len(np.unique(rows.customer))
    counted = np.bincount(rows.labels.astype(np.int64), minlength=ANSWERS) * (number / max(len(rows), 1))
    shares = (counted + BELIEVED * believed) / (number + BELIEVED)
    waits = rows.days[~np.isnan(rows.days)] if rows.days is not None else np.empty(0)
    wait = float((waits.sum() + BELIEVED * 0.5 * horizon_days) / (len(waits) + BELIEVED))
    return StageShares((shares / shares.sum()).tolist(), max(wait, _EDGE), names)


def stage_loss(tier: StageTier, rows: Slice) -> float:
    """The mean of `stage_losses`."""
    return float(stage_losses(tier, rows).mean())


def stage_losses(tier: StageTier, rows: Slice) -> Floats:
    """-log(probability of the actual outcome) of each row."""
    chances = tier.chances(np.ascontiguousarray(rows.features))
    given = chances[np.arange(len(rows)), rows.labels.astype(np.int64)]
    losses: Floats = -np.log(np.maximum(given, _EDGE))
    return losses


def _parameters(rows: int, seed: int) -> dict[str, object]:
    return settings(rows, seed) | {"objective": "multiclass", "num_class": ANSWERS, "learning_rate": 0.12}


def _rounds(data: Dataset, parameters: dict[str, object]) -> int:
    """The number of rounds, grown on the purged rows, that is best on the stop rows."""
    grown = _set(data.purged_fit, data.names)
    heard = lightgbm.Dataset(data.stop.features, data.stop.labels.astype(np.float32), reference=grown)
    stopping = lightgbm.early_stopping(PATIENCE // 2, verbose=False)
    return max(1, lightgbm.train(parameters, grown, ROUNDS, valid_sets=[heard], callbacks=[stopping]).best_iteration)


def _trees(rows: Slice, data: Dataset, parameters: dict[str, object], rounds: int) -> StageTrees:
    """The classifier of these rows, and the days of those who changed."""
    chances = lightgbm.train(parameters, _set(rows, data.names), rounds)
    changed = rows.where(rows.labels != STAYS)
    days = np.empty(0) if changed.days is None else changed.days
    shared = {name: value for name, value in parameters.items() if name not in {"objective", "num_class"}}
    waits = lightgbm.Dataset(changed.features, days, feature_name=list(data.names))
    wait = lightgbm.train(shared | {"objective": "tweedie"}, waits, ROUNDS)
    return StageTrees(data.target.name, chances.model_to_string(), wait.model_to_string(), data.names)


def _set(rows: Slice, names: tuple[str, ...]) -> lightgbm.Dataset:
    return lightgbm.Dataset(rows.features, rows.labels.astype(np.float32), feature_name=list(names))
