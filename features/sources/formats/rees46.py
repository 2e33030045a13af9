"""REES46's multi-category shop: views, cart additions and purchases with prices and brands."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from math import nan
from typing import Any

from features.events import Channel, Event, Kind
from features.sources.contract import SAMPLES, BadRecord, Column, Identity, Source, Unread, required
from features.sources.fields import fields
from features.sources.fields.message_ids import of_values
from features.sources.fields.orders import purchased
from features.sources.fields.times import instant
from features.sources.readers.readers import read

COLUMNS = (
    Column("event_time", "when, `2019-10-01 00:00:00 UTC`", required=True),
    Column("event_type", "`view`, `cart`, `remove_from_cart` or `purchase`", required=True),
    Column("product_id", "the product", required=True),
    Column("category_id", "its category's number, where it has no code"),
    Column("category_code", "its category, such as `electronics.smartphone`"),
    Column("brand", "kept in the properties"),
    Column("price", "of one piece", required=True),
    Column("user_id", "the customer", required=True),
    Column("user_session", "kept in the properties"),
)

PROPERTIES = ("brand", "user_session")
"""The columns that are kept in the properties."""

KINDS = {
    "view": Kind.ITEM_VIEW,
    "cart": Kind.CART_ADD,
    "remove_from_cart": Kind.CART_REMOVE,
    "purchase": Kind.PURCHASE,
}
"""What an event is, by its type."""


def parse(
    values: Mapping[str, Any],
    received: int,
    identity: Identity | None = None,
    history: bool = False,
    unread: Unread | None = None,
) -> list[Event]:
    """One event; for a purchase, the order and its line. Raises BadRecord naming the column at fault."""
    get = values.get
    customer = fields.customer(get("user_id"), "user_id")
    kind = fields.choice(KINDS, get("event_type"), "event_type")
    at = instant(get("event_time"), "event_time")
    item = fields.name(get("product_id"), "product_id")
    if item is None:
        raise BadRecord("product_id", "missing: every row names a product")
    category = fields.name(get("category_code"), "category_code") or fields.name(get("category_id"), "category_id")
    price = fields.number(get("price"), "price")
    extra = {key: get(key) for key in PROPERTIES if get(key)}
    message_id = identity() if identity else of_values("rees46", values, received)
    head = (message_id, customer, kind, at, received, history, Channel.WEB)
    one = nan if kind is Kind.ITEM_VIEW else 1.0
    try:
        if kind is not Kind.PURCHASE:
            return [fields.admit(*head, item, category, one, price, properties=extra)]
        order = fields.admit(*head, None, None, one, price, message_id, properties=extra)
        return purchased(order, [(item, category, one, price)])
    except BadRecord as bad:
        raise bad.named({"customer": "user_id", "at": "event_time"}) from None


SOURCE = Source(
    name="rees46",
    doc="""The open "eCommerce behavior data from multi category store" of REES46, CSV or Parquet. Each purchase row is
one order of one product: the release has no order number. Time without a zone is UTC.""",
    columns=COLUMNS,
    customer=("user_id",),
    read=partial(read, required=required(COLUMNS)),
    parse=parse,
    sample=SAMPLES / "rees46.csv",
)
