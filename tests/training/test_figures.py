"""Pictures are PNG, one of each kind for every target, and the same run draws the same bytes."""

from __future__ import annotations

import numpy as np

from training.figures import pictures


def test_each_target_has_three_pictures() -> None:
    draw = np.random.default_rng(1)
    labels = (draw.random(500) < 0.3).astype(np.int8)
    predictions = {"model": draw.random(500), "base_rate": np.full(500, 0.3)}
    importance = {f"feature_{number}": 1.0 / (number + 1) for number in range(40)}
    drawn, again = (pictures("churn_28d", predictions, labels, importance) for _ in range(2))
    assert list(drawn) == ["churn_28d_calibration.png", "churn_28d_lift.png", "churn_28d_importance.png"]
    assert all(content.startswith(b"\x89PNG") for content in drawn.values())
    assert drawn == again
