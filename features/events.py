"""What an event is: the one vocabulary of kinds, channels and stages, and the two forms of an event.

An `Event` is one row as people and sources write it; an `EVENT` record is the same row as the fold
reads it, with names interned to integer codes. Times are int64 microseconds since the epoch, UTC.
The numbers of the members below are stored in logs: give a new member a new number, never reuse one.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from enum import IntEnum
from typing import Any

import numpy as np

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 60 * MINUTE
DAY = 24 * HOUR


def days(number: float) -> int:
    """A duration of `number` days, in microseconds."""
    return round(number * DAY)


def hours(number: float) -> int:
    """A duration of `number` hours, in microseconds."""
    return round(number * HOUR)


def minutes(number: float) -> int:
    """A duration of `number` minutes, in microseconds."""
    return round(number * MINUTE)


class Stage(IntEnum):
    """Where a customer stands on the journey; exactly one at any moment."""

    AWARENESS = 0
    CONSIDERATION = 1
    PURCHASE = 2
    RETENTION = 3
    ADVOCACY = 4


class Channel(IntEnum):
    """Where a touchpoint took place, or which channel brought the customer."""

    UNKNOWN = 0
    WEB = 1
    APP = 2
    STORE = 3
    ONSITE = 4
    EMAIL = 5
    SMS = 6
    PUSH = 7
    DIRECT_MAIL = 8
    DIRECT = 9
    ORGANIC_SEARCH = 10
    PAID_SEARCH = 11
    ORGANIC_SOCIAL = 12
    PAID_SOCIAL = 13
    DISPLAY = 14
    AFFILIATE = 15
    REFERRAL = 16
    MARKETPLACE = 17
    CALL_CENTRE = 18
    CHAT = 19


OUTBOUND = (Channel.EMAIL, Channel.SMS, Channel.PUSH, Channel.DIRECT_MAIL, Channel.CALL_CENTRE)
"""Channels on which the shop reaches out to a customer, as opposed to answering a visit."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which events an aggregate selects, and which column of them it takes.

    `kinds` is never empty; `channels` empty means every channel; `column` empty means the event itself;
    `label` names a long list of kinds.
    """

    kinds: tuple[Kind, ...]
    channels: tuple[Channel, ...] = ()
    column: str = ""
    label: str = ""

    @property
    def amount(self) -> Selection:
        """Money of the event, in the shop's currency."""
        return replace(self, column="amount")

    @property
    def quantity(self) -> Selection:
        """Number of pieces."""
        return replace(self, column="quantity")

    @property
    def score(self) -> Selection:
        """Answer to a survey question, or a star rating."""
        return replace(self, column="score")

    @property
    def item(self) -> Selection:
        """Code of the product."""
        return replace(self, column="item")

    @property
    def category(self) -> Selection:
        """Code of the product's category, or of the action that a decision chose."""
        return replace(self, column="category")

    @property
    def channel(self) -> Selection:
        """Channel of the touchpoint."""
        return replace(self, column="channel")

    def on(self, *channels: Channel) -> Selection:
        """The same events, only those on one of `channels`."""
        return replace(self, channels=tuple(sorted(channels)))

    def __str__(self) -> str:
        kinds = self.label or " or ".join(kind.name for kind in self.kinds)
        where = f" on {' or '.join(channel.name for channel in self.channels)}" if self.channels else ""
        return f"{self.column} of {kinds}{where}" if self.column else f"{kinds}{where}"


class Kind(IntEnum):
    """What happened. Each kind belongs to a stage of the journey or serves all (see `STAGE_OF`)."""

    # awareness
    PAGE_VIEW = 1
    SESSION_START = 2
    AD_CLICK = 3
    PROMOTION_VIEW = 4
    PROMOTION_CLICK = 5
    SIGN_UP = 6
    LOGIN = 7
    LEAD = 8
    SUBSCRIBE = 9
    # consideration
    SEARCH = 10
    LIST_VIEW = 11
    LIST_FILTER = 12
    ITEM_CLICK = 13
    ITEM_VIEW = 14
    WISHLIST_ADD = 15
    WISHLIST_REMOVE = 16
    # purchase
    CART_ADD = 20
    CART_REMOVE = 21
    CART_VIEW = 22
    CHECKOUT_START = 23
    CHECKOUT_STEP = 24
    PAYMENT_INFO = 25
    COUPON_APPLY = 26
    COUPON_DENY = 27
    COUPON_REMOVE = 28
    PURCHASE = 29
    PURCHASED_ITEM = 30
    # retention: the life of an order, and messages
    ORDER_UPDATE = 31
    ORDER_CANCEL = 32
    ORDER_SHIP = 33
    ORDER_DELIVER = 34
    REFUND = 35
    MESSAGE_DELIVER = 40
    MESSAGE_OPEN = 41
    MESSAGE_CLICK = 42
    MESSAGE_BOUNCE = 43
    MESSAGE_SPAM = 44
    UNSUBSCRIBE = 45
    # advocacy
    REVIEW = 50
    SHARE = 51
    REFER = 52
    # what the customer told us, what went wrong
    SURVEY_NPS = 60
    SURVEY_CSAT = 61
    SURVEY_EFFORT = 62
    SUPPORT_OPEN = 65
    SUPPORT_RESOLVE = 66
    ERROR = 70
    OUT_OF_STOCK = 71
    PAYMENT_FAIL = 72
    # decisions of Waypost, and their rewards
    EXPERIMENT_VIEW = 80
    DECISION = 81
    REWARD = 82
    # who it is, and anything the shop names itself
    IDENTIFY = 90
    CONSENT_WITHDRAW = 92
    CONSENT_GRANT = 93
    OTHER = 99

    @property
    def selection(self) -> Selection:
        """The events of this kind."""
        return Selection((self,))

    @property
    def amount(self) -> Selection:
        """Money of events of this kind, in the shop's currency."""
        return self.selection.amount

    @property
    def quantity(self) -> Selection:
        """Number of pieces of events of this kind."""
        return self.selection.quantity

    @property
    def score(self) -> Selection:
        """Survey answer or star rating of events of this kind."""
        return self.selection.score

    @property
    def item(self) -> Selection:
        """Product code of events of this kind."""
        return self.selection.item

    @property
    def category(self) -> Selection:
        """Category code (or action code, for a decision) of events of this kind."""
        return self.selection.category

    @property
    def channel(self) -> Selection:
        """Channel of events of this kind."""
        return self.selection.channel

    def on(self, *channels: Channel) -> Selection:
        """The events of this kind on one of `channels`."""
        return self.selection.on(*channels)


# Every kind by its bare name, for declarations that read like sentences: `since(PURCHASE)`.
(
    PAGE_VIEW, SESSION_START, AD_CLICK, PROMOTION_VIEW, PROMOTION_CLICK, SIGN_UP, LOGIN, LEAD, SUBSCRIBE, SEARCH,
    LIST_VIEW, LIST_FILTER, ITEM_CLICK, ITEM_VIEW, WISHLIST_ADD, WISHLIST_REMOVE, CART_ADD, CART_REMOVE, CART_VIEW,
    CHECKOUT_START, CHECKOUT_STEP, PAYMENT_INFO, COUPON_APPLY, COUPON_DENY, COUPON_REMOVE, PURCHASE, PURCHASED_ITEM,
    ORDER_UPDATE, ORDER_CANCEL, ORDER_SHIP, ORDER_DELIVER, REFUND, MESSAGE_DELIVER, MESSAGE_OPEN, MESSAGE_CLICK,
    MESSAGE_BOUNCE, MESSAGE_SPAM, UNSUBSCRIBE, REVIEW, SHARE, REFER, SURVEY_NPS, SURVEY_CSAT, SURVEY_EFFORT,
    SUPPORT_OPEN, SUPPORT_RESOLVE, ERROR, OUT_OF_STOCK, PAYMENT_FAIL, EXPERIMENT_VIEW, DECISION, REWARD, IDENTIFY,
    CONSENT_WITHDRAW, CONSENT_GRANT, OTHER,
) = Kind  # fmt: skip


def any_of(*selections: Kind | Selection) -> Selection:
    """The events of any of these kinds."""
    kinds: set[Kind] = set()
    for selection in selections:
        kinds.update(selection.selection.kinds if isinstance(selection, Kind) else selection.kinds)
    return Selection(tuple(sorted(kinds)))


ANY = Selection(tuple(Kind), label="any event")
"""Every event."""

TOUCHPOINTS = Selection(tuple(kind for kind in Kind if kind not in (DECISION, REWARD)), label="touchpoint")
"""Every event about the customer; decisions and rewards are about the shop."""

VISITS = Selection(
    tuple(
        kind
        for kind in Kind
        if (kind < PURCHASED_ITEM and kind != COUPON_DENY)
        or kind in (MESSAGE_CLICK, REVIEW, SHARE, REFER, ERROR, PAYMENT_FAIL)
    ),
    label="visit",
)
"""What a customer does in the shop, on its pages or in its stores, each act once (an order is one act)."""

SCALES = {
    Kind.SURVEY_NPS: (0.0, 10.0),
    Kind.SURVEY_CSAT: (1.0, 5.0),
    Kind.SURVEY_EFFORT: (1.0, 7.0),
    Kind.REVIEW: (1.0, 5.0),
}
"""Lowest and highest `score` each kind can carry."""


def stage_of(kind: Kind) -> Stage | None:
    """The stage that a kind of event belongs to; None for kinds that belong to every stage."""
    if kind < 10:
        return Stage.AWARENESS
    if kind < 20:
        return Stage.CONSIDERATION
    if kind < 31:
        return Stage.PURCHASE
    if kind < 50:
        return Stage.RETENTION
    if kind < 60:
        return Stage.ADVOCACY
    return None


@dataclass(slots=True)  # a frozen one takes four times as long to make, and every event of a request is made
class Event:
    """One thing that happened to one customer.

    `at` is when it happened, `received` when it arrived (`at <= received` always). `amount` is money:
    the order's total for PURCHASE, price x quantity for PURCHASED_ITEM and CART_ADD. Absent numbers are NaN,
    absent names None. An order is one PURCHASE and one PURCHASED_ITEM per product line.
    """

    message_id: str
    customer: str
    kind: Kind
    at: int
    received: int
    channel: Channel = Channel.UNKNOWN
    item: str | None = None
    category: str | None = None
    quantity: float = math.nan
    amount: float = math.nan
    order_id: str | None = None
    score: float = math.nan
    properties: Mapping[str, Any] = field(default_factory=dict)


NO_CODE = -1
"""Code of an absent item or category."""

EVENT = np.dtype(
    [
        ("at", "<i8"),
        ("received", "<i8"),
        ("amount", "<f8"),
        ("customer", "<i4"),
        ("item", "<i4"),
        ("category", "<i4"),
        ("quantity", "<f4"),
        ("score", "<f4"),
        ("kind", "u1"),
        ("channel", "u1"),
        ("_reserved", "<u2"),
    ]
)
"""One event as the fold reads it: 48 bytes. Codes are int32, `NO_CODE` when absent; absent numbers are NaN."""
