"""The level of a scorer as of a time, from its residuals and those of the short question."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from features.events import DAY
from features.outcomes import Happens
from models.prediction.level import Level
from models.prediction.scorer import Scorer
from models.prediction.tiers import Prior, StageRates
from training.fitting.intervals import log_odds
from training.fitting.tiers import STRENGTHS, fit_logistic, remembered
from training.rows.dataset import Gathered, Slice
from training.rows.residuals import SHORT, Residuals, level_of, residuals_of, shift_of, steepness
from training.rows.schedule import Schedule
from training.targets import InVisit, Target

Floats = NDArray[np.float64]

ENOUGH = 200_000
"""The most rows on which residuals are measured: more would not improve the level."""

LEARNT = 50_000
"""The most rows on which the model of the short question is fitted."""


def at_level(said: Floats, labels: NDArray[np.int8]) -> Floats:
    """The probabilities, shifted in log-odds to the mean of these labels."""
    margins = log_odds(said)
    moved: Floats = 1.0 / (1.0 + np.exp(-(margins + shift_of(margins, labels)[0])))
    return moved


def level_at(scorer: Scorer, rows: Slice, gathered: Gathered, now: int) -> Level:
    """The level of a scorer for the horizon after `now`, from `rows` and only what was known by then."""
    target, rows = gathered.target, _thinned(rows, ENOUGH)
    width = _typical(target, rows, gathered.names)
    own = residuals_of(
        log_odds(scorer.shape.apply_many(scorer.raw_many(rows.features))),
        rows.labels,
        _asked_times(target, rows),
        width,
    )
    opened = gathered.end - round(gathered.counts.history_days * DAY)
    own = settled(own, opened)
    # A rate is the same for all customers, so that changes of who is in scope show in its own residuals alone.
    of_rate = isinstance(scorer.tier, Prior | StageRates)
    if of_rate or gathered.short is None:
        return level_of(of_latest(own) if of_rate else own, None, now, width, 1.0, opened)
    known = gathered.short.where(gathered.short.cutoff + SHORT <= now)
    short = settled(_short_residuals(known, gathered.names), opened)
    outcome = target.outcome
    expected = not isinstance(outcome, Happens) or outcome.expected
    shares = [_share(part.labels, expected=expected) for part in (rows, known)]
    return level_of(own, short, now, width, steepness(*shares), opened)


def settled(residuals: Residuals, opened: int) -> Residuals:
    """The residuals after the warm-up of a log that begins at `opened`; all of them where those are the minority.

    In the warm-up every customer looks new. A model's residuals there are no season of the shop, and would make the
    level look more variable than it is.
    """
    late = residuals.times >= opened + Schedule.warm_up
    if 2 * late.sum() < len(residuals):
        return residuals
    return Residuals(residuals.times[late], residuals.shifts[late], residuals.variances[late], residuals.width)


def of_latest(residuals: Residuals) -> Residuals:
    """The residuals of a rate, each with a variance that grows with its age, as answers lose weight in the rate.

    A rate is that of the latest period, and its residuals of long ago say little about it.
    """
    return replace(residuals, variances=residuals.variances / remembered(residuals.times))


def _short_residuals(rows: Slice, names: tuple[str, ...]) -> Residuals:
    """The residuals of a simple model of the short question at each cutoff."""
    if not len(rows):
        return residuals_of(np.empty(0), rows.labels, rows.cutoff, SHORT)
    plain = fit_logistic(_thinned(rows, LEARNT), names, STRENGTHS[1])
    return residuals_of(log_odds(plain.raw_many(rows.features)), rows.labels, rows.cutoff, SHORT)


def _thinned(rows: Slice, most: int) -> Slice:
    """The rows of some of the customers, about `most` in all."""
    if len(rows) <= most:
        return rows
    place = np.unique(rows.customer, return_inverse=True)[1]
    # Multiplying by a large odd number shuffles the customers without a random generator.
    order = (place.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)
    return rows.where(order < np.uint64(int(most / len(rows) * 2**32)))


def _asked_times(target: Target, rows: Slice) -> NDArray[np.int64]:
    """The times by which rows are grouped for residuals: their cutoffs, or, for visits, their days."""
    return rows.cutoff // DAY * DAY if isinstance(target.timing, InVisit) else rows.cutoff


def _typical(target: Target, rows: Slice, names: tuple[str, ...]) -> int:
    """The target's horizon; the median of the rows' horizons where each has its own."""
    outcome = target.outcome
    if not isinstance(outcome, Happens) or isinstance(outcome.within, int) or not len(rows):
        return target.horizon
    columns = dict(zip(names, rows.features.T, strict=True))
    return int(np.nanmedian(outcome.lengths(columns, len(rows))))


def _share(labels: NDArray[np.int8], *, expected: bool) -> float:
    """The share of rows in which the event happened."""
    yes = float(labels.mean()) if len(labels) else 0.5
    return yes if expected else 1.0 - yes
