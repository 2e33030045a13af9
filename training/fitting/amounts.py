"""Fitting a model of an amount: trees that start from the customer's own orders, those orders alone, or the mean.

Tiers are compared by the Tweedie deviance on later rows. It is least for the true mean, so that the amounts add up to a
total. The mean absolute error would be least for the median, which is far below the mean of skewed amounts, and the
squared error would depend on a few large spenders only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import lightgbm
import numpy as np
from numpy.typing import NDArray

from features.events import DAY
from models.prediction.amount import AMOUNT_TIERS, AmountScorer, AmountTier, AmountTrees, MeanAmount
from models.prediction.clv_amount import BuyingAmount
from models.prediction.interval import INTERVAL, Ranks
from training.fitting.calibration import PATIENCE, ROUNDS, settings
from training.fitting.clv_amounts import (
    FEW,
    POWER,
    TAIL,
    best_share,
    deviance,
    held_ends,
    own_amount,
    said_of,
    shared,
)
from training.fitting.tier_selection import LEAST, newest_rows
from training.fitting.tiers import train_set
from training.rows.dataset import Dataset, Gathered, Slice, joined

Floats = NDArray[np.float64]
Start = MeanAmount | BuyingAmount

OBJECTIVES: tuple[dict[str, object], ...] = (
    {"objective": "tweedie", "tweedie_variance_power": POWER},
    {"objective": "quantile", "alpha": TAIL},
    {"objective": "quantile", "alpha": 1.0 - TAIL},
)
"""The losses of the mean and of the ends of the interval."""

BELIEVED = 5.0
"""The number of customers that the prior counts as, besides the shop's own."""

ENOUGH = 40
"""The number of rows from which on the ends of the interval are quantiles of the rows."""


@dataclass(frozen=True, eq=False)
class FittedAmount:
    """An amount scorer and its fit: the number of trees of the mean, the settings, and the deviance of each tier tried,
    on later rows. `rate` is the mean amount, shrunk towards the prior."""

    scorer: AmountScorer
    rate: float
    rounds: int = 0
    parameters: Mapping[str, object] = field(default_factory=dict)
    losses: Mapping[str, float] = field(default_factory=dict)


def fit_amount(gathered: Gathered, seed: int, allowed: tuple[str, ...] = tuple(AMOUNT_TIERS)) -> FittedAmount:
    """The best of the mean, the customer's own orders and, where there is enough history, trees.

    Only the tiers `allowed` and the mean are tried. The best has the least deviance on rows held back, a horizon after
    those it was fitted on; it is then fitted again on all rows before the test. Without enough history for that, the
    tiers are compared on the rows they were fitted on.
    """
    if gathered.split is None:
        tiers, losses, rounds, newest = *_untimed(gathered, allowed), 0, newest_rows(gathered.rows)
    else:
        data = gathered.dataset
        tiers, losses, rounds = _timed(gathered, data, seed, allowed)
        newest = newest_rows(data.test)
    best = min(tiers, key=lambda name: losses[name])
    tier = tiers[best]
    ranks = Ranks.of(tier.amounts(np.ascontiguousarray(newest.features))[0])
    rate = mean_amount(gathered.rows, gathered.names, gathered.target.prior).mean
    ordered = {name: losses[name] for name in AMOUNT_TIERS if np.isfinite(losses.get(name, np.inf))}
    grown = isinstance(tier, AmountTrees)
    parameters = settings(len(gathered.rows), seed) | OBJECTIVES[0] if grown else {}
    return FittedAmount(
        AmountScorer(gathered.target.name, tier, ranks), rate, rounds if grown else 0, parameters, ordered
    )


def _untimed(gathered: Gathered, allowed: tuple[str, ...]) -> tuple[dict[str, AmountTier], dict[str, float]]:
    """The tiers for rows that cannot be split by time; the share of the pace is fitted on the newest of them."""
    rows, newest = gathered.rows, newest_rows(gathered.rows)
    tiers: dict[str, AmountTier] = {"prior": mean_amount(rows, gathered.names, gathered.target.prior)}
    asked = BuyingAmount.name in allowed and _many_enough(gathered)
    own = own_amount(rows, gathered.names, gathered.target.horizon / DAY) if asked else None
    if own is not None:
        share = best_share([(own, newest)])
        tiers["clv"] = held_ends(shared(own, share), [(shared(own, share), newest)])
    losses = {
        name: deviance(newest.labels, said_of(tier, newest)) if len(rows) else np.inf for name, tier in tiers.items()
    }
    return tiers, losses


def _timed(
    gathered: Gathered, data: Dataset, seed: int, allowed: tuple[str, ...]
) -> tuple[dict[str, AmountTier], dict[str, float], int]:
    """The final tiers, their deviance on the rows held back, and the trees of the mean.

    `early`, `past` and `final` are of the rows up to a horizon before the stop rows, before the rows held back, and
    before the test. The share, the ends, the factor and the margin are fitted on the predictions of each for the slice
    that follows a horizon later.
    """
    held, past = data.calibrate, joined([data.fit, data.stop])
    spans = [data.purged_fit, past, joined([past, held])]
    means = [mean_amount(rows, gathered.names, gathered.target.prior) for rows in spans]
    starts: list[Start] = list(means)
    asked = BuyingAmount.name in allowed and _many_enough(gathered)
    own = [own_amount(rows, data.names, data.target.horizon / DAY) for rows in spans if asked]
    known = [amount for amount in own if amount is not None]
    tiers: dict[str, AmountTier] = {"prior": means[-1]}
    losses = {"prior": deviance(held.labels, said_of(means[1], held))}
    if len(known) == len(spans):
        share = best_share([(known[0], data.stop)])
        early, later = shared(known[0], share), shared(known[1], share)
        final = shared(known[2], best_share([(known[0], data.stop), (known[1], held)]))
        starts = [early, later, final]
        tiers["clv"] = held_ends(final, [(early, data.stop), (later, held)])
        losses["clv"] = deviance(held.labels, said_of(later, held))
    if AmountTrees.name not in allowed:
        return tiers, losses, 0
    trees, losses[AmountTrees.name], rounds = _trees(data, spans, starts, seed)
    return tiers | {AmountTrees.name: trees}, losses, rounds


def _many_enough(gathered: Gathered) -> bool:
    """Whether there are enough customers for the closed form (`LEAST`)."""
    return all(getattr(gathered.counts, what) >= number for what, number in LEAST[BuyingAmount.name].items())


def mean_amount(rows: Slice, names: tuple[str, ...], prior: float) -> MeanAmount:
    """The mean of the customers' means, shrunk towards the prior, and the middle `INTERVAL` of the rows."""
    number = len(np.unique(rows.customer))
    mean = (float(rows.labels.mean()) * number if number else 0.0) + BELIEVED * prior
    mean /= number + BELIEVED
    if len(rows) < ENOUGH:
        return MeanAmount(mean, FEW[0] * mean, FEW[1] * mean, names)
    low, high = np.quantile(rows.labels.astype(np.float64), [TAIL, 1.0 - TAIL]).tolist()
    return MeanAmount(mean, low, high, names)


def _trees(data: Dataset, spans: list[Slice], starts: list[Start], seed: int) -> tuple[AmountTrees, float, int]:
    """The trees of the last span, their deviance on the rows held back, and the number of trees of the mean."""
    early, past, final = zip(spans, starts, strict=True)
    rounds = [_rounds(data, *early, objective, seed) for objective in OBJECTIVES]
    parts = []
    for (rows, start), ahead in ((early, data.stop), (past, data.calibrate)):
        grown = AmountTrees(data.target.name, start, _texts(data, rows, start, rounds, seed), 1.0, 0.0, data.names)
        matrix = np.ascontiguousarray(ahead.features)
        parts.append(np.stack([ahead.labels.astype(np.float64), *grown.amounts(matrix), said_of(start, ahead)]))
    spent, mean, low, high, began = np.concatenate(parts, axis=1)
    factor = float(spent.sum() / mean.sum())
    margin = float(np.quantile(np.maximum(low - spent, spent - high) / began, INTERVAL))
    texts = _texts(data, *final, rounds, seed)
    trees = AmountTrees(data.target.name, final[1], texts, factor, margin, data.names)
    return trees, deviance(data.calibrate.labels, parts[1][1]), rounds[0]


def _texts(data: Dataset, rows: Slice, start: Start, rounds: list[int], seed: int) -> list[str]:
    """The texts of the models of the mean and the ends, with these numbers of trees."""
    return [
        lightgbm.train(settings(len(rows), seed) | objective, _grown_on(rows, start, objective, data), number)
        .model_to_string()
        for objective, number in zip(OBJECTIVES, rounds, strict=True)
    ]  # fmt: skip


def _rounds(data: Dataset, rows: Slice, start: Start, objective: dict[str, object], seed: int) -> int:
    """The number of trees, grown on these rows, that is best on the stop rows."""
    grown = _grown_on(rows, start, objective, data)
    heard = _grown_on(data.stop, start, objective, data, grown)
    stopping = lightgbm.early_stopping(PATIENCE, verbose=False)
    parameters = settings(len(rows), seed) | objective
    return max(1, lightgbm.train(parameters, grown, ROUNDS, valid_sets=[heard], callbacks=[stopping]).best_iteration)


def _grown_on(
    rows: Slice, start: Start, objective: dict[str, object], data: Dataset, reference: lightgbm.Dataset | None = None
) -> lightgbm.Dataset:
    """The input of trees of one loss: the start is a logarithmic offset of the mean, and a divisor of the ends.

    The quantile loss of a ratio to the start, weighted by the start, is the quantile loss of the amount.
    """
    grown, said = train_set(rows, data.names, reference), said_of(start, rows)
    if objective["objective"] == "tweedie":
        return grown.set_init_score(np.log(said))
    return grown.set_label(rows.labels / said).set_weight(said)
