"""The floor: the rate, the mean or the shares of the latest period as they came, which no gate holds back.

It is what the gates compare every tier with. Where all tiers are further from the truth than it is, it answers.
"""

from __future__ import annotations

import numpy as np

from features.events import DAY
from features.outcomes import STAYS
from models.prediction.amount import AmountScorer
from models.prediction.calibration import Calibration
from models.prediction.interval import Intervals, Ranks
from models.prediction.level import Level
from models.prediction.next_stage import StageScorer
from models.prediction.scorer import Scorer
from models.prediction.tiers import Prior
from training.fitting.amounts import FittedAmount, mean_amount
from training.fitting.intervals import log_odds
from training.fitting.levels import level_at
from training.fitting.next_stage import FittedStage, stage_shares
from training.fitting.tier_selection import FittedScorer
from training.fitting.tiers import fit_prior
from training.rows.dataset import Gathered, Slice


def rate_floor(found: Gathered) -> FittedScorer:
    """The rate of the latest period. Raises `NotEnoughHistory` where the rows cannot be parted by time.

    Judged is the rate of the newest rows that were known before the test, served that of the rows of the test.
    """
    data, target = found.dataset, found.target
    judged = _of_rows(found, data.calibrate, data.upto(data.calibrate), int(data.test.cutoff.min()))
    served = _of_rows(found, data.test, data.every, found.end)
    rate = fit_prior(found.rows, found.names, target.horizon, target.prior).rate
    return FittedScorer(served, rate, judged=judged)


def mean_floor(found: Gathered) -> FittedAmount:
    """The mean of the latest period. Raises `NotEnoughHistory` where the rows cannot be parted by time."""
    rows, target = found.dataset.calibrate, found.target
    mean = float(rows.labels.mean())
    tier = mean_amount(rows, found.names, mean)
    scorer = AmountScorer(target.name, tier, Ranks.of(np.full(len(rows), tier.mean)))
    return FittedAmount(scorer, mean_amount(found.rows, found.names, target.prior).mean)


def shares_floor(found: Gathered) -> FittedStage:
    """The shares of the latest period. Raises `NotEnoughHistory` where the rows cannot be parted by time."""
    target = found.target
    shares = stage_shares(found.dataset.calibrate, found.names, target.prior, target.horizon / DAY)
    return FittedStage(StageScorer(target.name, shares), 1.0 - shares.shares[STAYS])


def _of_rows(found: Gathered, rows: Slice, known: Slice, now: int) -> Scorer:
    """The rate of these rows, at no other level; how far the level may be off by now is what all `known` rows say."""
    rate, customers = float(rows.labels.mean()), len(np.unique(rows.customer))
    margin = log_odds(np.array([rate]))
    within = Intervals((float(margin[0]),), (float(np.sqrt(1.0 / (customers * rate * (1.0 - rate)))),))
    scorer = Scorer(found.target.name, Prior(rate, found.names), Calibration.identity(), within)
    scorer = scorer.at(Level(0.0, level_at(scorer, known, found, now).deviation))
    return scorer.ranked(Ranks.of(scorer.score_many(np.ascontiguousarray(rows.features))))
