"""Pictures are PNG, and the same run draws the same bytes."""

from __future__ import annotations

import numpy as np

from training.evaluation.curves import SCORE, Curve, Dependence, Drift
from training.run.plots import calibration_picture, drift_picture, importance_picture, learning_picture, lift_picture

DRAW = np.random.default_rng(1)
LABELS = (DRAW.random(500) < 0.3).astype(np.int8)
PREDICTIONS = {"model": DRAW.random(500), "base_rate": np.full(500, 0.3)}
PARTS = {"stage": {"awareness": DRAW.random(500) < 0.6, "retention": np.zeros(500, bool)}}
IMPORTANCE = {f"feature_{number}": 1.0 / (number + 1) for number in range(40)}
DEPENDENCE = Dependence("feature_0", (0.0, 1.0, 2.0), (0.1, 0.2, 0.4))
CURVE = Curve("lightgbm", (100, 1000, 10_000), (0.6, 0.5, 0.45), 0.65)


def drawn() -> list[bytes]:
    return [
        calibration_picture("churn_28d", PREDICTIONS, LABELS, PARTS),
        lift_picture("churn_28d", PREDICTIONS, LABELS),
        learning_picture("churn_28d", CURVE),
        drift_picture("churn_28d", [Drift(SCORE, 0.02, 0.1), Drift("feature_0", 0.3, float("nan"))]),
        importance_picture("churn_28d", IMPORTANCE, [DEPENDENCE]),
    ]


def test_pictures_are_png_and_the_same_again() -> None:
    first = drawn()
    assert all(picture.startswith(b"\x89PNG") for picture in first)
    assert first == drawn()


def test_few_customers_make_pictures_too() -> None:
    few = {name: each[:3] for name, each in PREDICTIONS.items()}
    assert lift_picture("churn_28d", few, np.array([0, 1, 0], np.int8)).startswith(b"\x89PNG")
    assert calibration_picture("churn_28d", few, np.array([0, 1, 0], np.int8), {}).startswith(b"\x89PNG")
