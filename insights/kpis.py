"""Key figures of the shop, computed from the scoreboard: one row per customer, all features and probabilities.

Windows such as `spend_gross_28d` are those of the features, so that a figure always agrees with the feature it sums.
An unknown figure (no orders, no survey answers) is NaN, never 0. To add a figure, add one entry.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from insights.numbers import share
from models.prediction.money_at_stake import AT_STAKE

Columns = Mapping[str, npt.NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Seen:
    """A test whether the log has the events that a figure counts: without any, the figure is unknown, not 0."""

    holds: Callable[[Columns], bool]
    reason: str
    """Why the figure is unknown when the test fails."""


TARGETS = ("conversion_7d", "churn_28d")
"""The targets whose probabilities the figures use."""


def _known(values: npt.NDArray[Any]) -> bool:
    return bool((~np.isnan(values)).any())


def _any(reason: str, *names: str) -> Seen:
    """A test whether any of these columns is above 0 for any customer."""
    return Seen(lambda columns: any(bool((columns[name] > 0).any()) for name in names), reason)


_ordered = _any("the log has no order", "purchases_ever")
_priced = _any("the log has no order with an amount", "spend_gross_ever")
_predicted = Seen(lambda columns: _known(columns["churn_28d"]), "no customer has a churn probability")


@dataclass(frozen=True, slots=True)
class Kpi:
    """A key figure and its definition, `doc`. A `unit` of "share" means 0 to 1; other units name the things counted.

    Where a test of `seen` fails, the figure is NaN, never 0.
    """

    name: str
    title: str
    unit: str
    doc: str
    measure: Callable[[Columns], float]
    seen: tuple[Seen, ...] = ()

    def value(self, columns: Columns) -> float:
        """The figure over all customers; NaN where it is unknown."""
        return self.measure(columns) if all(requirement.holds(columns) for requirement in self.seen) else math.nan

    def missing(self, columns: Columns) -> str:
        """Why the figure is unknown: the reason of the first test that fails."""
        unseen = (requirement.reason for requirement in self.seen if not requirement.holds(columns))
        return next(unseen, "no customer has the data for it yet")


def total(columns: Columns, name: str) -> float:
    """The sum of the known values of a column."""
    return float(np.nansum(columns[name], dtype=np.float64))


def number(condition: npt.NDArray[Any]) -> float:
    """The number of customers for whom a condition holds."""
    return float(np.count_nonzero(condition))


def mean(values: npt.NDArray[Any]) -> float:
    """The mean of the known values; NaN when there are none."""
    known = values[~np.isnan(values)]
    return share(float(known.sum(dtype=np.float64)), len(known))


def known_share(values: npt.NDArray[Any], condition: npt.NDArray[Any]) -> float:
    """Share of the known values for which a condition holds."""
    return share(number(condition), number(~np.isnan(values)))


def weighted_mean(values: npt.NDArray[Any], weights: npt.NDArray[Any]) -> float:
    """Mean of the known values, each counted `weights` times."""
    known = ~(np.isnan(values) | np.isnan(weights))
    weight = weights[known].astype(np.float64)
    return share(float((values[known] * weight).sum()), float(weight.sum()))


def net_promoter_score(columns: Columns) -> float:
    """Percentage of promoters (9 and 10) less percentage of detractors (0 to 6), by Reichheld (2003)."""
    answers = columns["nps_latest"]
    return 100 * (known_share(answers, answers >= 9) - known_share(answers, answers <= 6))


def money_at_stake(columns: Columns) -> float:
    """The expected loss from customers who leave; NaN when no customer has a churn probability."""
    stakes = np.asarray(AT_STAKE.evaluate(columns), np.float64)
    return float(np.nansum(stakes)) if (~np.isnan(stakes)).any() else math.nan


def abandoned_cart_share(columns: Columns) -> float:
    """Customers whose cart has lain untouched for 4 hours or more, among those with something in the cart."""
    filled = columns["cart_items"] > 0
    return share(number(filled & (columns["cart_age_hours"] >= 4)), number(filled))


KPIS: dict[str, Kpi] = {
    kpi.name: kpi
    for kpi in (
        Kpi(
            "customers",
            "Customers",
            "customers",
            "Customers with at least one event.",
            lambda columns: float(len(columns["stage"])),
        ),
        Kpi(
            "active_customers_28d",
            "Active customers",
            "customers",
            "Customers whose latest visit or order (`days_since_last`) is within 28 days.",
            lambda columns: number(columns["days_since_last"] <= 28),
        ),
        Kpi(
            "buyers_28d",
            "Buyers",
            "customers",
            "Customers with an order within 28 days.",
            lambda columns: number(columns["purchases_28d"] >= 1),
            (_ordered,),
        ),
        Kpi(
            "orders_28d",
            "Orders",
            "orders",
            "Sum of `purchases_28d`.",
            lambda columns: total(columns, "purchases_28d"),
            (_ordered,),
        ),
        Kpi(
            "revenue_gross_28d",
            "Revenue in 28 days, gross",
            "currency",
            "Sum of `spend_gross_28d`: order totals, refunds and cancellations not subtracted.",
            lambda columns: total(columns, "spend_gross_28d"),
            (_priced,),
        ),
        Kpi(
            "revenue_net_90d",
            "Revenue in 90 days, net",
            "currency",
            "Sum of `spend_net_90d`: order totals less refunds and cancellations.",
            lambda columns: total(columns, "spend_net_90d"),
            (_priced,),
        ),
        Kpi(
            "average_order_value_28d",
            "Average order value, gross",
            "currency",
            "Sum of `spend_gross_28d` / sum of `purchases_28d`.",
            lambda columns: share(total(columns, "spend_gross_28d"), total(columns, "purchases_28d")),
            (_priced,),
        ),
        Kpi(
            "repeat_purchase_rate",
            "Repeat purchase rate",
            "share",
            "Customers with 2 or more orders ever / customers with at least one.",
            lambda columns: share(number(columns["purchases_ever"] >= 2), number(columns["purchases_ever"] >= 1)),
        ),
        Kpi(
            "purchase_frequency_90d",
            "Purchase frequency",
            "orders",
            "Sum of `purchases_90d` / customers with an order within 90 days.",
            lambda columns: share(total(columns, "purchases_90d"), number(columns["purchases_90d"] >= 1)),
        ),
        Kpi(
            "lapsing_share",
            "Lapsing",
            "share",
            "Customers silent for longer than their own rhythm suggests / all customers.",
            lambda columns: share(number(columns["lapsing"] > 0), len(columns["lapsing"])),
        ),
        Kpi(
            "money_at_stake_28d",
            "Money at stake",
            "currency",
            "Sum of `churn_28d` x `spend_net_90d` x 28 / 90: the expected loss from customers who leave.",
            money_at_stake,
            (_priced, _predicted),
        ),
        Kpi(
            "conversion_7d_mean",
            "Expected to buy within 7 days",
            "share",
            "Mean of `conversion_7d` over the customers in its scope.",
            lambda columns: mean(columns["conversion_7d"]),
        ),
        Kpi(
            "churn_28d_mean",
            "Expected to buy nothing in 28 days",
            "share",
            "Mean of `churn_28d` over the customers in its scope (those with an order within 56 days).",
            lambda columns: mean(columns["churn_28d"]),
            (_predicted,),
        ),
        Kpi(
            "cart_abandonment_now",
            "Carts abandoned now",
            "share",
            "Customers whose cart has lain untouched for 4 hours or more / customers with something in the cart.",
            abandoned_cart_share,
        ),
        Kpi(
            "cart_value_open",
            "Value in open carts",
            "currency",
            "Sum of `cart_value` over customers with something in the cart.",
            lambda columns: float(
                np.nansum(columns["cart_value"][columns["cart_items"] > 0], dtype=np.float64),
            ),
            (_any("no cart has a product with a price", "cart_value"),),
        ),
        Kpi(
            "coupons_per_order",
            "Coupons per order",
            "coupons",
            "Sum of `coupons_ever` / sum of `purchases_ever`.",
            lambda columns: share(total(columns, "coupons_ever"), total(columns, "purchases_ever")),
            (_any("the log has no coupon", "coupons_ever"),),
        ),
        Kpi(
            "discount_share",
            "Given away in discounts",
            "share",
            "Mean of `discount_share` over customers, weighted by `spend_gross_ever`: coupon amounts / order totals.",
            lambda columns: weighted_mean(columns["discount_share"], columns["spend_gross_ever"]),
            (_any("the log has no coupon", "coupons_ever"),),
        ),
        Kpi(
            "refund_share",
            "Refunded or cancelled",
            "share",
            "1 - sum of `spend_net_ever` / sum of `spend_gross_ever`: refunds and cancellations / order totals.",
            lambda columns: 1 - share(total(columns, "spend_net_ever"), total(columns, "spend_gross_ever")),
            (_any("the log has no refund or cancellation", "refunds_ever", "cancels_ever"),),
        ),
        Kpi(
            "net_promoter_score",
            "Net promoter score",
            "points",
            "100 x (share of latest NPS answers of 9 or 10, less share of 0 to 6); from -100 to 100.",
            net_promoter_score,
            (Seen(lambda columns: _known(columns["nps_latest"]), "the log has no answer to an NPS survey"),),
        ),
        Kpi(
            "customer_satisfaction",
            "Customer satisfaction",
            "share",
            "Latest CSAT answers of 4 or 5 / all latest CSAT answers (top-two-box).",
            lambda columns: known_share(columns["csat_latest"], columns["csat_latest"] >= 4),
            (Seen(lambda columns: _known(columns["csat_latest"]), "the log has no answer to a satisfaction survey"),),
        ),
        Kpi(
            "message_open_rate",
            "Messages opened",
            "share",
            "Mean of `message_open_rate` over the customers who were sent messages.",
            lambda columns: mean(columns["message_open_rate"]),
            (_any("the log has no opened message", "message_open_rate"),),
        ),
        Kpi(
            "message_click_rate",
            "Messages clicked",
            "share",
            "Mean of `message_click_rate` over the customers who were sent messages.",
            lambda columns: mean(columns["message_click_rate"]),
            (_any("the log has no clicked message", "message_click_rate"),),
        ),
    )
}
"""Every key figure by name, in the order of reading."""


def markdown() -> str:
    """The catalogue as a page: `docs/kpis.md`."""
    lines = [
        "# Key figures",
        "",
        "<!-- Generated: python -m insights.kpis > docs/kpis.md -->",
        "",
        "Computed over all customers of the scoreboard, from the [features](features.md) and the probabilities of the",
        "targets. A figure whose events the log does not have (no order with an amount, no opened message) is unknown,",
        "never 0, and says why.",
        "",
        "| figure | unit | definition |",
        "| --- | --- | --- |",
    ]
    lines += [f"| `{kpi.name}` ({kpi.title}) | {kpi.unit} | {kpi.doc} |" for kpi in KPIS.values()]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    print(markdown(), end="")
