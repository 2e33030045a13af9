"""The yield of a list of the customers at risk at the newest cutoff of the test, beside that of simpler lists."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.prediction.money_at_stake import ACTIVE, AT_STAKE, MONTH, SIZE, SPENT_BEFORE, TARGET, Yield
from training.rows.dataset import Slice

REPLICATES = 1000
TAILS = (5.0, 95.0)
"""Percentiles of the replicates that are the ends of an interval."""

Floats = NDArray[np.float64]


def stake_metrics(target: str, names: Sequence[str], test: Slice, probabilities: Floats) -> dict[str, float]:
    """The yield as metrics of the target's card; empty for targets from which stakes are not computed."""
    figures = stake_yield(names, test, probabilities) if target == TARGET and len(test) else None
    return figures.to_metrics() if figures else {}


def stake_yield(
    names: Sequence[str], test: Slice, probabilities: Floats, cutoff: int | None = None, size: float = SIZE
) -> Yield | None:
    """The yield of a list by stakes at a cutoff of the test, the newest if none is given.

    None where nobody had money at stake, or no money left.
    """
    moment = int(test.cutoff.max()) if cutoff is None else cutoff
    rows = np.flatnonzero(test.cutoff == moment)
    columns = dict(zip(names, test.features[rows].T.astype(np.float64), strict=True)) | {TARGET: probabilities[rows]}
    active = np.flatnonzero(ACTIVE.evaluate(columns))
    money, stake, month = (
        np.nan_to_num(np.asarray(expression.evaluate(columns), np.float64)[active])
        for expression in (SPENT_BEFORE, AT_STAKE, MONTH)
    )
    left = test.labels[rows][active] == 1
    number = math.ceil(len(active) * size - 1e-9)
    if not number or not (money * left).sum() > 0:
        return None
    named, spending = _first(stake, number), _first(month, number)
    weights = np.random.default_rng(0).multinomial(len(active), np.full(len(active), 1 / len(active)), REPLICATES)
    lost = money * left
    share, ends = _share(lost, named), _interval(lost, named, weights)
    precision = _share(named.astype(float), left), _interval(named.astype(float), left, weights)
    return Yield(
        moment, len(active), number, precision[0], *precision[1], share, *ends,
        money_random=number / len(active), money_spending=_share(lost, spending),
    )  # fmt: skip


def _first(keys: Floats, number: int) -> NDArray[np.bool_]:
    """Which customers are among the `number` with the largest keys."""
    chosen = np.zeros(len(keys), bool)
    chosen[np.argsort(-keys, kind="stable")[:number]] = True
    return chosen


def _share(amounts: Floats, part: NDArray[np.bool_]) -> float:
    return float(amounts[part].sum() / amounts.sum())


def _interval(amounts: Floats, part: NDArray[np.bool_], weights: NDArray[np.int64]) -> tuple[float, float]:
    """The interval of a part's share of the amounts; `weights`, int64[replicates, customers], are the resamplings."""
    wholes = weights @ amounts
    shares = (weights[:, part] @ amounts[part])[wholes > 0] / wholes[wholes > 0]
    low, high = np.percentile(shares, TAILS)
    return float(low), float(high)
