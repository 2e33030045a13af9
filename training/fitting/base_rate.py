"""The floor: the rate, the mean or the shares of the latest period, unchanged, which no gate holds back.

The gates compare every tier with it. Where all tiers are held back, it answers.
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


def rate_floor(gathered: Gathered) -> FittedScorer:
    """The rate of the latest period. Raises `NotEnoughHistory` where the rows cannot be split by time.

    The rate tested is that of the newest rows known before the test, the rate served that of the rows of the test.
    """
    data, target = gathered.dataset, gathered.target
    judged = _of_rows(gathered, data.calibrate, data.upto(data.calibrate), int(data.test.cutoff.min()))
    served = _of_rows(gathered, data.test, data.every, gathered.end)
    rate = fit_prior(gathered.rows, gathered.names, target.horizon, target.prior).rate
    return FittedScorer(served, rate, judged=judged)


def mean_floor(gathered: Gathered) -> FittedAmount:
    """The mean of the latest period. Raises `NotEnoughHistory` where the rows cannot be split by time."""
    rows, target = gathered.dataset.calibrate, gathered.target
    mean = float(rows.labels.mean())
    tier = mean_amount(rows, gathered.names, mean)
    scorer = AmountScorer(target.name, tier, Ranks.of(np.full(len(rows), tier.mean)))
    return FittedAmount(scorer, mean_amount(gathered.rows, gathered.names, target.prior).mean)


def shares_floor(gathered: Gathered) -> FittedStage:
    """The shares of the latest period. Raises `NotEnoughHistory` where the rows cannot be split by time."""
    target = gathered.target
    shares = stage_shares(gathered.dataset.calibrate, gathered.names, target.prior, target.horizon / DAY)
    return FittedStage(StageScorer(target.name, shares), 1.0 - shares.shares[STAYS])


def _of_rows(gathered: Gathered, rows: Slice, known: Slice, now: int) -> Scorer:
    """The rate of these rows, without a shift; the deviation of the level is estimated from all `known` rows."""
    rate, customers = float(rows.labels.mean()), len(np.unique(rows.customer))
    margin = log_odds(np.array([rate]))
    within = Intervals((float(margin[0]),), (float(np.sqrt(1.0 / (customers * rate * (1.0 - rate)))),))
    scorer = Scorer(gathered.target.name, Prior(rate, gathered.names), Calibration.identity(), within)
    scorer = scorer.at(Level(0.0, level_at(scorer, known, gathered, now).deviation))
    return scorer.ranked(Ranks.of(scorer.score_many(np.ascontiguousarray(rows.features))))
