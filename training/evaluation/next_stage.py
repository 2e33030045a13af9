"""The test of a next stage: its log loss beside that of the latest shares and of the champion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from features.events import DAY
from models.prediction.next_stage import StageTier
from training.evaluation.evaluation import Figure, clustered
from training.fitting.next_stage import stage_losses, stage_shares
from training.rows.dataset import Dataset


@dataclass(frozen=True, slots=True)
class StageTest:
    """The result of the test: the log loss of the model and of the shares of the latest period, the accuracy of the
    likeliest answer, and the mean absolute error of the expected days, among those who changed.

    `worse` is the model's log loss less that of the shares, `over_champion` less that of the champion.
    """

    rows: int
    log_loss: float
    log_loss_of_shares: float
    accuracy: float
    days_off: float
    worse: Figure
    over_champion: Figure | None = None


def judge_stage(tier: StageTier, data: Dataset, champion: StageTier | None = None) -> StageTest:
    """The figures on the test rows."""
    test, target = data.test, data.target
    features = np.ascontiguousarray(test.features)
    shares = stage_shares(data.calibrate, data.names, target.prior, target.horizon / DAY)
    own, rate = stage_losses(tier, test), stage_losses(shares, test)
    right = tier.chances(features).argmax(axis=1) == test.labels
    waits = np.full(len(test), np.nan) if test.days is None else test.days.astype(np.float64)
    off = np.abs(tier.days(features) - waits)[~np.isnan(waits)]
    return StageTest(
        len(test),
        float(own.mean()),
        float(rate.mean()),
        float(right.mean()),
        float(off.mean()) if len(off) else 0.0,
        clustered(own - rate, test.customer),
        None if champion is None else clustered(own - stage_losses(champion, test), test.customer),
    )
