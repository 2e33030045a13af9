"""What a scorer leans on, and how much more rows would help it: on a shop whose truth is known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.training.shop import rows
from training.evaluation.curves import LEANT_ON, SCORE, SHARES, drifts, learning_curve, partial_dependence
from training.fitting.tier_selection import FittedScorer, select_tier
from training.rows.dataset import Counts, Gathered, joined
from training.rows.schedule import Split


@pytest.fixture(scope="module")
def fitted() -> FittedScorer:
    data = rows("churn_28d")
    parts = (data.fit, data.stop, data.calibrate, data.test)
    moments = Split(*(np.unique(part.cutoff) for part in parts))
    every = joined(list(parts))
    counts = Counts(len(np.unique(every.customer)), len(every), int(every.labels.sum()), 280.0)
    return select_tier(
        Gathered(
            data.target, data.names, every, moments, "", counts, int(data.test.cutoff.max()) + data.target.horizon
        ),
        seed=1,
    )


def test_more_rows_learn_more(fitted: FittedScorer) -> None:
    curve = learning_curve(rows("churn_28d"), fitted, seed=1)
    assert curve is not None and curve.tier == fitted.scorer.tier.name
    assert len(curve.rows) == len(SHARES) + 1 and list(curve.rows) == sorted(curve.rows)
    assert curve.losses[-1] < curve.losses[0] and curve.losses[-1] < curve.base
    assert curve == learning_curve(rows("churn_28d"), fitted, seed=1)


def test_what_moved_before_the_test_is_told_beside_what_did_not(fitted: FittedScorer) -> None:
    data = rows("churn_28d")
    scores = fitted.scorer.score_many(data.test.features)
    found = {each.column: each for each in drifts(data, fitted, scores)}
    leant_on = sorted(fitted.importance, key=lambda name: -fitted.importance[name])[:LEANT_ON]
    assert list(found) == [SCORE, *(name for name in leant_on if fitted.importance[name] > 0)]
    place = data.names.index(leant_on[0])
    moved = replace(data.test, features=data.test.features.copy())
    moved.features[:, place] += 3 * np.nanstd(data.fit.features[:, place])
    later = {each.column: each for each in drifts(replace(data, test=moved), fitted, scores)}
    assert later[leant_on[0]].psi > 5 * found[leant_on[0]].psi and later[leant_on[0]].wasserstein > 2
    assert later | {leant_on[0]: found[leant_on[0]]} == found


def test_dependence_is_the_mean_of_what_is_said_of_everybody_at_that_value(fitted: FittedScorer) -> None:
    features = rows("churn_28d").test.features[:200]
    found = partial_dependence(fitted.scorer, features, fitted.importance, seed=1)
    assert [each.feature for each in found] == sorted(fitted.importance, key=lambda name: -fitted.importance[name])[:5]
    for each in found:
        changed = features.copy()
        changed[:, fitted.scorer.names.index(each.feature)] = each.values[0]
        assert each.means[0] == pytest.approx(float(fitted.scorer.score_many(changed).mean()))
        assert list(each.values) == sorted(set(each.values))
