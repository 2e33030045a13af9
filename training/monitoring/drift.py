"""Drift: how far the columns are from the reference, and how far they may be before that means something.

A distance is beyond its limit when it is larger than chance explains, larger than matters (`PSI`, `WASSERSTEIN`), and
larger than the same shop usually moves in the time that has gone by. Apart from distances, what becomes a constant is
told by its sameness: time moves a column, but does not make all customers alike.
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
"""Population stability index from which a change is called major (Siddiqi, 2006)."""

WASSERSTEIN = 0.5
"""Spreads of the reference that a column may move: a constant in its place is at least one away."""

BEYOND_USUAL = 2.0
"""So many times as far as the shop usually moves, no more."""

DIFFERING = 0.25
"""Of the customers that differed from the most frequent value, at least this share still does."""

LEAST_DIFFERING = 30
"""So many customers have to be expected to differ, before it says something that they do not."""

DEVIATIONS = 5.0
"""Standard deviations that are still taken for chance: a hundred columns are looked at, again and again."""


class Measure(NamedTuple):
    """A way in which a column may be off: how far it is, how far it may be, and the first over the second.

    `short` is its name where there is no room for more.
    """

    name: str
    short: str
    value: float
    limit: float
    excess: float


@dataclass(frozen=True, slots=True)
class Drift:
    """One column at a moment: a feature, or the score of a target (`is_score`).

    `psi` and `wasserstein` (in mean deviations) are its distances from the reference, `sameness` is the share of the
    most frequent value; each has a limit, which is infinite while it is not known how the shop usually moves, or there
    are too few `rows`. `mean` and `undefined` (the share of NaN) stand beside those of the reference.
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
        """Whether something is beyond its limit."""
        return self.worst.excess > 1.0

    @property
    def worst(self) -> Measure:
        """What is furthest beyond its limit, or nearest to it."""
        differing = math.inf if self.sameness == 1.0 else (1.0 - self.sameness_limit) / (1.0 - self.sameness)
        measures = (
            Measure("population stability index", "PSI", self.psi, self.psi_limit, self.psi / self.psi_limit),
            Measure(
                "Wasserstein distance in mean deviations", "distance", self.wasserstein, self.wasserstein_limit,
                _number(self.wasserstein) / self.wasserstein_limit,
            ),
            # What is off is that customers no longer differ: that share is held against the least it may be.
            Measure(
                "share of one and the same value", "sameness", self.sameness, self.sameness_limit,
                differing if math.isfinite(self.sameness_limit) else 0.0,
            ),
        )  # fmt: skip
        return max(measures, key=lambda each: each.excess)


def drifts(reference: Reference, sample: Sample) -> list[Drift]:
    """Every column of the sample that the reference knows, the features first."""
    # Customers age in proportion to time, and with them whatever counts from their beginning.
    stretch = max(1.0, (sample.now - reference.now) / reference.span) if reference.span else math.nan
    found = [
        _drift(name, values, reference.features[name], stretch, is_score=False)
        for name, values in sample.columns().items()
        if name in reference.features
    ]
    return found + [
        _drift(name, values, reference.scores[name], stretch, is_score=True)
        for name, values in sample.scores.items()
        if name in reference.scores
    ]


def furthest(found: Sequence[Drift]) -> list[Drift]:
    """The same, those furthest beyond their limits, or nearest to them, first."""
    return sorted(found, key=lambda each: each.worst.excess, reverse=True)


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
    """Of the index, the distance and the sameness."""
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
    """A distance, 0 where there is none because the reference is a constant."""
    return 0.0 if math.isnan(distance) else distance
