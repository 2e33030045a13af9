"""Laws of scorers: a batch is its rows, text keeps every bit, and no curve turns the order round."""

from __future__ import annotations

import itertools
import json

import lightgbm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from models.prediction.calibration import HIGHEST, LOWEST, Calibration
from models.prediction.scorer import Scorer
from tests.examples import examples

NAMES = ("recency", "frequency", "spend")

probabilities = st.floats(0.0, 1.0, allow_nan=False)
cells = st.one_of(st.just(float("nan")), st.floats(width=32, allow_infinity=False, allow_nan=False))
matrices = st.lists(st.tuples(cells, cells, cells), max_size=20).map(
    lambda rows: np.array(rows, np.float32).reshape(-1, len(NAMES))
)


@st.composite
def isotonic(draw: st.DrawFn) -> Calibration:
    knots = draw(st.lists(probabilities, min_size=1, max_size=8, unique=True))
    values = draw(st.lists(probabilities, min_size=len(knots), max_size=len(knots)))
    return Calibration.isotonic(sorted(knots), sorted(values))


calibrations = st.one_of(
    st.just(Calibration.identity()),
    isotonic(),
    st.builds(Calibration.platt, st.floats(1e-3, 50.0), st.floats(-20.0, 20.0)),
    st.builds(Calibration.shifted, isotonic(), st.floats(-5.0, 5.0)),
)


@pytest.fixture(scope="module")
def text() -> str:
    draw = np.random.default_rng(7)
    rows = draw.normal(size=(2_000, len(NAMES))).astype(np.float32)
    rows[draw.random(rows.shape) < 0.2] = np.nan
    labels = draw.random(2_000) < 1.0 / (1.0 + np.exp(-np.nan_to_num(rows[:, 0])))
    dataset = lightgbm.Dataset(rows, labels.astype(np.int64), feature_name=list(NAMES))
    settings = {"objective": "binary", "verbosity": -1, "num_threads": 1, "num_leaves": 15}
    return lightgbm.train(settings, dataset, num_boost_round=20).model_to_string()


@given(calibrations, st.lists(probabilities, max_size=30))
def test_a_calibrated_batch_equals_its_values(calibration: Calibration, raw: list[float]) -> None:
    batch = calibration.apply_many(np.array(raw))
    assert batch.tobytes() == np.array([calibration.apply(each) for each in raw]).tobytes()


@given(isotonic())
def test_isotonic_passes_through_its_knots(calibration: Calibration) -> None:
    for knot, value in zip(calibration.knots, calibration.values, strict=True):
        assert calibration.apply(knot) == min(max(value, LOWEST), HIGHEST)


@given(calibrations, st.lists(probabilities, min_size=2, max_size=30))
def test_calibration_keeps_the_order(calibration: Calibration, raw: list[float]) -> None:
    # The logarithm and exponential of a Platt curve are good to the last bit or so, not to the last bit.
    slack = 1e-14 if calibration.kind == "platt" else 0.0
    calibrated = [calibration.apply(each) for each in sorted(raw)]
    assert all(0.0 <= value <= 1.0 for value in calibrated)
    assert all(later >= earlier - slack for earlier, later in itertools.pairwise(calibrated))


@given(calibrations)
def test_calibration_text_keeps_every_bit(calibration: Calibration) -> None:
    assert Calibration.from_fields(json.loads(json.dumps(calibration.to_fields()))) == calibration


@settings(max_examples=examples(50))
@given(calibration=calibrations, rows=matrices, threads=st.integers(1, 2))
def test_a_scored_batch_equals_its_rows(
    text: str, calibration: Calibration, rows: NDArray[np.float32], threads: int
) -> None:
    scorer = Scorer.from_text("conversion_7d", text, calibration, NAMES)
    again = Scorer.from_text(
        "conversion_7d", text, Calibration.from_fields(json.loads(json.dumps(calibration.to_fields()))), NAMES
    )
    batch = scorer.score_many(rows, threads)
    assert batch.tobytes() == np.array([scorer.score(row) for row in rows]).tobytes()
    assert batch.tobytes() == again.score_many(rows).tobytes()
