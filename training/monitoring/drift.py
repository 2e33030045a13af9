"""Drift: the distances of columns from the reference, and their limits.

A distance is beyond its limit when it is larger than chance explains, larger than what matters (`PSI`, `WASSERSTEIN`),
and larger than the usual change of the same shop in the time since. A column that became a constant is recognised by
its sameness, too: time changes a column, but does not make all customers alike.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from models.bundle.reference import Baseline, Reference
from models.bundle.sketch import Sketch, psi, psi_noise, sameness, wasserstein, wasserstein_noise
from training.monitoring.samples import LEAST_ROWS, Sample

PSI = 0.25
"""The population stability index from which on a change counts as major (Siddiqi, 2006)."""

WASSERSTEIN = 0.5
"""The distance that matters, in mean deviations of the reference; a constant is at a distance of at least 1."""

BEYOND_USUAL = 2.0
"""The limit in multiples of the shop's usual change."""

DIFFERING = 0.25
"""The share of the customers with other values than the most frequent one that must remain."""

LEAST_DIFFERING = 30
"""The number of customers that have to be expected to differ before a constant counts as a fault."""

DEVIATIONS = 5.0
"""The number of standard deviations that counts as chance; it is large because many columns are tested repeatedly."""


class Measure(NamedTuple):
    """One measure of a column's drift: its value, its limit, and `excess`, which is above 1 beyond the limit.

    `short` is a short name for tables.
    """

    name: str
    short: str
    value: float
    limit: float
    excess: float


@dataclass(frozen=True, slots=True)
class Drift:
    """The drift of one column: a feature, or the score of a target (`is_score`).

    `psi` and `wasserstein` (in mean deviations) are its distances from the reference, `sameness` is the share of the
    most frequent value. Each has a limit, which is infinite while the shop's usual change is not known, or while there
    are too few `rows`. `mean` and `undefined` (the share of NaN) can be compared with those of the reference.
    """

    name: str
    is_score: bool
    rows: int
    psi: float
    psi_limit: float
    wasserstein: float
    wasserstein_limit: float
    sameness: float
    sameness_limit: float
    mean: float
    mean_before: float
    undefined: float
    undefined_before: float

    @property
    def drifted(self) -> bool:
        """Whether a measure is beyond its limit."""
        return self.worst.excess > 1.0

    @property
    def worst(self) -> Measure:
        """The measure that is furthest beyond its limit, or nearest to it."""
        differing = math.inf if self.sameness == 1.0 else (1.0 - self.sameness_limit) / (1.0 - self.sameness)
        measures = (
            Measure("population stability index", "PSI", self.psi, self.psi_limit, self.psi / self.psi_limit),
            Measure(
                "Wasserstein distance in mean deviations", "distance", self.wasserstein, self.wasserstein_limit,
                _number(self.wasserstein) / self.wasserstein_limit,
            ),
            # The excess of the sameness is the least share of differing customers over their actual share.
            Measure(
                "share of one and the same value", "sameness", self.sameness, self.sameness_limit,
                differing if math.isfinite(self.sameness_limit) else 0.0,
            ),
        )  # fmt: skip
        return max(measures, key=lambda measure: measure.excess)


def drifts(reference: Reference, sample: Sample) -> list[Drift]:
    """The drift of every column of the sample that the reference has, the features first."""
    # Customers age in proportion to time, and so do features that count from a customer's first event.
    stretch = max(1.0, (sample.now - reference.now) / reference.span) if reference.span else math.nan
    feature_drifts = [
        _drift(name, values, reference.features[name], stretch, is_score=False)
        for name, values in sample.columns().items()
        if name in reference.features
    ]
    return feature_drifts + [
        _drift(name, values, reference.scores[name], stretch, is_score=True)
        for name, values in sample.scores.items()
        if name in reference.scores
    ]


def furthest(results: Sequence[Drift]) -> list[Drift]:
    """The drifts ordered by their excess, the largest first."""
    return sorted(results, key=lambda drift: drift.worst.excess, reverse=True)


def _drift(
    name: str, values: NDArray[np.float32] | NDArray[np.float64], baseline: Baseline, stretch: float, *, is_score: bool
) -> Drift:
    before, live = baseline.sketch, Sketch.of(values, baseline.sketch.edges)
    limits = _limits(baseline, live, stretch)
    return Drift(
        name, is_score, live.total, psi(before, live), limits[0], wasserstein(before, live), limits[1],
        sameness(values), limits[2], live.mean, before.mean, live.undefined, before.undefined,
    )  # fmt: skip


def _limits(baseline: Baseline, live: Sketch, stretch: float) -> tuple[float, float, float]:
    """The limits of the index, the distance and the sameness."""
    before, differing = baseline.sketch, 1.0 - baseline.usual_sameness
    enough = min(before.total, live.total) >= LEAST_ROWS
    telling = enough and live.total * differing >= LEAST_DIFFERING
    sameness_limit = 1.0 - DIFFERING * differing if telling else math.inf
    if not enough or math.isnan(stretch + baseline.usual_psi):
        return math.inf, math.inf, sameness_limit
    index = max(PSI, BEYOND_USUAL * stretch * baseline.usual_psi)
    distance = max(WASSERSTEIN, BEYOND_USUAL * stretch * _number(baseline.usual_wasserstein))
    noise = _number(wasserstein_noise(before, live, DEVIATIONS))
    return index + psi_noise(before, live, DEVIATIONS), distance + noise, sameness_limit


def _number(distance: float) -> float:
    """A distance, or 0 where it is NaN because the reference is a constant."""
    return 0.0 if math.isnan(distance) else distance
