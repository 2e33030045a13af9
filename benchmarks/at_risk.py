"""What the segment "at risk" would have found in the Complete Journey, at its default size.

    python -m benchmarks.at_risk

At the cutoffs of the tests of `churn_28d` that end with the log, and 30 and 60 days earlier, the model that was made of
what was known by then names the customers with most money at stake (`models.prediction.money_at_stake`). Printed is how
many of them left, and how much of the money that then left they held, beside as many drawn at random and those who
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
"""Days before the end of the log at which the tests end."""

COLUMNS = ("cutoff", "named", "of", "left", "money", "its interval", "random", "spending")


def yields(shop: Shop, earlier: int, seed: int) -> list[Yield]:
    """The yield at each cutoff of the test that ends so many days before the log, oldest first."""
    rows = gathered(TARGETS[TARGET], JOURNEY, shop.past, shop.start, shop.end - days(earlier), seed=seed)
    judged = select_tier(rows, seed).judged if rows.split is not None else None
    if judged is None:
        return []
    data = rows.dataset
    said = judged.score_many(data.test.features)
    found = (stake_yield(data.names, data.test, said, cutoff) for cutoff in np.unique(data.test.cutoff).tolist())
    return [each for each in found if each is not None]


def claims(found: list[Yield]) -> dict[str, float]:
    """The least and the mean share of the money that left, and the mean of the simpler lists."""
    return {
        "at_risk_cutoffs": float(len(found)),
        "at_risk_money_least": min(each.money for each in found),
        "at_risk_money_least_low": min(each.money_low for each in found),
        "at_risk_money": float(np.mean([each.money for each in found])),
        "at_random_money": float(np.mean([each.money_random for each in found])),
        "by_spending_money": float(np.mean([each.money_spending for each in found])),
        "at_risk_left": float(np.mean([each.left for each in found])),
    }


def line(found: Yield) -> list[str]:
    """The figures of one cutoff, as a table shows them."""
    return [
        moment(found.cutoff).date().isoformat(),
        f"{found.named:,.0f}",
        f"{found.customers:,.0f}",
        f"{found.left:.0%}",
        f"{found.money:.0%}",
        f"{found.money_low:.0%} to {found.money_high:.0%}",
        f"{found.money_random:.0%}",
        f"{found.money_spending:.0%}",
    ]


def main() -> None:
    """Measure and print."""
    try:
        shop = complete_journey()
    except Absent as reason:
        sys.exit(f"error: {reason}")
    found = sorted((each for earlier in ENDS for each in yields(shop, earlier, seed=0)), key=lambda each: each.cutoff)
    print_table(
        "at risk: shares of the money that then left, with the 90 % interval", COLUMNS, [line(each) for each in found]
    )
    print_claims("at_risk", claims(found))


if __name__ == "__main__":
    main()
