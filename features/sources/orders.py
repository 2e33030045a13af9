"""Orders and their lines; money and products as Segment's e-commerce properties write them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import fsum, isnan, nan
from typing import Any

from features.events import (
    CART_ADD,
    CART_REMOVE,
    CHECKOUT_START,
    COUPON_APPLY,
    COUPON_DENY,
    COUPON_REMOVE,
    ORDER_CANCEL,
    ORDER_UPDATE,
    PURCHASE,
    PURCHASED_ITEM,
    REFUND,
    Event,
    Kind,
)  # fmt: skip
from features.sources import door
from features.sources.contract import BadRecord, shown

Line = tuple[str | None, str | None, float, float]
"""Item, category, pieces and money (price x pieces) of one product."""

_COUNTED = frozenset((CART_ADD, CART_REMOVE))
_COUPONS = frozenset((COUPON_APPLY, COUPON_REMOVE, COUPON_DENY))
_TOTALS = frozenset((PURCHASE, REFUND, ORDER_UPDATE, ORDER_CANCEL, CHECKOUT_START))


def single(kind: Kind, properties: Mapping[str, Any], field: str = "properties") -> Line:
    """The product that the properties of an event speak of. A cart change without a quantity moves one piece."""
    get = properties.get
    item = category = None
    pieces = price = nan
    # Asked for in this way, what is absent costs nothing: most events have few of these.
    if (value := get("product_id")) is not None:
        item = door.name(value, f"{field}.product_id")
    if item is None and (value := get("sku")) is not None:
        item = door.name(value, f"{field}.sku")
    if (value := get("category")) is not None:
        category = door.name(value, f"{field}.category")
    if (value := get("quantity")) is not None:
        pieces = door.number(value, f"{field}.quantity")
    if (value := get("price")) is not None:
        price = door.number(value, f"{field}.price")
    if isnan(pieces) and kind in _COUNTED:
        pieces = 1.0
    return item, category, pieces, price * (1.0 if isnan(pieces) else pieces)


def lines(products: object, field: str) -> Sequence[Line]:
    """The product lines of an order; a line without a quantity is one piece. Raises BadRecord naming the line."""
    if products is None:
        return ()
    if not isinstance(products, list):
        raise BadRecord(field, f"expected a list of products, got {shown(products)}")
    found = []
    for index, product in enumerate(products):
        if not isinstance(product, dict):
            raise BadRecord(f"{field}[{index}]", f"expected an object, got {shown(product)}")
        item, category, pieces, money = single(CART_ADD, product, f"{field}[{index}]")
        if item is None:
            item = door.name(product.get("name"), f"{field}[{index}].name")
        found.append((item, category, pieces, money))
    return found


def total(kind: Kind, properties: Mapping[str, Any], products: Sequence[Line], money: float) -> float:
    """The money of an event: `revenue` (never `total`, which holds tax and shipping), else the best it has instead.

    For coupons, the discount; for orders without `revenue`, their value, subtotal or the sum of their lines; for one
    product, price x pieces. A refund and a cancellation have a `total` too, before their lines: it is what is given
    back, all or a part.
    """
    if kind in _COUPONS:
        return door.number(properties.get("discount"), "properties.discount")
    names = ("revenue", "value", "subtotal") if kind in _TOTALS else ("revenue",)
    if kind is REFUND or kind is ORDER_CANCEL:
        names = (*names, "total")
    for name in names:
        if (value := properties.get(name)) is not None and not isnan(
            amount := door.number(value, f"properties.{name}")
        ):
            return amount
    if products:
        return fsum(line[3] for line in products)
    return door.number(properties.get("value"), "properties.value") if isnan(money) else money


def purchased(order: Event, products: Iterable[Line]) -> list[Event]:
    """An order and one PURCHASED_ITEM for each of its lines, numbered after the order's message id."""
    head, customer, at, received, channel = order.message_id, order.customer, order.at, order.received, order.channel
    number_of = order.order_id or head
    return [order] + [
        Event(
            f"{head}:{number}",
            customer,
            PURCHASED_ITEM,
            at,
            received,
            channel,
            item,
            category,
            pieces,
            money,
            number_of,
        )
        for number, (item, category, pieces, money) in enumerate(products, 1)
    ]
