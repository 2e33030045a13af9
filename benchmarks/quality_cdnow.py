"""CDNOW: 39 weeks known, 39 weeks ahead. How many orders will each customer place, and who will order at all?

Data after the 39th week are used only for the test. The customers of the test are those of the published 1/10 sample,
for which the literature reports figures, and all 23,570. Pareto/NBD (Schmittlein, Morrison and Colombo, 1987), the
usual benchmark, was fitted once by maximum likelihood on the sample's 39 weeks; `PARETO_NBD` are its figures.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.quality_data import cdnow_events, interval
from benchmarks.report import print_table
from features.events import DAY
from features.grouping import histories
from features.journey import JOURNEY
from features.replay.replay import Snapshots, replay
from models.prediction.clv import Record
from training.evaluation.evaluation import resamplings
from training.evaluation.metrics import Ranked, roc_auc
from training.fitting.clv import fit_buying, fit_orders

Floats = NDArray[np.float64]

PARETO_NBD = {"rmse": 1.603, "auc": 0.779, "bias": -0.115}
KNOWN, AHEAD = 273, 273
"""The days of 39 weeks: those that are known, and those to predict."""
PERIOD = 28
"""The horizon of the regression, in days; a longer one would leave too few cutoffs inside the known weeks."""
WARM_UP, EVERY = 90, 14
"""Days until the first cutoff, when all customers have had their first order, and days between cutoffs."""
REPLICATES = 500
SAMPLE = Path(__file__).with_name("quality_cdnow_sample.txt")
"""Numbers of the customers in the published sample (Fader, Hardie and Lee, 2005)."""


def claims(seed: int) -> dict[str, float]:
    """Fit, judge, print. Raises `Absent`."""
    events, names = cdnow_events()
    opening = int(events["at"].min())
    before = events[events["at"] < opening + KNOWN * DAY]
    orders, alone, customers = predict(before, opening)
    later = np.bincount(events["customer"][events["at"] >= opening + KNOWN * DAY], minlength=len(names))
    actual = later[customers].astype(np.float64)
    chosen = np.isin([int(names[code]) for code in customers], [int(number) for number in SAMPLE.read_text().split()])
    figures_of, rows = {}, []
    for people, mask in (("sample", chosen), ("all", np.ones(len(chosen), bool))):
        for model, expected in (("waypost", orders), ("bg_nbd", alone)):
            figures = _figures(expected[mask], actual[mask], customers[mask], seed)
            rows.append(
                [f"{people}: {model}", *(f"{value:.3f} [{low:.3f}, {high:.3f}]" for value, low, high in figures)]
            )
            figures_of[people, model] = [value for value, *_ in figures]
        if people == "sample":
            rows.append(["sample: Pareto/NBD", *(f"{value:.3f}" for value in PARETO_NBD.values())])
    print_table("CDNOW, 39 weeks ahead", ("customers: model", "RMSE of orders", "ROC-AUC of activity", "total"), rows)
    result = dict(zip(("cdnow_rmse", "cdnow_auc", "cdnow_total_bias"), figures_of["sample", "waypost"], strict=True))
    names_of_all = ("cdnow_all_rmse", "cdnow_all_auc", "cdnow_all_total_bias")
    return result | dict(zip(names_of_all, figures_of["all", "waypost"], strict=True))


def predict(before: NDArray[np.void], opening: int) -> tuple[Floats, Floats, NDArray[np.int32]]:
    """The orders expected in `AHEAD` days, those that BG/NBD expects, and the customers.

    A regression on BG/NBD is fitted to `PERIOD` days ahead, at cutoffs within the known weeks, and BG/NBD extrapolates
    it. BG/NBD's total falls, because its customers only leave. The difference is added evenly over all customers, so
    that the shop's total goes on at the pace of the fitted period.
    """
    cutoffs = [opening + day * DAY - 1 for day in range(KNOWN - PERIOD, WARM_UP, -EVERY)]
    known = histories([before])
    asked, past = replay(JOURNEY, known, [opening + KNOWN * DAY - 1]), replay(JOURNEY, known, sorted(cutoffs))
    buying = fit_buying(Record.of(asked.features, JOURNEY.names))
    curve = fit_orders(buying, past.features, JOURNEY.names, _orders_within(before, past), PERIOD)
    soon, late = (curve.within(asked.features, JOURNEY.names, days) for days in (PERIOD, AHEAD))
    expected = late + soon.mean() * AHEAD / PERIOD - late.mean()
    return expected, buying.orders_within(Record.of(asked.features, JOURNEY.names), AHEAD), asked.customer


def _orders_within(events: NDArray[np.void], rows: Snapshots) -> Floats:
    """The orders of each row's customer in the `PERIOD` days after the row's cutoff."""
    orders = np.zeros(len(rows.customer))
    number = int(events["customer"].max()) + 1
    for cutoff in np.unique(rows.cutoff):
        inside = (events["at"] > cutoff) & (events["at"] <= cutoff + PERIOD * DAY)
        counts = np.bincount(events["customer"][inside], minlength=number)
        here = rows.cutoff == cutoff
        orders[here] = counts[rows.customer[here]]
    return orders


def _figures(
    expected: Floats, actual: Floats, customers: NDArray[np.int32], seed: int
) -> list[tuple[float, float, float]]:
    """Root mean squared error, ROC-AUC of activity and error of the total, each with its 95 % interval."""
    order = Ranked.of(expected, (actual > 0).astype(np.int8))
    squared = (expected - actual) ** 2

    def rmse(copies: Floats) -> float:
        return float(np.sqrt(copies @ squared / copies.sum()))

    def auc(copies: Floats) -> float:
        return float(roc_auc(order, copies[None, order.order])[0])

    def bias(copies: Floats) -> float:
        return float(copies @ expected / (copies @ actual) - 1.0)

    once = np.ones(len(actual))
    return [(figure(once), *interval(figure, resamplings(customers, seed, REPLICATES))) for figure in (rmse, auc, bias)]
