"""What is fitted of the next stage does not know what it is tested on."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from features.events import DAY
from features.outcomes import STAYS
from models.prediction.next_stage import StageShares
from tests.training.shop import stages_found
from training.evaluation.next_stage import judge_stage
from training.fitting.base_rate import shares_floor
from training.fitting.next_stage import fit_stage


def test_the_test_changes_nothing_of_what_is_fitted() -> None:
    labels = np.random.default_rng(2).choice(np.array([2, 3, STAYS], np.int8), 1_600)
    cutoff = np.arange(1_600) % 16 * 30 * DAY
    told = stages_found(labels, cutoff)
    tested = cutoff >= 14 * 30 * DAY
    turned = replace(told, rows=replace(told.rows, labels=np.where(tested, 2, labels).astype(np.int8)))
    first, second = fit_stage(told, seed=1), fit_stage(turned, seed=1)
    assert first.rate == second.rate and first.losses == second.losses
    assert first.scorer.tier.to_bytes() == second.scorer.tier.to_bytes()


def test_the_base_rate_of_stages_is_the_shares_that_their_gates_compare_with() -> None:
    labels = np.random.default_rng(3).choice(np.array([2, 3, STAYS], np.int8), 1_600)
    told = stages_found(labels, np.arange(1_600) % 16 * 30 * DAY)
    found = shares_floor(told).scorer.tier
    assert isinstance(found, StageShares)
    assert judge_stage(found, told.dataset).worse.value == 0.0
