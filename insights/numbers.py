"""Arithmetic of insights: what cannot be known is NaN while it is computed, and None in an answer."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt


def share(part: float, whole: float) -> float:
    """`part / whole`; NaN when there is no whole."""
    return part / whole if whole else math.nan


def median(values: npt.NDArray[Any]) -> float:
    """The median of the values that are known; NaN when none is."""
    known_values = values[~np.isnan(values)]
    return float(np.median(known_values)) if len(known_values) else math.nan


def known(value: float) -> float | None:
    """`value` as an answer carries it: None for a number that is not finite."""
    return value if math.isfinite(value) else None


def shown(value: object) -> str:
    """A cell of a table as people read it: four digits of a fraction, nothing for None."""
    if value is None:
        return ""
    if isinstance(value, float):
        return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.4g}"
    return f"{value:,}" if isinstance(value, int) and not isinstance(value, bool) else str(value)
