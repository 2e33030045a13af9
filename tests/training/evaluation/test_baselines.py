"""Baselines are honest: each finds in the simulated shop what its idea can find."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from features.journey import JOURNEY
from tests.training.shop import rows
from training.evaluation.baselines import RFM, RFM_WINDOWS, baselines
from training.fitting.calibration import log_loss


@cache
def given(target: str) -> dict[str, NDArray[np.float64]]:
    return baselines(rows(target))


def test_the_base_rate_is_that_of_the_latest_period() -> None:
    data = rows("churn_28d")
    shares = np.unique(given("churn_28d")["base_rate"])
    assert len(shares) == 1
    assert shares[0] == pytest.approx(data.calibrate.labels.mean())


@pytest.mark.parametrize("target", ["conversion_7d", "churn_28d"])
def test_each_baseline_knows_more_than_the_one_before(target: str) -> None:
    labels, found = rows(target).test.labels, given(target)
    assert list(found) == ["rfm_logistic", "rfm_windows_logistic", "recency_rule", "base_rate"]
    ranks = {name: roc_auc_score(labels, each) for name, each in found.items()}
    assert ranks["base_rate"] == 0.5
    assert 0.52 < ranks["recency_rule"] < ranks["rfm_logistic"] - 0.02
    losses = {name: log_loss(each, labels) for name, each in found.items()}
    assert max(losses["rfm_logistic"], losses["rfm_windows_logistic"]) < losses["base_rate"] - 0.02
    assert losses["recency_rule"] < losses["base_rate"] + 0.01


@pytest.mark.parametrize(("target", "direction"), [("conversion_7d", -1), ("churn_28d", 1)])
def test_the_recency_rule_only_ever_rises_or_falls(target: str, direction: int) -> None:
    data = rows(target)
    silent = data.column(data.test, "days_since_purchase")
    steps = np.diff(given(target)["recency_rule"][np.argsort(silent)])
    assert (direction * steps >= 0).all()


def test_the_columns_of_the_baselines_are_features() -> None:
    assert set(RFM) < set(RFM_WINDOWS) <= set(JOURNEY.names)
