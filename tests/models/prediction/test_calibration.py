"""Calibration curves by hand, and that they refuse what is no curve."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest

from models.prediction.calibration import HIGHEST, LOWEST, Calibration


def test_isotonic_draws_straight_lines_and_is_level_outside() -> None:
    curve = Calibration.isotonic([0.2, 0.4, 0.8], [0.1, 0.3, 0.3])
    assert curve.apply(0.2) == 0.1
    assert curve.apply(0.3) == pytest.approx(0.2)
    assert curve.apply(0.6) == 0.3
    assert curve.apply(0.0) == 0.1
    assert curve.apply(1.0) == 0.3


def test_isotonic_of_one_knot_is_a_constant() -> None:
    curve = Calibration.isotonic([0.5], [0.25])
    assert curve.apply_many(np.array([0.0, 0.5, 1.0])).tolist() == [0.25, 0.25, 0.25]


def test_a_fitted_curve_never_says_never() -> None:
    step = Calibration.isotonic([0.3, 0.6], [0.0, 1.0])
    assert (step.apply(0.1), step.apply(0.9)) == (LOWEST, HIGHEST)
    steep = Calibration.platt(40.0, 0.0)
    assert (steep.apply(0.0), steep.apply(1.0)) == (LOWEST, HIGHEST)


def test_platt_works_on_the_log_odds() -> None:
    assert Calibration.platt(1.0, 0.0).apply(0.3) == pytest.approx(0.3)
    margin = 0.5 * math.log(0.3 / 0.7) + 1.0
    assert Calibration.platt(0.5, 1.0).apply(0.3) == pytest.approx(1.0 / (1.0 + math.exp(-margin)))


def test_identity_keeps_every_bit_and_gives_an_array_of_its_own() -> None:
    raw = np.array([0.0, 1e-300, 0.1, 1.0])
    calibrated = Calibration.identity().apply_many(raw)
    assert calibrated.tolist() == raw.tolist() == [Calibration.identity().apply(each) for each in raw.tolist()]
    assert not np.shares_memory(calibrated, raw)


def test_fields_say_only_what_the_kind_needs() -> None:
    assert Calibration.identity().to_fields() == {"kind": "identity"}
    assert Calibration.isotonic([0.1], [0.2]).to_fields() == {"kind": "isotonic", "knots": [0.1], "values": [0.2]}
    assert Calibration.platt(1.5, -2).to_fields() == {"kind": "platt", "slope": 1.5, "intercept": -2.0}


@pytest.mark.parametrize(
    ("knots", "values", "problem"),
    [
        ([], [], "one or more pairs"),
        ([0.1, 0.2], [0.3], "2 knots and 1 values"),
        ([0.2, 0.2], [0.1, 0.3], "strictly increasing"),
        ([0.1, math.nan], [0.1, 0.3], "strictly increasing"),
        ([0.1, 0.2], [0.3, 0.2], "never decrease"),
        ([0.1, 0.2], [0.3, 1.5], "probabilities"),
    ],
)
def test_isotonic_refuses_what_is_no_curve(knots: list[float], values: list[float], problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Calibration.isotonic(knots, values)


@pytest.mark.parametrize(("slope", "intercept"), [(0.0, 0.0), (-1.0, 0.0), (math.inf, 0.0), (1.0, math.nan)])
def test_platt_refuses_to_turn_the_order_round(slope: float, intercept: float) -> None:
    with pytest.raises(ValueError, match="positive finite slope"):
        Calibration.platt(slope, intercept)


@pytest.mark.parametrize(
    "fields", [[], {}, {"kind": "magic"}, {"kind": "platt"}, {"kind": "isotonic", "knots": 1}, {"kind": []}, None]
)
def test_other_fields_are_refused(fields: Any) -> None:
    with pytest.raises(ValueError, match="Not a calibration"):
        Calibration.from_fields(fields)
