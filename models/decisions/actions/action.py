"""What an action is, and the expressions that many actions of the catalogue share.

The value of an action is an estimate of what it adds, in the shop's currency, over doing nothing. It rests on
assumed effects, each stated beside its action as `assumption`; they are priors to start from, until estimates from
the logged decisions and rewards replace them. An effect is a shift of the log-odds of buying (or of leaving).
To first order that changes a probability p by `shift * p * (1 - p)`: where the outcome is nearly certain an action
changes nothing, so hesitating customers are worth the most, and decided ones are left in peace.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from features.events import OUTBOUND, Channel, Stage
from features.grammar import Column, Expr
from features.journey import Journey

BUYS = Column("conversion_7d")
"""Probability that the customer buys within 7 days."""

LEAVES = Column("churn_28d")
"""Probability that an active customer buys nothing in the next 28 days."""

MARGIN = 0.35
"""Assumed share of a sale that the shop keeps, before discounts and shipping."""

TYPICAL_ORDER = 40.0
"""Assumed order value of a customer whose own is not known yet, in the shop's currency."""

ATTENTION = 0.01
"""Cost of a place on the page, which displaces other content."""

MESSAGE = 0.02
"""Cost of one e-mail or push message, the customer's patience included."""

# Dividing by a comparison makes an amount that is not positive unknown: x / 0 is NaN.
BASKET = (Journey.basket_value_mean / (Journey.basket_value_mean > 0)).otherwise(TYPICAL_ORDER)
"""The value of the customer's next order: the mean of the earlier ones, where orders have prices."""

CART = (Journey.cart_value / (Journey.cart_value > 0)).otherwise(BASKET)
"""The value of the open cart; that of a basket, where the products in the cart have no prices."""

MONTH = Journey.spend_net_90d * (28 / 90)
"""What an active customer spends in 28 days."""

CONTACTABLE: tuple[Expr, ...] = (
    ~Journey.unsubscribed,
    Journey.contacts_7d < 3,
    Journey.messages_7d < 7,
)
"""The contact policy: every action on an outbound channel keeps it, or states its `contact_exemption`."""

OFFERABLE: tuple[Expr, ...] = (
    BUYS < 0.6,
    Journey.coupons_28d < 2,
    Journey.support_open < 1,
)
"""Who may get a discount: not customers who will probably buy anyway, who had several coupons lately, or who have an
open complaint."""

VISITING: tuple[Expr, ...] = (Journey.session_age_minutes.known(),)
"""Who is on the site now: a visit is open."""

CONTENT = ("", "items")
"""The content that an action may need: none, or recommended items."""


@dataclass(frozen=True, eq=False, slots=True)
class Action:
    """Something the shop can do for one customer at one moment.

    `value` is the expected gain in currency before `cost`, over features and targets by their names; where it is NaN
    the action is not eligible. All `conditions` must hold, and at least `every` microseconds must have passed since
    this action was last chosen for the customer (0: no limit). Raises ValueError for an invalid definition.
    """

    name: str
    stages: tuple[Stage, ...]
    channel: Channel
    cost: float
    value: Expr
    conditions: tuple[Expr, ...]
    every: int
    doc: str
    assumption: str
    needs_content: str = ""
    contact_exemption: str = ""

    def __post_init__(self) -> None:
        if not self.name.isidentifier():
            raise ValueError(f"action name {self.name!r} is no identifier; write it like win_back")
        if not self.stages:
            raise ValueError(f"action {self.name} serves no stage; list at least one Stage")
        if not math.isfinite(self.cost) or self.cost < 0:
            raise ValueError(f"action {self.name} has cost {self.cost}; expected a finite number from 0")
        if self.every < 0:
            raise ValueError(f"action {self.name} has every={self.every}; expected a duration such as days(7), or 0")
        if self.needs_content not in CONTENT:
            raise ValueError(f"action {self.name} needs content {self.needs_content!r}; expected one of {CONTENT}")
        if self.outbound and not self.contact_exemption and not self._keeps_contact_policy():
            raise ValueError(
                f"action {self.name} reaches out on {self.channel.name} without the contact policy; "
                "add *CONTACTABLE to its conditions, or say why not in contact_exemption"
            )

    @property
    def outbound(self) -> bool:
        """Whether the shop reaches out, rather than answers a visit."""
        return self.channel in OUTBOUND

    @property
    def unconditional(self) -> bool:
        """Whether the action is always possible, so that a policy always has something to choose."""
        return self.stages == tuple(Stage) and not (self.conditions or self.every or self.value.columns())

    def columns(self) -> frozenset[str]:
        """Names of the features and targets that this action reads, besides the stage."""
        return self.value.columns().union(*(condition.columns() for condition in self.conditions))

    @property
    def targets(self) -> frozenset[str]:
        """Names of the targets among its columns. A target is NaN where the customer is out of its scope."""
        return self.columns() - Journey.features.keys()

    def _keeps_contact_policy(self) -> bool:
        kept = set(map(id, self.conditions))
        return all(id(condition) in kept for condition in CONTACTABLE)


def shifted(probability: Expr, log_odds: float) -> Expr:
    """The change of a probability, to first order, when its log-odds change by `log_odds`."""
    return log_odds * probability * (1 - probability)


def sale(log_odds: float, order: Expr) -> Expr:
    """Expected margin of the additional orders when the log-odds of buying change by `log_odds`."""
    return MARGIN * shifted(BUYS, log_odds) * order


def kept(log_odds: float) -> Expr:
    """Expected margin that is kept within a month when the log-odds of leaving fall by `log_odds`."""
    return MARGIN * shifted(LEAVES, log_odds) * MONTH


def reduced(log_odds: float, order: Expr, reduction: Expr | float) -> Expr:
    """A `sale` that costs `reduction` per order, on the additional orders and on those that would come anyway."""
    return sale(log_odds, order) - reduction * (BUYS + shifted(BUYS, log_odds))
