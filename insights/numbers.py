"""Arithmetic of insights: an unknown value is NaN in computations, and None in an answer."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt


def share(part: float, whole: float) -> float:
    """`part / whole`; NaN when `whole` is 0."""
    return part / whole if whole else math.nan


def median(values: npt.NDArray[Any]) -> float:
    """The median of the known values; NaN when there are none."""
    known_values = values[~np.isnan(values)]
    return float(np.median(known_values)) if len(known_values) else math.nan


def known(value: float) -> float | None:
    """`value` for an answer: None instead of a number that is not finite."""
    return value if math.isfinite(value) else None


def shown(value: object) -> str:
    """A value as a cell of a table: four digits of a fraction, empty for None."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
