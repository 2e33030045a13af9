"""What is looked at: the customers with a recent sign of life, as a bundle saw or would have seen them at a moment."""

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
"""Customers are looked at for so many days after their last sign of life: who is silent hides what is new."""

STEP = days(6)
"""Between two earlier moments; no whole number of weeks, so that they fall on every day of the week."""

EARLIER = 7
"""Earlier moments that a reference compares itself with, at most."""

LEAST_ROWS = 100
"""Fewer customers than this tell nothing of a distribution."""

MOST_ROWS = 50_000
"""More customers than this tell nothing more; so many are taken at even distances."""


class Scores(Protocol):
    """What answers one target: with a probability, or an amount."""

    def score_many(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """float32[n, features] -> float64[n]."""
        ...


@dataclass(frozen=True)
class Watched:
    """What is watched of a bundle: its scorers, and what was believed of each when it was trained, at `now`.

    `base_rates` are shares of yes; `expected` is the log loss of each test over that of its base rate, where known.
    """

    version: str
    now: int
    scorers: Mapping[str, Scores]
    base_rates: Mapping[str, float] = field(default_factory=dict)
    expected: Mapping[str, float] = field(default_factory=dict)

    @staticmethod
    def of(bundle: Bundle) -> Watched:
        """The part of `bundle` that is watched."""
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
    """The customers at a moment: `features` float32[n, f] in the order of `names`, `scores` float64 by target, each of
    the customers that the target is asked of."""

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
    """The log loss of giving everyone this probability, when it is the share of yes."""
    return -rate * math.log(rate) - (1.0 - rate) * math.log1p(-rate)


def samples(
    fold: Fold, past: Past, moments: Sequence[int], targets: Mapping[str, Target], scorers: Mapping[str, Scores]
) -> list[Sample]:
    """The customers with a sign of life in the `RECENT_DAYS` before each of the moments, as known then, and scored."""
    snapshots = replay_profiles(fold, past, moments)
    recent = snapshots.features[:, fold.index["days_since_last"]] <= RECENT_DAYS
    recent &= ~(snapshots.features[:, fold.index[WITHDRAWN]] > 0)
    return [_sample(snapshots, moment, recent, targets, scorers) for moment in moments]


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
        # A stage is answered by several numbers, and each of them by what the features say.
        if name in scorers and target.form != "stage":
            asked = np.broadcast_to(target.scope.evaluate(columns), len(features)).astype(bool)
            scores[name] = scorers[name].score_many(np.ascontiguousarray(features[asked]))
    return Sample(moment, snapshots.names, features, scores)


def reference_of(
    fold: Fold, past: Past, now: int, targets: Mapping[str, Target], scorers: Mapping[str, Scores], seed: int = 0
) -> Reference:
    """What the shop is like at `now`, when these scorers were trained, and how far from it earlier moments are.

    What was received after `now` changes nothing. The seed draws customers where there are too many to look at all.
    """
    chosen = sample(past, EARLIER + 1, seed)
    start = min((int(part["received"].min()) for part in chosen.parts if len(part)), default=now)
    moments = [now - STEP * back for back in range(EARLIER + 1) if back == 0 or now - STEP * back > start]
    newest, *earlier = samples(fold, chosen, moments, targets, scorers)
    earlier = [each for each in earlier if len(each) >= LEAST_ROWS]
    before = [each.columns() for each in earlier]
    features = {
        name: _baseline(values, [columns[name] for columns in before]) for name, values in newest.columns().items()
    }
    scores = {
        name: _baseline(values, [each.scores[name] for each in earlier if len(each.scores[name]) >= LEAST_ROWS])
        for name, values in newest.scores.items()
    }
    span = now - min((each.now for each in earlier), default=now)
    return Reference(now, span, features, scores)


def _baseline(
    values: NDArray[np.float32] | NDArray[np.float64], earlier: Sequence[NDArray[np.float32] | NDArray[np.float64]]
) -> Baseline:
    sketch = Sketch.reference(values)
    before = [Sketch.of(each, sketch.edges) for each in earlier]
    indices, distances = [psi(sketch, each) for each in before], [wasserstein(sketch, each) for each in before]
    usual_sameness = max(sameness(each) for each in (values, *earlier))
    return Baseline(sketch, max(indices, default=math.nan), max(distances, default=math.nan), usual_sameness)
