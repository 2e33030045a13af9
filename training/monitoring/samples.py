"""The sample that is monitored: the recently active customers, with their features and scores as of a cutoff."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from features.events import days
from features.fold.fold import Fold
from features.replay.replay import Snapshots
from features.replay.snapshots import Past, replay_profiles
from models.bundle.bundle import Bundle
from models.bundle.reference import Baseline, Reference
from models.bundle.sketch import Sketch, psi, sameness, wasserstein
from training.rows.dataset import sample
from training.rows.labels import WITHDRAWN
from training.targets import Target

RECENT_DAYS = 28
"""The days after their last event for which customers are monitored: inactive customers would hide recent changes."""

STEP = days(6)
"""The distance of two cutoffs; no whole number of weeks, so that they fall on every day of the week."""

EARLIER = 7
"""The most earlier cutoffs with which a reference is compared."""

LEAST_ROWS = 100
"""The least number of customers for a distribution."""

MOST_ROWS = 50_000
"""The most customers of a sample; of more, so many are selected at even distances."""


class Scores(Protocol):
    """A model that answers one target with a probability or an amount."""

    def score_many(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """float32[n, features] -> float64[n]."""
        ...


@dataclass(frozen=True)
class Watched:
    """The part of a bundle that is monitored: its scorers, and the results of its training, as of `now`.

    `base_rates` are shares of yes; `expected` is the log loss of a test divided by that of the base rate.
    """

    version: str
    now: int
    scorers: Mapping[str, Scores]
    base_rates: Mapping[str, float] = field(default_factory=dict)
    expected: Mapping[str, float] = field(default_factory=dict)

    @staticmethod
    def of(bundle: Bundle) -> Watched:
        """The part of `bundle` that is monitored."""
        cards = {
            name: card
            for name, card in bundle.manifest.targets.items()
            if card.form == "probability" and 0.0 < card.base_rate < 1.0
        }
        rates = {name: card.base_rate for name, card in cards.items()}
        expected = {
            name: card.metrics["log_loss"] / entropy(card.base_rate)
            for name, card in cards.items()
            if "log_loss" in card.metrics
        }
        return Watched(bundle.version, bundle.manifest.now, {**bundle.scorers, **bundle.amounts}, rates, expected)


@dataclass(frozen=True, eq=False)
class Sample:
    """The customers as of `now`: `features` float32[n, f] in the order of `names`, and `scores` float64 by target, for
    the customers in the target's scope."""

    now: int
    names: tuple[str, ...]
    features: NDArray[np.float32]
    scores: Mapping[str, NDArray[np.float64]]

    def __len__(self) -> int:
        return len(self.features)

    def columns(self) -> dict[str, NDArray[np.float32]]:
        """The features by name."""
        return dict(zip(self.names, self.features.T, strict=True))


def entropy(rate: float) -> float:
    """The log loss of the share of yes as everyone's probability."""
    return -rate * math.log(rate) - (1.0 - rate) * math.log1p(-rate)


def samples(
    fold: Fold, past: Past, cutoffs: Sequence[int], targets: Mapping[str, Target], scorers: Mapping[str, Scores]
) -> list[Sample]:
    """The scored customers with an event in the `RECENT_DAYS` before each of the cutoffs, as known then."""
    snapshots = replay_profiles(fold, past, cutoffs)
    recent = snapshots.features[:, fold.index["days_since_last"]] <= RECENT_DAYS
    recent &= ~(snapshots.features[:, fold.index[WITHDRAWN]] > 0)
    return [_sample(snapshots, moment, recent, targets, scorers) for moment in cutoffs]


def _sample(
    snapshots: Snapshots, moment: int, recent: NDArray[np.bool_],
    targets: Mapping[str, Target], scorers: Mapping[str, Scores],
) -> Sample:  # fmt: skip
    rows = np.flatnonzero(recent & (snapshots.cutoff == moment))
    if len(rows) > MOST_ROWS:
        rows = rows[np.arange(MOST_ROWS) * len(rows) // MOST_ROWS]
    features = snapshots.features[rows]
    columns = dict(zip(snapshots.names, features.T, strict=True))
    scores = {}
    for name, target in targets.items():
        # The answer of a stage is several numbers, whose drift would only repeat that of the features.
        if name in scorers and target.form != "stage":
            asked = np.broadcast_to(target.scope.evaluate(columns), len(features)).astype(bool)
            scores[name] = scorers[name].score_many(np.ascontiguousarray(features[asked]))
    return Sample(moment, snapshots.names, features, scores)


def reference_of(
    fold: Fold, past: Past, now: int, targets: Mapping[str, Target], scorers: Mapping[str, Scores], seed: int = 0
) -> Reference:
    """The distributions as of `now`, when these scorers were trained, and their distances from earlier cutoffs.

    Events received after `now` do not count. The seed draws a sample where there are too many customers.
    """
    chosen = sample(past, EARLIER + 1, seed)
    start = min((int(part["received"].min()) for part in chosen.parts if len(part)), default=now)
    cutoffs = [now - STEP * back for back in range(EARLIER + 1) if back == 0 or now - STEP * back > start]
    newest, *earlier = samples(fold, chosen, cutoffs, targets, scorers)
    earlier = [sampled for sampled in earlier if len(sampled) >= LEAST_ROWS]
    before = [sampled.columns() for sampled in earlier]
    features = {
        name: _baseline(values, [columns[name] for columns in before]) for name, values in newest.columns().items()
    }
    scores = {
        name: _baseline(values, [other.scores[name] for other in earlier if len(other.scores[name]) >= LEAST_ROWS])
        for name, values in newest.scores.items()
    }
    span = now - min((sampled.now for sampled in earlier), default=now)
    return Reference(now, span, features, scores)


def _baseline(
    values: NDArray[np.float32] | NDArray[np.float64], earlier: Sequence[NDArray[np.float32] | NDArray[np.float64]]
) -> Baseline:
    sketch = Sketch.reference(values)
    before = [Sketch.of(column, sketch.edges) for column in earlier]
    indices, distances = [psi(sketch, other) for other in before], [wasserstein(sketch, other) for other in before]
    usual_sameness = max(sameness(column) for column in (values, *earlier))
    return Baseline(sketch, max(indices, default=math.nan), max(distances, default=math.nan), usual_sameness)
