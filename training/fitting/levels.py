"""The level of a scorer as of a moment: its residuals and those of the short question, put together."""

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
"""Rows that residuals are measured on at most: more would tell the level no better."""

LEARNT = 50_000
"""Rows that the model of the short question is fitted on at most."""


def at_level(said: Floats, labels: NDArray[np.int8]) -> Floats:
    """The probabilities, moved to the mean of these labels."""
    margins = log_odds(said)
    moved: Floats = 1.0 / (1.0 + np.exp(-(margins + shift_of(margins, labels)[0])))
    return moved


def level_at(scorer: Scorer, rows: Slice, found: Gathered, now: int) -> Level:
    """The level of a scorer of `rows`, for the horizon after `now`, of nothing that was known later."""
    target, rows = found.target, _thinned(rows, ENOUGH)
    width = _typical(target, rows, found.names)
    own = residuals_of(
        log_odds(scorer.shape.apply_many(scorer.raw_many(rows.features))), rows.labels, _moments(target, rows), width
    )
    opened = found.end - round(found.counts.history_days * DAY)
    own = settled(own, opened)
    # A rate does not tell customers apart: that others are asked now shows in its own residuals alone.
    of_rate = isinstance(scorer.tier, Prior | StageRates)
    if of_rate or found.short is None:
        return level_of(of_latest(own) if of_rate else own, None, now, width, 1.0, opened)
    known = found.short.where(found.short.cutoff + SHORT <= now)
    short = settled(_short_residuals(known, found.names), opened)
    outcome = target.outcome
    expected = not isinstance(outcome, Happens) or outcome.expected
    shares = [_share(each.labels, expected=expected) for each in (rows, known)]
    return level_of(own, short, now, width, steepness(*shares), opened)


def settled(residuals: Residuals, opened: int) -> Residuals:
    """Those after the warm-up of a log that was `opened` then, all where those are the fewer.

    In the warm-up every customer looks new: what a model leaves there is no season of the shop, and taken for one it
    makes the level look as if it wandered far.
    """
    late = residuals.moments >= opened + Schedule.warm_up
    if 2 * late.sum() < len(residuals):
        return residuals
    return Residuals(residuals.moments[late], residuals.shifts[late], residuals.variances[late], residuals.width)


def of_latest(residuals: Residuals) -> Residuals:
    """Those of a rate, each known as far as the rate remembers the answers of its moment.

    A rate is that of the latest period. What it leaves of long ago tells of a shop that it does not speak of.
    """
    return replace(residuals, variances=residuals.variances / remembered(residuals.moments))


def _short_residuals(rows: Slice, names: tuple[str, ...]) -> Residuals:
    """What a plain model of the short question leaves at each cutoff."""
    if not len(rows):
        return residuals_of(np.empty(0), rows.labels, rows.cutoff, SHORT)
    plain = fit_logistic(_thinned(rows, LEARNT), names, STRENGTHS[1])
    return residuals_of(log_odds(plain.raw_many(rows.features)), rows.labels, rows.cutoff, SHORT)


def _thinned(rows: Slice, most: int) -> Slice:
    """The rows of as many customers as make about so many of them."""
    if len(rows) <= most:
        return rows
    place = np.unique(rows.customer, return_inverse=True)[1]
    # Multiplying by a large odd number puts the customers into an order that has nothing to do with theirs.
    order = (place.astype(np.uint64) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(32)
    return rows.where(order < np.uint64(int(most / len(rows) * 2**32)))


def _moments(target: Target, rows: Slice) -> NDArray[np.int64]:
    """The moments whose rows are looked at together: the cutoffs, and of visits the days."""
    return rows.cutoff // DAY * DAY if isinstance(target.moments, InVisit) else rows.cutoff


def _typical(target: Target, rows: Slice, names: tuple[str, ...]) -> int:
    """The horizon of the rows in the middle, where each has its own."""
    outcome = target.outcome
    if not isinstance(outcome, Happens) or isinstance(outcome.within, int) or not len(rows):
        return target.horizon
    columns = dict(zip(names, rows.features.T, strict=True))
    return int(np.nanmedian(outcome.lengths(columns, len(rows))))


def _share(labels: NDArray[np.int8], *, expected: bool) -> float:
    """The share of rows in which the event came."""
    yes = float(labels.mean()) if len(labels) else 0.5
    return yes if expected else 1.0 - yes
