"""What is fitted of the next stage does not know what it is tested on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from features.events import DAY
from features.journey import JOURNEY
from features.outcomes import STAYS
from models.prediction.next_stage import StageShares
from training.evaluation.next_stage import judge_stage
from training.fitting.base_rate import floor
from training.fitting.next_stage import fit_stage
from training.rows.dataset import Counts, Gathered, Slice
from training.rows.schedule import Split
from training.targets import TARGETS


def gathered(labels: np.ndarray, cutoff: np.ndarray) -> Gathered:
    """Rows whose features tell nothing."""
    features = np.zeros((len(labels), len(JOURNEY.names)), np.float32)
    days = np.where(labels == STAYS, np.nan, 3.0).astype(np.float32)
    rows = Slice(features, labels, np.arange(len(labels), dtype=np.int32), cutoff, days)
    cutoffs = np.unique(cutoff)
    split = Split(cutoffs[:10], cutoffs[10:12], cutoffs[12:14], cutoffs[14:])
    counts = Counts(len(rows), len(rows), int((labels != STAYS).sum()), 480.0)
    return Gathered(TARGETS["next_stage_28d"], JOURNEY.names, rows, split, "", counts, 17 * 30 * DAY)


def test_the_test_changes_nothing_of_what_is_fitted() -> None:
    labels = np.random.default_rng(2).choice(np.array([2, 3, STAYS], np.int8), 1_600)
    cutoff = np.arange(1_600) % 16 * 30 * DAY
    told = gathered(labels, cutoff)
    tested = cutoff >= 14 * 30 * DAY
    turned = replace(told, rows=replace(told.rows, labels=np.where(tested, 2, labels).astype(np.int8)))
    first, second = fit_stage(told, seed=1), fit_stage(turned, seed=1)
    assert first.rate == second.rate and first.losses == second.losses
    assert first.scorer.rung.to_bytes() == second.scorer.rung.to_bytes()


def test_the_base_rate_of_stages_is_the_shares_that_their_gates_compare_with() -> None:
    labels = np.random.default_rng(3).choice(np.array([2, 3, STAYS], np.int8), 1_600)
    told = gathered(labels, np.arange(1_600) % 16 * 30 * DAY)
    found = floor(told).scorer.rung
    assert isinstance(found, StageShares)
    assert judge_stage(found, told.dataset).worse.value == 0.0
