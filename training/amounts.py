"""Fitting what answers with an amount: boosted trees, the closed form of buying, or the mean."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import lightgbm
import numpy as np
from numpy.typing import NDArray

from features.events import DAY
from models.amount import AMOUNT_RUNGS, AmountRung, AmountScorer, AmountTrees, MeanAmount
from models.buyers import Record
from models.buying_amount import BuyingAmount, closed_form
from models.spread import INTERVAL, Ranks
from training.buyers import NotEnoughBuyers, fit_buying, fit_spending
from training.dataset import Dataset, Gathered, Slice, joined
from training.evaluation import Figure, resamplings
from training.ladder import LEAST, newest_rows
from training.rungs import train_set
from training.scorers import PATIENCE, ROUNDS, settings

Floats = NDArray[np.float64]

TAIL = 0.5 * (1.0 - INTERVAL)
OBJECTIVES: tuple[dict[str, object], ...] = (
    {"objective": "tweedie", "tweedie_variance_power": 1.3},
    {"objective": "quantile", "alpha": TAIL},
    {"objective": "quantile", "alpha": 1.0 - TAIL},
)
"""The losses of the mean and of the ends of the interval."""

REPLICATES = 200
BELIEVED = 5.0
"""Customers that the prior counts for beside the shop's own."""

FEW = (0.05, 3.0)
"""The ends of the interval as shares of the mean, near those of an exponential amount, where there are too few rows."""

ENOUGH = 40
"""Rows from which the ends are those of the rows."""


@dataclass(frozen=True, eq=False)
class FittedAmount:
    """An amount scorer and how it came about: trees of the mean, settings, and the mean absolute error of each rung
    that was tried on rows that were the future to it. `rate` is the mean amount, shrunk towards the prior."""

    scorer: AmountScorer
    rate: float
    rounds: int = 0
    parameters: Mapping[str, object] = field(default_factory=dict)
    losses: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, eq=False)
class AmountTest:
    """What the test found: errors by model with intervals, and the share of customers inside their interval.

    `total` is the sum of what was foretold over what was spent; `over` is the first model's figure less the other's.
    """

    rows: int
    mean: float
    figures: Mapping[str, Mapping[str, Figure]]
    over: Mapping[str, Mapping[str, Figure]]
    total: float
    coverage: float


def fit_amount(found: Gathered, seed: int) -> FittedAmount:
    """Of the mean, the closed form and, where there is history enough, trees: the one that is nearest on rows ahead."""
    rows, names = found.rows, found.names
    mean = mean_amount(rows, names, found.target.prior)
    tried: dict[str, AmountRung] = {"prior": mean}
    rounds, parameters, losses, newest = 0, dict[str, object](), dict[str, float](), newest_rows(rows)
    if found.split is None:
        heard = newest
    else:
        data = found.dataset()
        heard, newest = newest_rows(data.calibrate), newest_rows(data.test)
        trees, rounds, parameters, losses["lightgbm"] = _trees(data, seed)
        tried["lightgbm"] = trees
    closed = closed_amount(heard, found, mean.mean)
    if closed is not None:
        tried["buyers"] = closed
    for name in tried.keys() - losses:
        losses[name] = _error(tried[name], heard)
    best = min(tried, key=lambda name: losses[name]) if len(heard) else "prior"
    rung = tried[best]
    ranks = Ranks.of(rung.amounts(np.ascontiguousarray(newest.features))[0])
    ordered = {name: losses[name] for name in AMOUNT_RUNGS if name in losses and np.isfinite(losses[name])}
    return FittedAmount(
        AmountScorer(found.target.name, rung, ranks), mean.mean,
        rounds if best == "lightgbm" else 0, parameters if best == "lightgbm" else {}, ordered,
    )  # fmt: skip


def _error(rung: AmountRung, rows: Slice) -> float:
    """The mean absolute error; infinity without rows."""
    said = rung.amounts(np.ascontiguousarray(rows.features))[0]
    return float(np.abs(said - rows.labels).mean()) if len(rows) else float("inf")


def closed_amount(rows: Slice, found: Gathered, mean: float) -> BuyingAmount | None:
    """The closed form of each customer's row: it is fitted on what was before it, and set to the total that came after.

    None when nobody has ordered twice, or there are too few customers (`LEAST`).
    """
    counts, names, days = found.counts, found.names, found.target.horizon / DAY
    if any(getattr(counts, what) < number for what, number in LEAST[BuyingAmount.name].items()):
        return None
    known, features = Record.of(rows.features, names), np.ascontiguousarray(rows.features)
    try:
        buying, spending = fit_buying(known), fit_spending(known)
    except NotEnoughBuyers:
        return None
    said = closed_form(buying, spending, features, names, days)
    there = np.isfinite(said) & (said > 0.0)
    spent = rows.labels.astype(np.float64)[there]
    if not len(spent) or spent.sum() <= 0.0:
        return None
    factor = float(spent.sum() / said[there].sum())
    low, high = np.quantile(spent / (factor * said[there]), [TAIL, 1.0 - TAIL]).tolist()
    return BuyingAmount(buying, spending, days, factor, (max(low, 0.0), high), mean, names)


def mean_amount(rows: Slice, names: tuple[str, ...], prior: float) -> MeanAmount:
    """The mean of the customers' means, shrunk towards the prior, and the middle `INTERVAL` of the rows."""
    number = len(np.unique(rows.customer))
    mean = (float(rows.labels.mean()) * number if number else 0.0) + BELIEVED * prior
    mean /= number + BELIEVED
    if len(rows) < ENOUGH:
        return MeanAmount(mean, FEW[0] * mean, FEW[1] * mean, names)
    low, high = np.quantile(rows.labels.astype(np.float64), [TAIL, 1.0 - TAIL]).tolist()
    return MeanAmount(mean, low, high, names)


def _trees(data: Dataset, seed: int) -> tuple[AmountTrees, int, dict[str, object], float]:
    """The trees of all rows before the test; factor, margin and error from trees that end a horizon before `held`."""
    held, past = data.calibrate, joined([data.fit, data.stop])
    shared = settings(len(past) + len(held), seed)
    every = [shared | objective for objective in OBJECTIVES]
    rounds = [_rounds(data, parameters) for parameters in every]
    mean, low, high = (
        np.asarray(lightgbm.train(parameters, train_set(past, data.names), number).predict(held.features))
        for parameters, number in zip(every, rounds, strict=True)
    )
    spent = held.labels.astype(np.float64)
    factor = float(spent.sum() / max(mean.sum(), 1e-9))
    factor = factor if factor > 0.0 else 1.0
    margin = float(np.quantile(np.maximum(low - spent, spent - high), INTERVAL))
    loss = float(np.abs(spent - factor * mean).mean())
    final = joined([past, held])
    texts = [
        lightgbm.train(parameters, train_set(final, data.names), number).model_to_string()
        for parameters, number in zip(every, rounds, strict=True)
    ]
    return AmountTrees(data.target.name, texts, factor, margin, data.names), rounds[0], every[0], loss


def _rounds(data: Dataset, parameters: dict[str, object]) -> int:
    """How many trees grown on the purged rows do best on the stop rows."""
    grown = train_set(data.purged_fit, data.names)
    heard = train_set(data.stop, data.names, reference=grown)
    stopping = lightgbm.early_stopping(PATIENCE, verbose=False)
    return max(1, lightgbm.train(parameters, grown, ROUNDS, valid_sets=[heard], callbacks=[stopping]).best_iteration)


def judge_amount(rung: AmountRung, data: Dataset, seed: int) -> AmountTest:
    """The errors on the test rows beside those of the mean, with intervals of a bootstrap over customers."""
    test = data.test
    spent = test.labels.astype(np.float64)
    mean, low, high = rung.amounts(np.ascontiguousarray(test.features))
    said = {"model": mean, "mean": np.full(len(test), float(joined([data.fit, data.stop]).labels.mean()))}
    drawn: dict[str, list[Floats]] = {f"{name} {kind}": [] for name in said for kind in _ERRORS}
    for copies in resamplings(test.customer, seed, REPLICATES):
        for name, each in said.items():
            for kind, error in _ERRORS.items():
                drawn[f"{name} {kind}"].append(error(each - spent, copies))
    samples = {name: np.concatenate(parts) for name, parts in drawn.items()}
    plain = np.ones((1, len(test)))
    values = {f"{name} {kind}": float(_ERRORS[kind](said[name] - spent, plain)[0]) for name in said for kind in _ERRORS}

    def beside(name: str, kind: str) -> Figure:
        own, other = f"model {kind}", f"{name} {kind}"
        return Figure.of(values[own] - values[other], samples[own] - samples[other])

    return AmountTest(
        len(test),
        float(spent.mean()),
        {
            name: {kind: Figure.of(values[f"{name} {kind}"], samples[f"{name} {kind}"]) for kind in _ERRORS}
            for name in said
        },
        {"mean": {kind: beside("mean", kind) for kind in _ERRORS}},
        float(mean.sum() / max(spent.sum(), 1e-9)),
        float(((spent >= low) & (spent <= high)).mean()),
    )


def _absolute(off: Floats, copies: Floats) -> Floats:
    means: Floats = copies @ np.abs(off) / copies.sum(axis=1)
    return means


def _squared(off: Floats, copies: Floats) -> Floats:
    roots: Floats = np.sqrt(copies @ off**2 / copies.sum(axis=1))
    return roots


_ERRORS = {"mae": _absolute, "rmse": _squared}
