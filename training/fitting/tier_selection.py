"""Selection: every tier that the data allows is fitted, and the one that foretells unseen rows best is taken.

    prior -> stage_rate -> logistic -> lightgbm

No target is without an answer: with too little history to part it by time, customers are parted instead; without any
rows, what is believed without data is the answer. The answer has the same form on every tier.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import lightgbm
import numpy as np
from numpy.typing import NDArray

from features.events import DAY
from models.prediction.amount import AMOUNT_TIERS
from models.prediction.calibration import Calibration
from models.prediction.interval import Intervals, Ranks
from models.prediction.next_stage import STAGE_TIERS
from models.prediction.scorer import Scorer
from models.prediction.tiers import TIERS, Logistic, Prior, StageRates, Tier, Trees
from training.fitting.calibration import FOLDS, fit_calibration, fit_kind, row_losses
from training.fitting.candidates import USUAL, WAYS, Way
from training.fitting.intervals import fit_intervals, groups, log_odds
from training.fitting.levels import at_level, level_at
from training.fitting.tiers import (
    STRENGTHS,
    Fit,
    believed,
    by_stage,
    fit_logistic,
    fit_prior,
    fit_stage_rates,
    weights,
)
from training.rows.dataset import Counts, Dataset, Gathered, Slice
from training.rows.schedule import NotEnoughHistory, Schedule, split
from training.targets import Target

LEAST: dict[str, dict[str, float]] = {
    "prior": {},
    "stage_rate": {"yes": 1},
    "logistic": {"customers": 30, "yes": 10},
    "clv": {"customers": 30, "yes": 10},
    "lightgbm": {"customers": 200, "yes": 50},
}
"""Counts from which a tier is tried; the trees also need history enough to be parted by time."""

_OF_FORM = {"probability": tuple(TIERS), "amount": tuple(AMOUNT_TIERS), "stage": tuple(STAGE_TIERS)}

TIE = 0.5
"""Standard errors within which two tiers count as equally good; the simpler is taken then."""

CURVED = 20
"""Different probabilities from which a curve of calibration can be told: a few rates are right or wrong as they are."""


@dataclass(frozen=True, eq=False)
class FittedScorer:
    """A scorer and how it came about; `rate` is the shop's own, shrunk towards the prior.

    `scorer` is what is served, and has learnt from every row whose answer is known. `judged` was made the same way of
    what was known at the first moment of the test, and is what the test may judge; None where there is no test.
    `rounds` trees (none on lower tiers), what each feature adds (`importance`, shares), the settings, the log loss of
    each candidate calibration on customers it had not seen, and the `losses` of each tier that was tried, on rows that
    were the future to it.
    """

    scorer: Scorer
    rate: float
    rounds: int = 0
    importance: Mapping[str, float] = field(default_factory=dict)
    parameters: Mapping[str, object] = field(default_factory=dict)
    calibration_losses: Mapping[str, float] = field(default_factory=dict)
    losses: Mapping[str, float] = field(default_factory=dict)
    judged: Scorer | None = None


@dataclass(frozen=True, eq=False)
class Held:
    """A slice that was held back from a tier: what it said as it is (`plain`), and at the level that came (`raw`)."""

    plain: NDArray[np.float64]
    raw: NDArray[np.float64]
    labels: NDArray[np.int8]

    @staticmethod
    def of(tier: Tier, rows: Slice) -> Held:
        """What this tier says of these rows."""
        plain = tier.raw_many(rows.features)
        return Held(plain, at_level(plain, rows.labels), rows.labels)


@dataclass(frozen=True, eq=False)
class _Tried:
    """What one way foretold of the rows held back: the kind of calibration that is best on other customers, the loss
    of each kind, and the way's loss of each row."""

    way: Way
    held: list[Held]
    kind: str
    calibration_losses: Mapping[str, float]
    losses: NDArray[np.float64]


def select_tier(
    found: Gathered,
    seed: int,
    tiers: tuple[str, ...] = tuple(TIERS),
    tuned: Mapping[str, float] = USUAL,
    trees: Way | None = None,
) -> FittedScorer:
    """The scorer of the best of these `tiers`; those that the data does not allow are left out.

    `tuned` are settings of the trees that a study found (`training.fitting.tuned`), in place of the usual ones;
    `trees` is a way to grow them that is decided already, on more machines than this one.
    """
    allowed = [name for name in tiers if _allowed(name, found)] or ["prior"]
    return _by_customers(found, allowed) if found.split is None else _by_time(found, allowed, seed, tuned, trees)


def needed(target: Target, schedule: Schedule | None = None) -> dict[str, dict[str, float]]:
    """The counts from which each tier is tried: some of customers, rows, yes, no and history_days."""
    days = float(_history_days(target, schedule))
    both = target.form == "probability"
    return {
        name: LEAST[name]
        | ({"no": LEAST[name]["yes"]} if both and "yes" in LEAST[name] else {})
        | ({"history_days": days} if name == Trees.name else {})
        for name in _OF_FORM[target.form]
    }


def _history_days(target: Target, schedule: Schedule | None) -> int:
    """The shortest log in days that can be parted by time."""
    short, long = 0, 8 * 365
    while long - short > 1:
        middle = (short + long) // 2
        try:
            split(target, 0, middle * DAY, schedule)
            long = middle
        except NotEnoughHistory:
            short = middle
    return long


def _allowed(name: str, found: Gathered) -> bool:
    counts = found.counts
    if name == Trees.name and found.split is None:
        return False
    if name == StageRates.name and "stage" not in found.names:
        return False
    least = LEAST[name]
    return _enough(counts, least) and counts.no >= least.get("yes", 0)


def _enough(counts: Counts, least: Mapping[str, float]) -> bool:
    return all(getattr(counts, name) >= number for name, number in least.items())


def _by_time(
    found: Gathered, names: list[str], seed: int, tuned: Mapping[str, float], trees: Way | None
) -> FittedScorer:
    """Judged on rows held back a horizon later, then fitted once more on every row whose answer is known.

    The newest rows know most about the next, and most about the level. The test judges how this is done, a horizon
    earlier: by a scorer that knows nothing that was not known at the first moment of the test.
    """
    data = found.dataset
    ways = {name: trees if trees and name == Trees.name else WAYS[name](data, seed, tuned) for name in names}
    tried = {name: _tried(way, data) for name, way in ways.items()}
    customer = np.concatenate([data.stop.customer, data.calibrate.customer])
    chosen = tried[_best({name: each.losses for name, each in tried.items()}, customer)]
    judged = _finished(chosen, chosen.held, data.upto(data.calibrate), found, int(data.test.cutoff.min()))
    tested = Held.of(judged.tier, data.test)
    served = _finished(chosen, [*chosen.held, tested], data.every, found, found.end)
    ranked = served.ranked(_ranks(served, data.test))
    losses = {name: float(each.losses.mean()) for name, each in tried.items()}
    way, rounds = chosen.way, int(str(chosen.way.parameters.get("rounds", 0)))
    rate = fit_prior(found.rows, found.names, found.target.horizon, found.target.prior).rate
    return FittedScorer(
        ranked, rate, rounds, _importance(ranked.tier), way.parameters, chosen.calibration_losses, losses,
        judged.ranked(_ranks(judged, data.calibrate)),
    )  # fmt: skip


def _tried(way: Way, data: Dataset) -> _Tried:
    """Each slice that is held back is foretold by a tier that ends a horizon before it.

    Tiers are compared as they are: one that knows of the level by itself is the better for it. The curve that is served
    is of the slices at the level that came, because the level is estimated apart.
    """
    past = way.fit(data.upto(data.stop))
    held = [Held.of(way.early, data.stop), Held.of(past, data.calibrate)]
    raw, labels = (np.concatenate([getattr(each, name) for each in held]) for name in ("plain", "labels"))
    if len(np.unique(raw)) < CURVED:
        return _Tried(way, held, "identity", {}, row_losses(raw, labels))
    customer = np.concatenate([data.stop.customer, data.calibrate.customer])
    calibration, losses, unseen = fit_calibration(raw, labels, customer)
    return _Tried(way, held, calibration.kind, losses, row_losses(unseen, labels))


def _finished(tried: _Tried, held: Sequence[Held], rows: Slice, found: Gathered, now: int) -> Scorer:
    """What is decided, fitted on these rows; curve and intervals are of slices held back, the level is of `now`."""
    raw, labels = (np.concatenate([getattr(each, name) for each in held]) for name in ("raw", "labels"))
    shape = fit_kind(tried.kind, raw, labels)
    scorer = Scorer(found.target.name, tried.way.fit(rows), shape, _intervals_within(tried.kind, held))
    return scorer.at(level_at(scorer, rows, found, now))


def _intervals_within(kind: str, held: Sequence[Held]) -> Intervals:
    """How far off the calibration of the other slices is in each, at the level that came there."""
    parts = []
    for place, each in enumerate(held):
        others = [*held[:place], *held[place + 1 :]]
        raw, labels = (np.concatenate([getattr(other, name) for other in others]) for name in ("raw", "labels"))
        said = at_level(fit_kind(kind, raw, labels).apply_many(each.raw), each.labels)
        parts.append(groups(said, each.labels))
    return fit_intervals(*(np.concatenate(each) for each in zip(*parts, strict=True)))


def _best(losses: Mapping[str, NDArray[np.float64]], customer: NDArray[np.int32]) -> str:
    """The simplest tier that is worse than the best by less than `TIE` standard errors, customers drawn whole."""
    least = min(losses, key=lambda name: float(losses[name].mean()))
    place = np.unique(customer, return_inverse=True)[1]
    for name, each in losses.items():
        worse = each - losses[least]
        error = float(np.sqrt((np.bincount(place, worse - worse.mean()) ** 2).sum()) / len(worse))
        if worse.mean() <= TIE * error:
            return name
    return least


def newest_rows(rows: Slice) -> Slice:
    """Each customer's last row."""
    order = np.lexsort((rows.cutoff, rows.customer))
    last = np.append(np.diff(rows.customer[order]) != 0, np.ones(min(1, len(order)), bool))
    chosen = np.zeros(len(rows), bool)
    chosen[order[last]] = True
    return rows.where(chosen)


def _ranks(scorer: Scorer, rows: Slice) -> Ranks:
    """The ranks of the newest customers."""
    return Ranks.of(scorer.score_many(np.ascontiguousarray(newest_rows(rows).features)))


def _importance(tier: Tier) -> dict[str, float]:
    """Shares by feature: of the gain of trees, of the size of a logistic regression's weights."""
    if isinstance(tier, Trees):
        shares = lightgbm.Booster(model_str=tier.text).feature_importance("gain").astype(np.float64)
    elif isinstance(tier, Logistic):
        size = {term.column: abs(term.weight) for term in tier.terms}
        shares = np.array([size.get(name, 0.0) for name in tier.names])
    else:
        return {}
    return dict(zip(tier.names, (shares / max(shares.sum(), 1e-15)).tolist(), strict=True))


def _by_customers(found: Gathered, names: list[str]) -> FittedScorer:
    """Too little history to look ahead: judged on other customers, then fitted on all rows."""
    rows, target = found.rows, found.target
    ways: dict[str, Fit] = {
        "prior": lambda some: fit_prior(some, found.names, target.horizon, target.prior),
        "stage_rate": lambda some: fit_stage_rates(some, found.names, target.horizon, target.prior),
        "logistic": lambda some: fit_logistic(some, found.names, STRENGTHS[1]),
    }
    unseen = {name: _foretold(ways[name], rows) for name in names}
    losses = {name: row_losses(each, rows.labels) for name, each in unseen.items()}
    best = _best(losses, rows.customer) if len(rows) else "prior"
    final = ways[best](rows)
    scorer = Scorer(target.name, final, Calibration.identity(), _intervals_of_few(final, found, unseen[best]))
    scorer = scorer.at(level_at(scorer, rows, found, found.end))
    scorer = scorer.ranked(_ranks(scorer, rows))
    rate = fit_prior(rows, found.names, target.horizon, target.prior).rate
    means = {name: float(each.mean()) for name, each in losses.items() if len(each)}
    return FittedScorer(scorer, rate, importance=_importance(final), losses=means)


def _foretold(fit: Fit, rows: Slice) -> NDArray[np.float64]:
    """What a tier of the other customers says of each row, customers in `FOLDS` parts."""
    part = np.unique(rows.customer, return_inverse=True)[1] % FOLDS
    said = np.empty(len(rows))
    for fold in range(FOLDS):
        inside = part == fold
        if inside.any():
            said[inside] = fit(rows.where(~inside)).raw_many(rows.features[inside])
    return said


def _intervals_of_few(final: Tier, found: Gathered, unseen: NDArray[np.float64]) -> Intervals:
    """The doubt that is left after so few answers; that about the level comes on top."""
    rows, target = found.rows, found.target
    each = weights(rows, target.horizon)
    if isinstance(final, Logistic):
        return fit_intervals(*groups(unseen, rows.labels))
    number = np.array([float(each.sum()) + believed(target.prior)])
    rates = np.array([final.rate]) if isinstance(final, Prior | StageRates) else np.empty(0)
    if isinstance(final, StageRates):
        rates = np.array(final.rates)
        number = by_stage(rows, found.names, each)[1] + believed(target.prior)
    deviations = np.sqrt(1.0 / (number * rates * (1.0 - rates)))
    places, first = np.unique(log_odds(rates), return_index=True)
    return Intervals(tuple(places.tolist()), tuple(deviations[first].tolist()))
