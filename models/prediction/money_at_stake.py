"""Money at stake: the loss to expect from each customer who may leave, and how well it was predicted.

*Money that left*, at a cutoff: the spending before refunds, in the 28 days before the cutoff, of those active
customers who bought nothing in the 28 days after it. The stake is computed differently, from the last 90 days net of
refunds, so that a list by stakes is not judged by its own figures.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields

from features.grammar import Column, Expr
from features.journey import Journey
from features.times import moment

TARGET = "churn_28d"
LEAVES = Column(TARGET)
MONTH = Journey.spend_net_90d * (28 / 90)
"""A customer's spending in 28 days, from the last 90 days, net of refunds and cancellations, in the shop's currency."""
AT_STAKE = LEAVES * MONTH
"""The money that can be expected to leave with a customer in the next 28 days."""
ACTIVE: Expr = (LEAVES >= 0) & (MONTH > 0) & (Journey.days_since_purchase <= 56)
"""The condition for a customer to have money at stake."""
SPENT_BEFORE = Journey.spend_gross_28d
"""A customer's spending in the 28 days before a cutoff: the money that leaves with the customer."""
SIZE = 0.2
"""The share of the customers with money at stake that a list of the customers at risk names."""

PREFIX = "stake_"


@dataclass(frozen=True, slots=True)
class Yield:
    """The yield of a list by stakes as of `cutoff` (microseconds UTC), on rows that the model had not seen.

    Of `customers` with money at stake it `named` some. The share `left` of these bought nothing in the 28 days after,
    and they held the share `money` of all the money that left; both with 90 % intervals from a bootstrap over
    customers. As many customers at random hold the share `money_random` on average, those who spent most the share
    `money_spending`.
    """

    cutoff: float
    customers: float
    named: float
    left: float
    left_low: float
    left_high: float
    money: float
    money_low: float
    money_high: float
    money_random: float
    money_spending: float

    def to_metrics(self) -> dict[str, float]:
        """The figures as metrics of the target's card."""
        return {f"{PREFIX}{name}": float(value) for name, value in asdict(self).items()}

    @classmethod
    def of_metrics(cls, metrics: Mapping[str, float]) -> Yield | None:
        """The figures of a card; None when it has none."""
        names = [field.name for field in fields(cls)]
        if not all(f"{PREFIX}{name}" in metrics for name in names):
            return None
        return cls(**{name: metrics[f"{PREFIX}{name}"] for name in names})

    @property
    def words(self) -> str:
        """The figures as a sentence."""
        day = moment(self.cutoff).date().isoformat()
        return (
            f"Of the {self.named:,.0f} customers that this list would have named on {day}, of {self.customers:,.0f}, "
            f"{self.left:.0%} left [{self.left_low:.0%} to {self.left_high:.0%}], holding {self.money:.0%} "
            f"[{self.money_low:.0%} to {self.money_high:.0%}] of the money that then left. As many at random would "
            f"have held {self.money_random:.0%}, those who spent most {self.money_spending:.0%}."
        )
