"""The yield of the segment "at risk" in the Complete Journey, at its default size.

    python -m benchmarks.at_risk

At the cutoffs of the tests of `churn_28d` that end with the log, and 30 and 60 days earlier, the model fitted on what
was known by then names the customers with most money at stake (`models.prediction.money_at_stake`). The benchmark
prints how many of them left, and their share of the money that left, beside as many customers at random and those who
spent most.
"""

from __future__ import annotations

import sys

import numpy as np

from benchmarks.quality_data import Absent, Shop, complete_journey
from benchmarks.report import print_claims, print_table
from features.events import days
from features.journey import JOURNEY
from features.times import moment
from models.prediction.money_at_stake import TARGET, Yield
from training.evaluation.money_at_stake import stake_yield
from training.fitting.tier_selection import select_tier
from training.rows.dataset import gathered
from training.targets import TARGETS

ENDS = (0, 30, 60)
"""The ends of the tests, in days before the end of the log."""

COLUMNS = ("cutoff", "named", "of", "left", "money", "its interval", "random", "spending")


def yields(shop: Shop, earlier: int, seed: int) -> list[Yield]:
    """The yield at each cutoff of the test that ends so many days before the log, oldest first."""
    rows = gathered(TARGETS[TARGET], JOURNEY, shop.past, shop.start, shop.end - days(earlier), seed=seed)
    judged = select_tier(rows, seed).judged if rows.split is not None else None
    if judged is None:
        return []
    data = rows.dataset
    said = judged.score_many(data.test.features)
    every = (stake_yield(data.names, data.test, said, cutoff) for cutoff in np.unique(data.test.cutoff).tolist())
    return [result for result in every if result is not None]


def claims(results: list[Yield]) -> dict[str, float]:
    """The least and the mean share of the money that left, and the mean of the simpler lists."""
    return {
        "at_risk_cutoffs": float(len(results)),
        "at_risk_money_least": min(result.money for result in results),
        "at_risk_money_least_low": min(result.money_low for result in results),
        "at_risk_money": float(np.mean([result.money for result in results])),
        "at_random_money": float(np.mean([result.money_random for result in results])),
        "by_spending_money": float(np.mean([result.money_spending for result in results])),
        "at_risk_left": float(np.mean([result.left for result in results])),
    }


def line(result: Yield) -> list[str]:
    """The figures of one cutoff as a row of the table."""
    return [
        moment(result.cutoff).date().isoformat(),
        f"{result.named:,.0f}",
        f"{result.customers:,.0f}",
        f"{result.left:.0%}",
        f"{result.money:.0%}",
        f"{result.money_low:.0%} to {result.money_high:.0%}",
        f"{result.money_random:.0%}",
        f"{result.money_spending:.0%}",
    ]


def main() -> None:
    """Measure and print."""
    try:
        shop = complete_journey()
    except Absent as reason:
        sys.exit(f"error: {reason}")
    results = sorted(
        (result for earlier in ENDS for result in yields(shop, earlier, seed=0)), key=lambda result: result.cutoff
    )
    print_table(
        "at risk: shares of the money that then left, with the 90 % interval",
        COLUMNS,
        [line(result) for result in results],
    )
    print_claims("at_risk", claims(results))


if __name__ == "__main__":
    main()
