"""What an amount's test found: its errors beside those of naive rules, the closed form and the champion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from features.events import DAY
from models.prediction.amount import AmountTier
from models.prediction.clv_amount import PACE, PACE_DAYS
from training.evaluation.evaluation import Figure, resamplings
from training.fitting.clv_amounts import deviances, own_amount, said_of
from training.rows.dataset import Dataset, joined

Floats = NDArray[np.float64]

OFF = 0.1
"""By how much the sum of amounts may be off that add up."""

REPLICATES = 200

OWN, MEAN, AS_BEFORE, CLOSED, CHAMPION = "model", "mean", "as_before", "bg_nbd_gamma_gamma", "champion"
"""The models of a test: its own, and those it stands beside."""

ERRORS = ("mae", "rmse", "deviance")
"""The metrics of which less is better."""


@dataclass(frozen=True, eq=False)
class AmountTest:
    """What the test found: errors by model with intervals, and the share of customers inside their interval.

    `figures` are by model and metric: `mae`, `rmse`, `deviance`, and `total`, the sum of what was foretold over what
    was spent. `over` is the own model's error less that of the other: of the mean of the latest period, of the pace of
    the last 90 days, of the closed form where there is one, and of the champion.
    """

    rows: int
    mean: float
    figures: Mapping[str, Mapping[str, Figure]]
    over: Mapping[str, Mapping[str, Figure]]
    coverage: float

    @property
    def total(self) -> float:
        """The sum of what the model foretold over what was spent."""
        return self.figures[OWN]["total"].value

    @property
    def adds_up(self) -> bool:
        """Whether the sum of what was foretold is not surely off by more than `OFF`."""
        total = self.figures[OWN]["total"]
        return total.low <= 1.0 + OFF and total.high >= 1.0 - OFF


def judge_amount(tier: AmountTier, data: Dataset, seed: int, champion: AmountTier | None = None) -> AmountTest:
    """The errors on the test rows beside those of naive rules, the closed form and the champion's tier, if given.

    Intervals are of a bootstrap over customers.
    """
    test, past, days = data.test, joined([data.fit, data.stop, data.calibrate]), data.target.horizon / DAY
    spent = test.labels.astype(np.float64)
    mean, low, high = tier.amounts(np.ascontiguousarray(test.features))
    pace = data.column(test, PACE) * (days / PACE_DAYS)
    said = {OWN: mean, MEAN: np.full(len(test), float(data.calibrate.labels.mean())), AS_BEFORE: pace}
    closed = own_amount(past, data.names, days)
    said |= {CLOSED: said_of(closed, test)} if closed is not None else {}
    said |= {CHAMPION: said_of(champion, test)} if champion is not None else {}
    copies = np.concatenate(list(resamplings(test.customer, seed, REPLICATES)))
    drawn = {name: _figures(each, spent, copies) for name, each in said.items()}
    plain = {name: _figures(each, spent, np.ones((1, len(test)))) for name, each in said.items()}
    figures = {
        name: {kind: Figure.of(value[0], drawn[name][kind]) for kind, value in by.items()} for name, by in plain.items()
    }
    over = {
        name: {
            kind: Figure.of(plain[OWN][kind][0] - by[kind][0], drawn[OWN][kind] - drawn[name][kind]) for kind in ERRORS
        }
        for name, by in plain.items()
        if name != OWN
    }
    inside = (spent >= low) & (spent <= high)
    return AmountTest(len(test), float(spent.mean()), figures, over, float(inside.mean()))


def _figures(said: Floats, spent: Floats, copies: Floats) -> dict[str, Floats]:
    """The metrics of each resampling; NaN is the total of one in which nobody spent anything, which is left out."""
    off, rows, sums = said - spent, copies.sum(axis=1), copies @ spent
    return {
        "mae": copies @ np.abs(off) / rows,
        "rmse": np.sqrt(copies @ off**2 / rows),
        "deviance": copies @ deviances(spent, said) / rows,
        "total": np.divide(copies @ said, sums, out=np.full(len(sums), np.nan), where=sums != 0.0),
    }
