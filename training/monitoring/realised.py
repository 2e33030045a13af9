"""Realised against predicted outcomes, without a record of predictions.

The features of past cutoffs are replayed from the log, scored by the bundle, and compared with the outcomes. Only
cutoffs after the bundle's training count, and only those whose horizon is over (*ripened*).
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
from training.rows.schedule import visit_times
from training.targets import Calendar, Target

CUTOFFS = 12
"""The most cutoffs that are replayed: older ones say little about the present."""

LEAST_ANSWERS = 10
"""The least number of rows of yes, and of no, for a result."""

DECILES = 10

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Decile:
    """A tenth of the rows, by probability: the mean probability, and the share of yes."""

    rows: int
    predicted: float
    realised: Figure


@dataclass(frozen=True, slots=True)
class Realised:
    """One target of one bundle, on ripened rows with cutoffs from `first` to `last`.

    `base_rate` is that of the training, NaN when there was none, `rate` the share of yes. `slope`, `intercept` and
    `shift` are those of `recalibration`. `loss_ratio` is the log loss divided by that of the base rate for everyone:
    above 1 the model is worse than the base rate. `expected_ratio` is the same ratio in the test of the training, NaN
    when there was none.
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
    """The rows of a target with cutoffs from `since` on whose answers are known at `end`, or why there are too few.

    The cutoffs are the newest possible and others before it, `STEP` apart, at most `CUTOFFS`; for a target within
    visits, all rows in that time.
    """
    if target.form != "probability":
        return f"its answer is no probability but {'an' if target.form == 'amount' else 'a'} {target.form}"
    newest = end - target.horizon
    cutoffs = [newest - STEP * back for back in range(CUTOFFS) if newest - STEP * back >= since]
    if not cutoffs:
        return f"the first answers ripen {duration_text(target.horizon)} after the training"
    timing = target.timing
    if isinstance(timing, Calendar):
        snapshots = replay_profiles(fold, past, cutoffs)
    else:
        first = max(since, newest - STEP * CUTOFFS)
        snapshots = replay_profiles_at(fold, past, lambda known: visit_times(timing, known, first, newest))
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
    """These probabilities against the outcomes of ripened rows. Without a base rate, the rate of the rows is used."""
    line = recalibrated(probabilities, rows.labels, rows.customer)
    rate = float(rows.labels.mean())
    known = np.full(len(rows), rate if math.isnan(base_rate) else base_rate)
    ratio = ratio_of_means(losses(probabilities, rows.labels), losses(known, rows.labels), rows.customer)
    return Realised(
        target, version, len(rows), len(np.unique(rows.customer)), int(rows.cutoff.min()), int(rows.cutoff.max()),
        base_rate, rate, line.slope, line.intercept, line.shift, ratio, expected_ratio, deciles(probabilities, rows),
    )  # fmt: skip


def realised_of(target: str, watched: Watched, rows: Slice) -> Realised:
    """A bundle's probabilities against the outcomes of ripened rows."""
    rate, expected = (known.get(target, math.nan) for known in (watched.base_rates, watched.expected))
    return realised(target, watched.version, rows, given_by(watched, target, rows), rate, expected)


def given_by(watched: Watched, target: str, rows: Slice) -> Array:
    """The probabilities that a bundle gives these rows, float64[n]."""
    return np.asarray(watched.scorers[target].score_many(rows.features), np.float64)


def losses(probabilities: Array, labels: NDArray[np.int8]) -> Array:
    """-log(probability of the actual outcome) of each row, float64[n]."""
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
