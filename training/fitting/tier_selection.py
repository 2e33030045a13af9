"""Selection: every tier that the data allows is fitted, and the one that predicts unseen rows best is chosen.

    prior -> stage_rate -> logistic -> lightgbm

No target is without an answer: with too little history to split it by time, the rows are split by customer; without
any rows, the prior answers. The answer has the same form on every tier.
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
from training.fitting.candidates import CANDIDATES, USUAL, Candidate
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
"""Counts from which a tier is tried; the trees also need enough history for a split by time."""

_OF_FORM = {"probability": tuple(TIERS), "amount": tuple(AMOUNT_TIERS), "stage": tuple(STAGE_TIERS)}

TIE = 0.5
"""Standard errors within which two tiers count as equally good; the simpler one is chosen then."""

CURVED = 20
"""The number of different probabilities from which on a calibration curve can be fitted; a few rates need none."""


@dataclass(frozen=True, eq=False)
class FittedScorer:
    """A scorer and its fit; `rate` is the shop's rate, shrunk towards the prior.

    `scorer` is served, and was fitted on every row whose answer is known. `judged` was fitted in the same way on the
    rows known at the first cutoff of the test, so that the test can judge it; None where there is no test. `rounds` is
    the number of trees (0 on lower tiers), `importance` the share of each feature, `parameters` the settings,
    `calibration_losses` the log loss of each kind of calibration on unseen customers, and `losses` that of each tier
    tried, on later rows.
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
    """A slice held back from a tier: its predictions (`plain`), and the same shifted to the slice's rate (`raw`)."""

    plain: NDArray[np.float64]
    raw: NDArray[np.float64]
    labels: NDArray[np.int8]

    @staticmethod
    def of(tier: Tier, rows: Slice) -> Held:
        """The predictions of this tier for these rows."""
        plain = tier.raw_many(rows.features)
        return Held(plain, at_level(plain, rows.labels), rows.labels)


@dataclass(frozen=True, eq=False)
class _Tried:
    """The result of one candidate on the rows held back: the kind of calibration that is best on unseen customers, the
    loss of each kind, and the candidate's loss of each row."""

    candidate: Candidate
    held: list[Held]
    kind: str
    calibration_losses: Mapping[str, float]
    losses: NDArray[np.float64]


def select_tier(
    gathered: Gathered,
    seed: int,
    tiers: tuple[str, ...] = tuple(TIERS),
    tuned: Mapping[str, float] = USUAL,
    trees: Candidate | None = None,
) -> FittedScorer:
    """The scorer of the best of these `tiers`; those that the data does not allow are left out.

    `tuned` are settings of the trees from a study (`training.fitting.tuned`), in place of the usual ones; `trees` is a
    candidate of trees that was already fitted, on several machines.
    """
    allowed = [name for name in tiers if _allowed(name, gathered)] or ["prior"]
    return (
        _by_customers(gathered, allowed) if gathered.split is None else _by_time(gathered, allowed, seed, tuned, trees)
    )


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
    """The length in days of the shortest log that can be split by time."""
    short, long = 0, 8 * 365
    while long - short > 1:
        middle = (short + long) // 2
        try:
            split(target, 0, middle * DAY, schedule)
            long = middle
        except NotEnoughHistory:
            short = middle
    return long


def _allowed(name: str, gathered: Gathered) -> bool:
    counts = gathered.counts
    if name == Trees.name and gathered.split is None:
        return False
    if name == StageRates.name and "stage" not in gathered.names:
        return False
    least = LEAST[name]
    return _enough(counts, least) and counts.no >= least.get("yes", 0)


def _enough(counts: Counts, least: Mapping[str, float]) -> bool:
    return all(getattr(counts, name) >= number for name, number in least.items())


def _by_time(
    gathered: Gathered, names: list[str], seed: int, tuned: Mapping[str, float], trees: Candidate | None
) -> FittedScorer:
    """Select on rows held back a horizon later, then fit the tier again on every row whose answer is known.

    The newest rows say most about the next ones and about the level. The test judges the same procedure a horizon
    earlier, with a scorer fitted only on what was known at the first cutoff of the test.
    """
    data = gathered.dataset
    candidates = {
        name: trees if trees and name == Trees.name else CANDIDATES[name](data, seed, tuned) for name in names
    }
    tried = {name: _try(candidate, data) for name, candidate in candidates.items()}
    customer = np.concatenate([data.stop.customer, data.calibrate.customer])
    chosen = tried[_best({name: result.losses for name, result in tried.items()}, customer)]
    judged = _finished(chosen, chosen.held, data.upto(data.calibrate), gathered, int(data.test.cutoff.min()))
    tested = Held.of(judged.tier, data.test)
    served = _finished(chosen, [*chosen.held, tested], data.every, gathered, gathered.end)
    ranked = served.ranked(_ranks(served, data.test))
    losses = {name: float(result.losses.mean()) for name, result in tried.items()}
    candidate, rounds = chosen.candidate, int(str(chosen.candidate.parameters.get("rounds", 0)))
    rate = fit_prior(gathered.rows, gathered.names, gathered.target.horizon, gathered.target.prior).rate
    return FittedScorer(
        ranked, rate, rounds, _importance(ranked.tier), candidate.parameters, chosen.calibration_losses, losses,
        judged.ranked(_ranks(judged, data.calibrate)),
    )  # fmt: skip


def _try(candidate: Candidate, data: Dataset) -> _Tried:
    """The result of a candidate: each slice held back is predicted by a tier whose rows end a horizon before it.

    Tiers are compared without a shift of the level, so that one that follows the level by itself is better for it. The
    calibration served is fitted on predictions shifted to the slices' rates, because the level is estimated separately.
    """
    past = candidate.fit(data.upto(data.stop))
    held = [Held.of(candidate.early, data.stop), Held.of(past, data.calibrate)]
    raw, labels = (np.concatenate([getattr(part, name) for part in held]) for name in ("plain", "labels"))
    if len(np.unique(raw)) < CURVED:
        return _Tried(candidate, held, "identity", {}, row_losses(raw, labels))
    customer = np.concatenate([data.stop.customer, data.calibrate.customer])
    calibration, losses, unseen = fit_calibration(raw, labels, customer)
    return _Tried(candidate, held, calibration.kind, losses, row_losses(unseen, labels))


def _finished(tried: _Tried, held: Sequence[Held], rows: Slice, gathered: Gathered, now: int) -> Scorer:
    """The candidate fitted on these rows at the level of `now`; calibration and intervals are of the held slices."""
    raw, labels = (np.concatenate([getattr(part, name) for part in held]) for name in ("raw", "labels"))
    shape = fit_kind(tried.kind, raw, labels)
    scorer = Scorer(gathered.target.name, tried.candidate.fit(rows), shape, _intervals_within(tried.kind, held))
    return scorer.at(level_at(scorer, rows, gathered, now))


def _intervals_within(kind: str, held: Sequence[Held]) -> Intervals:
    """The intervals from the errors in each slice of a calibration fitted on the others, at the slice's rate."""
    parts = []
    for place, part in enumerate(held):
        others = [*held[:place], *held[place + 1 :]]
        raw, labels = (np.concatenate([getattr(other, name) for other in others]) for name in ("raw", "labels"))
        said = at_level(fit_kind(kind, raw, labels).apply_many(part.raw), part.labels)
        parts.append(groups(said, part.labels))
    margins, yes, rows = zip(*parts, strict=True)
    return fit_intervals(np.concatenate(margins), np.concatenate(yes), np.concatenate(rows))


def _best(losses: Mapping[str, NDArray[np.float64]], customer: NDArray[np.int32]) -> str:
    """The simplest tier that is worse than the best by at most `TIE` standard errors, clustered by customer."""
    least = min(losses, key=lambda name: float(losses[name].mean()))
    place = np.unique(customer, return_inverse=True)[1]
    for name, tier_losses in losses.items():
        worse = tier_losses - losses[least]
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


def _by_customers(gathered: Gathered, names: list[str]) -> FittedScorer:
    """With too little history for a split by time: select on other customers, then fit on all rows."""
    rows, target = gathered.rows, gathered.target
    candidates: dict[str, Fit] = {
        "prior": lambda some: fit_prior(some, gathered.names, target.horizon, target.prior),
        "stage_rate": lambda some: fit_stage_rates(some, gathered.names, target.horizon, target.prior),
        "logistic": lambda some: fit_logistic(some, gathered.names, STRENGTHS[1]),
    }
    unseen = {name: _cross_predicted(candidates[name], rows) for name in names}
    losses = {name: row_losses(predicted, rows.labels) for name, predicted in unseen.items()}
    best = _best(losses, rows.customer) if len(rows) else "prior"
    final = candidates[best](rows)
    scorer = Scorer(target.name, final, Calibration.identity(), _intervals_of_few(final, gathered, unseen[best]))
    scorer = scorer.at(level_at(scorer, rows, gathered, gathered.end))
    scorer = scorer.ranked(_ranks(scorer, rows))
    rate = fit_prior(rows, gathered.names, target.horizon, target.prior).rate
    means = {name: float(losses[name].mean()) for name in losses if len(rows)}
    return FittedScorer(scorer, rate, importance=_importance(final), losses=means)


def _cross_predicted(fit: Fit, rows: Slice) -> NDArray[np.float64]:
    """The prediction of each row by a tier fitted on other customers, with customers in `FOLDS` parts."""
    part = np.unique(rows.customer, return_inverse=True)[1] % FOLDS
    said = np.empty(len(rows))
    for fold in range(FOLDS):
        inside = part == fold
        if inside.any():
            said[inside] = fit(rows.where(~inside)).raw_many(rows.features[inside])
    return said


def _intervals_of_few(final: Tier, gathered: Gathered, unseen: NDArray[np.float64]) -> Intervals:
    """The intervals for so few answers; the deviation of the level is added later."""
    rows, target = gathered.rows, gathered.target
    answers = weights(rows, target.horizon)
    if isinstance(final, Logistic):
        return fit_intervals(*groups(unseen, rows.labels))
    number = np.array([float(answers.sum()) + believed(target.prior)])
    rates = np.array([final.rate]) if isinstance(final, Prior | StageRates) else np.empty(0)
    if isinstance(final, StageRates):
        rates = np.array(final.rates)
        number = by_stage(rows, gathered.names, answers)[1] + believed(target.prior)
    deviations = np.sqrt(1.0 / (number * rates * (1.0 - rates)))
    places, first = np.unique(log_odds(rates), return_index=True)
    return Intervals(tuple(places.tolist()), tuple(deviations[first].tolist()))
