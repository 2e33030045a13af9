"""Realised against predicted, without a record of predictions.

The log is the truth and the fold the same at all times, so what a bundle would have answered at a past moment is
replayed, scored, and held against what came of it. Only moments after the bundle's training count, and only those whose
horizon is over.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.fold.fold import Fold
from features.grammar import duration_text
from features.replay.snapshots import Past, replay_profiles, replay_profiles_at
from training.evaluation.evaluation import Figure
from training.fitting.intervals import log_odds
from training.monitoring.recalibration import mean_of, ratio_of_means, recalibrated
from training.monitoring.samples import LEAST_ROWS, STEP, Watched
from training.rows.dataset import Slice
from training.rows.labels import label
from training.rows.schedule import visit_moments
from training.targets import Calendar, Target

MOMENTS = 12
"""Moments that are looked back at, at most: what was long ago says little of now."""

LEAST_ANSWERS = 10
"""Fewer rows of yes, or of no, than this say nothing of probabilities."""

DECILES = 10

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Decile:
    """A tenth of the rows, by probability: the mean that was predicted, and the share of yes that came."""

    rows: int
    predicted: float
    realised: Figure


@dataclass(frozen=True, slots=True)
class Realised:
    """One target of one bundle, on rows that have ripened at moments from `first` to `last`.

    `base_rate` is what was believed at the training, NaN when nothing was, `rate` what came. `slope`, `intercept` and
    `shift` are those of `recalibration`. `loss_ratio` is the log loss over that of giving everyone the base rate: above
    1 the model is worse than knowing nothing. `expected_ratio` is what the test at the training had found, NaN when
    there was none.
    """

    target: str
    version: str
    rows: int
    customers: int
    first: int
    last: int
    base_rate: float
    rate: float
    slope: Figure
    intercept: Figure
    shift: Figure
    loss_ratio: Figure
    expected_ratio: float
    deciles: tuple[Decile, ...]


def ripened(fold: Fold, past: Past, target: Target, since: int, end: int) -> Slice | str:
    """The rows of a target at moments from `since` on whose answers are known at `end`, or why they tell nothing yet.

    The newest such moment and others `STEP` apart before it, at most `MOMENTS`; of a target that is asked within visits
    all moments in that time.
    """
    if target.form != "probability":
        return f"its answer is no probability but {'an' if target.form == 'amount' else 'a'} {target.form}"
    newest = end - target.horizon
    moments = [newest - STEP * back for back in range(MOMENTS) if newest - STEP * back >= since]
    if not moments:
        return f"the first answers ripen {duration_text(target.horizon)} after the training"
    asked = target.moments
    if isinstance(asked, Calendar):
        snapshots = replay_profiles(fold, past, moments)
    else:
        first = max(since, newest - STEP * MOMENTS)
        snapshots = replay_profiles_at(fold, past, lambda known: visit_moments(asked, known, first, newest))
    labels = label(target, past, snapshots, end)
    rows = Slice(snapshots.features, labels, past.people(snapshots.customer), snapshots.cutoff).where(labels >= 0)
    yes = int(rows.labels.sum())
    if len(rows) < LEAST_ROWS or min(yes, len(rows) - yes) < LEAST_ANSWERS:
        least = f"at least {LEAST_ROWS}, {LEAST_ANSWERS} of either answer"
        return f"{len(rows)} rows have ripened, {yes} of them yes; expected {least}"
    return rows


def realised(
    target: str, version: str, rows: Slice, probabilities: Array, base_rate: float = math.nan,
    expected_ratio: float = math.nan,
) -> Realised:  # fmt: skip
    """How these probabilities of ripened rows turned out. Without a base rate, that of the rows themselves is taken."""
    line = recalibrated(probabilities, rows.labels, rows.customer)
    rate = float(rows.labels.mean())
    known = np.full(len(rows), rate if math.isnan(base_rate) else base_rate)
    ratio = ratio_of_means(losses(probabilities, rows.labels), losses(known, rows.labels), rows.customer)
    return Realised(
        target, version, len(rows), len(np.unique(rows.customer)), int(rows.cutoff.min()), int(rows.cutoff.max()),
        base_rate, rate, line.slope, line.intercept, line.shift, ratio, expected_ratio, deciles(probabilities, rows),
    )  # fmt: skip


def realised_of(target: str, watched: Watched, rows: Slice) -> Realised:
    """How a bundle's probabilities of ripened rows turned out."""
    rate, expected = (known.get(target, math.nan) for known in (watched.base_rates, watched.expected))
    return realised(target, watched.version, rows, given_by(watched, target, rows), rate, expected)


def given_by(watched: Watched, target: str, rows: Slice) -> Array:
    """The probabilities that a bundle gives these rows, float64[n]."""
    return np.asarray(watched.scorers[target].score_many(rows.features), np.float64)


def losses(probabilities: Array, labels: NDArray[np.int8]) -> Array:
    """-log(the probability given to what happened) of each row, float64[n]."""
    margins = log_odds(probabilities)
    return np.asarray(np.logaddexp(0.0, np.where(labels == 1, -margins, margins)))


def deciles(probabilities: Array, rows: Slice) -> tuple[Decile, ...]:
    """The rows in `DECILES` parts of equal size, least probable first."""
    parts = np.array_split(np.argsort(probabilities, kind="stable"), DECILES)
    return tuple(
        Decile(
            len(part),
            float(probabilities[part].mean()),
            mean_of(rows.labels[part].astype(np.float64), rows.customer[part]),
        )
        for part in parts
        if len(part)
    )


def worse_by(own: Array, other: Array, rows: Slice) -> Figure:
    """The mean log loss of `own` probabilities minus that of `other`, on the same rows: above 0 they are worse."""
    return mean_of(losses(own, rows.labels) - losses(other, rows.labels), rows.customer)
