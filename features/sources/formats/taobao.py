"""Taobao's user behaviour: five columns, four kinds of behaviour, seconds since the epoch."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from features.events import Channel, Event, Kind
from features.sources.contract import SAMPLES, BadRecord, Column, Identity, Source, Unread, required
from features.sources.fields import fields
from features.sources.fields.message_ids import content_id, of_values
from features.sources.fields.times import instant
from features.sources.readers.readers import read

COLUMNS = (
    Column("user_id", "the customer", required=True),
    Column("item_id", "the product", required=True),
    Column("category_id", "its category", required=True),
    Column(
        "behavior_type",
        "`pv` a product page, `fav` a favourite, `cart` a cart addition, `buy` a purchase",
        required=True,
    ),
    Column("timestamp", "seconds since 1970", required=True),
    Column("in_window", "where present and false, the row is left out: it lies outside the nine days of the release"),
)

KINDS = {"pv": Kind.ITEM_VIEW, "fav": Kind.WISHLIST_ADD, "cart": Kind.CART_ADD, "buy": Kind.PURCHASE}
"""What an event is, by the behaviour."""

OUTSIDE = (False, "False", "false", "0")
"""The values of `in_window` with which a row is left out."""


def parse(
    values: Mapping[str, Any],
    received: int,
    identity: Identity | None = None,
    history: bool = False,
    unread: Unread | None = None,
) -> list[Event]:
    """One event; for `buy`, the order and its line. Raises BadRecord naming the column at fault."""
    if values.get("in_window") in OUTSIDE:
        return []
    customer = fields.customer(values.get("user_id"), "user_id")
    kind = fields.choice(KINDS, values.get("behavior_type"), "behavior_type")
    at = instant(values.get("timestamp"), "timestamp", "s")
    item = fields.name(values.get("item_id"), "item_id")
    if item is None:
        raise BadRecord("item_id", "missing: every row names a product")
    category = fields.name(values.get("category_id"), "category_id")
    message_id = identity() if identity else of_values("taobao", values, received)
    try:
        if kind is Kind.PURCHASE:
            order = order_number(f"{customer}", at)
            line = (message_id, customer, Kind.PURCHASED_ITEM, at, received, history, Channel.UNKNOWN)
            return [
                fields.admit(order, customer, kind, at, received, history, Channel.UNKNOWN, order_id=order),
                fields.admit(*line, item, category, 1.0, order_id=order),
            ]
        pieces = 1.0 if kind is Kind.CART_ADD else float("nan")
        return [
            fields.admit(message_id, customer, kind, at, received, history, Channel.UNKNOWN, item, category, pieces)
        ]
    except BadRecord as bad:
        raise bad.named({"customer": "user_id", "at": "timestamp"}) from None


def order_number(customer: str, at: int) -> str:
    """The number of what a customer buys in one second; it is the message id of the order, too."""
    return content_id("taobao-order", customer, f"{at}")


SOURCE = Source(
    name="taobao",
    doc="""The `UserBehavior` release of Taobao (Alibaba), CSV with or without its header line, or Parquet. No prices,
so orders have no amount. What one customer buys in one second is one order: its first row makes the `PURCHASE`, each
row a `PURCHASED_ITEM`; the `PURCHASE` of a further row is reported as a duplicate.""",
    columns=COLUMNS,
    customer=("user_id",),
    read=partial(read, required=required(COLUMNS), header=required(COLUMNS)),
    parse=parse,
    sample=SAMPLES / "taobao.csv",
)
