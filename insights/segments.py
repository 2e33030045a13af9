"""Saved segments: named groups of customers for marketing, each defined by a rule in the grammar.

The customers for whom the rule holds are the segment's candidates, in its order. Its members are the first of them, as
many as its size says: all, or a share such as the fifth with the most money at stake.

A comparison with NaN is false, so a customer with an unknown value (no purchase yet, no survey answer, out of a
target's scope) is not in a segment that compares it. To add a segment, add one entry.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from features.events import Stage
from features.grammar import Column, Expr
from features.journey import Journey
from models.prediction.money_at_stake import ACTIVE, AT_STAKE, SIZE

BUYS = Column("conversion_7d")


@dataclass(frozen=True, eq=False, slots=True)
class Segment:
    """A group of customers: those for whom `rule` holds, the highest `order_by` first, as far as `size` goes.

    `name` is its name in the API, `title` that on a page. `doc` says in one sentence who is in it, and `ordering` who
    comes first. A `size` up to 1 is a share of the customers for whom the rule holds.
    """

    name: str
    title: str
    doc: str
    rule: Expr
    order_by: Expr
    ordering: str
    size: float = 1.0

    def count(self, candidates: int, size: float | None = None) -> int:
        """The number of members among so many candidates; a `size` above 1 is a number of customers.

        ValueError for a size that is neither a share nor a whole number.
        """
        asked = self.size if size is None else size
        if not asked > 0 or (asked > 1 and asked != round(asked)):
            raise ValueError(
                f"{asked:g} is no size; expected a share such as 0.2, or a number of customers such as 500"
            )
        return min(math.ceil(asked * candidates - 1e-9), candidates) if asked <= 1 else min(round(asked), candidates)

    def columns(self) -> frozenset[str]:
        """Names of the features and targets that membership and order depend on."""
        return self.rule.columns() | self.order_by.columns()

    @property
    def targets(self) -> frozenset[str]:
        """Names of the targets among its columns."""
        return self.columns() - Journey.features.keys()


SEGMENTS: dict[str, Segment] = {
    segment.name: segment
    for segment in (
        Segment(
            name="at-risk",
            title="At risk",
            doc="The fifth of the active customers (an order within 56 days) with the most money at stake: what each "
            "spends in 28 days, times the probability of buying nothing in the next 28.",
            rule=ACTIVE,
            order_by=AT_STAKE,
            ordering="the most money at stake",
            size=SIZE,
        ),
        Segment(
            name="ready-to-buy",
            title="Ready to buy",
            doc="Customers likely to buy within 7 days, or fairly likely and with a live cart or checkout.",
            rule=(BUYS > 0.5) | ((BUYS > 0.2) & (Journey.stage == Stage.PURCHASE)),
            order_by=BUYS,
            ordering="the most likely",
        ),
        Segment(
            name="cart-abandoners",
            title="Cart abandoners",
            doc="Customers whose cart has lain untouched for 4 hours to 14 days.",
            rule=(Journey.cart_items > 0) & (Journey.cart_age_hours >= 4) & (Journey.cart_age_hours < 14 * 24),
            order_by=Journey.cart_value,
            ordering="the most valuable cart",
        ),
        Segment(
            name="new",
            title="New",
            doc="Customers first seen within 30 days who have ordered at most once.",
            rule=(Journey.days_since_first < 30) & (Journey.purchases_ever <= 1),
            order_by=-Journey.days_since_first,
            ordering="the newest",
        ),
        Segment(
            name="loyal",
            title="Loyal",
            doc="Customers with at least 5 orders, at least 2 of them within 90 days, who are not lapsing.",
            rule=(Journey.purchases_ever >= 5) & (Journey.purchases_90d >= 2) & ~(Journey.lapsing > 0),
            order_by=Journey.spend_net_90d,
            ordering="the most spent in 90 days",
        ),
        Segment(
            name="promoters",
            title="Promoters",
            doc="Customers who recommend the shop: a latest NPS answer of 9 or 10, or the advocacy stage.",
            rule=(Journey.nps_latest >= 9) | (Journey.stage == Stage.ADVOCACY),
            order_by=Journey.spend_gross_ever,
            ordering="the most spent ever",
        ),
        Segment(
            name="dormant-high-value",
            title="Dormant, high value",
            doc="Customers who spent at least 200 in all and have bought nothing for more than 56 days.",
            rule=(Journey.spend_gross_ever >= 200) & (Journey.days_since_purchase > 56),
            order_by=Journey.spend_gross_ever,
            ordering="the most spent ever",
        ),
    )
}
"""Every saved segment by name."""


def members(
    segment: Segment, columns: Mapping[str, npt.NDArray[Any]], size: float | None = None
) -> npt.NDArray[np.intp]:
    """Row numbers of the members in `columns`, in the segment's order; `size` replaces the segment's own."""
    rows = candidates(segment, columns)
    return rows[: segment.count(len(rows), size)]


def candidates(segment: Segment, columns: Mapping[str, npt.NDArray[Any]]) -> npt.NDArray[np.intp]:
    """Row numbers in `columns` of the customers for whom the rule holds, in the segment's order.

    `columns` maps names of features and targets to arrays of one value per customer. Customers with equal `order_by`
    keep their order, and those with NaN come last. Raises `UnknownColumn` for a column that is missing.
    """
    rows = np.flatnonzero(segment.rule.evaluate(columns))
    keys = np.asarray(segment.order_by.evaluate(columns), dtype=np.float64)[rows]
    return rows[np.argsort(-keys, kind="stable")]


def markdown() -> str:
    """The catalogue as a page: `docs/segments.md`."""
    lines = [
        "# Segments",
        "",
        "<!-- Generated: python -m insights.segments > docs/segments.md -->",
        "",
        "Groups of customers to pull with `waypost segments pull NAME` or `GET /v1/segments/NAME`. The rules are over",
        "[features](features.md) and [targets](targets.md), by name; a comparison with an unknown value is false.",
        "`--size 0.1` or `?size=500` asks for the first tenth of the customers for whom the rule holds, or for the",
        "first 500 of them.",
        "",
        "The yield of *at-risk* is measured at the newest cutoff of the model's test, on rows it had not seen: the",
        "share of the customers named who then bought nothing for 28 days, and their share of the money that left:",
        "the spending, before refunds, in the 28 days before the cutoff, of all active customers who then bought",
        "nothing. The 90 % intervals are bootstrapped over customers. `waypost segments list` prints the yield.",
        "",
    ]
    for segment in SEGMENTS.values():
        lines += [
            f"## {segment.name}",
            "",
            segment.doc,
            "",
            f"- rule: `{segment.rule}`",
            f"- first: {segment.ordering} (`{segment.order_by}`, descending)",
            *([f"- size: {segment.size:.0%} of these customers"] if segment.size < 1 else []),
            "",
        ]
    return "\n".join(lines)


if __name__ == "__main__":
    print(markdown(), end="")
