"""The test of an amount: its errors beside those of naive rules, the closed form and the champion."""

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
"""The relative error that the sum of the predicted amounts may have."""

REPLICATES = 200

OWN, MEAN, AS_BEFORE, CLOSED, CHAMPION = "model", "mean", "as_before", "bg_nbd_gamma_gamma", "champion"
"""The models of a test: the one tested, and those it is compared with."""

ERRORS = ("mae", "rmse", "deviance")
"""The metrics of which less is better."""


@dataclass(frozen=True, eq=False)
class AmountTest:
    """The result of the test: errors by model with intervals, and the share of customers inside their interval.

    `figures` are by model and metric: `mae`, `rmse`, `deviance`, and `total`, the sum of the predictions divided by
    the sum spent. `over` is the tested model's error less that of another: the mean of the latest period, the pace of
    the last 90 days, the closed form where there is one, and the champion.
    """

    rows: int
    mean: float
    figures: Mapping[str, Mapping[str, Figure]]
    over: Mapping[str, Mapping[str, Figure]]
    coverage: float

    @property
    def total(self) -> float:
        """The sum of the model's predictions divided by the sum spent."""
        return self.figures[OWN]["total"].value

    @property
    def adds_up(self) -> bool:
        """Whether the sum of the predictions is not significantly off by more than `OFF`."""
        total = self.figures[OWN]["total"]
        return total.low <= 1.0 + OFF and total.high >= 1.0 - OFF


def judge_amount(tier: AmountTier, data: Dataset, seed: int, champion: AmountTier | None = None) -> AmountTest:
    """The errors on the test rows beside those of naive rules, the closed form and the champion's tier, if given.

    The intervals come from a bootstrap over customers.
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
    drawn = {name: _figures(predicted, spent, copies) for name, predicted in said.items()}
    plain = {name: _figures(predicted, spent, np.ones((1, len(test)))) for name, predicted in said.items()}
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
    """The metrics of each resampling; the total is NaN where nobody spent anything, and is left out then."""
    off, rows, sums = said - spent, copies.sum(axis=1), copies @ spent
    return {
        "mae": copies @ np.abs(off) / rows,
        "rmse": np.sqrt(copies @ off**2 / rows),
        "deviance": copies @ deviances(spent, said) / rows,
        "total": np.divide(copies @ said, sums, out=np.full(len(sums), np.nan), where=sums != 0.0),
    }
