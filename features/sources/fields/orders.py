"""Orders and their lines; money and products as Segment's e-commerce properties write them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from math import fsum, isnan, nan
from typing import Any, NamedTuple

from features.events import (
    CART_ADD,
    CART_REMOVE,
    CHECKOUT_START,
    COUPON_APPLY,
    COUPON_DENY,
    COUPON_REMOVE,
    ITEM_CLICK,
    ITEM_VIEW,
    ORDER_CANCEL,
    ORDER_UPDATE,
    OTHER,
    PURCHASE,
    PURCHASED_ITEM,
    REFUND,
    WISHLIST_ADD,
    WISHLIST_REMOVE,
    Event,
    Kind,
)  # fmt: skip
from features.sources.contract import BadRecord, Unread, shown
from features.sources.fields import fields

Line = tuple[str | None, str | None, float, float]
"""Item, category, pieces and money (price x pieces) of one product."""

_COUNTED = frozenset((CART_ADD, CART_REMOVE))
_COUPONS = frozenset((COUPON_APPLY, COUPON_REMOVE, COUPON_DENY))
_PRODUCTS = frozenset((ITEM_VIEW, ITEM_CLICK, CART_ADD, CART_REMOVE, WISHLIST_ADD, WISHLIST_REMOVE))
_REVENUE = ("revenue",)
_ORDER = ("revenue", "value", "subtotal")
_AMOUNTS = {
    **dict.fromkeys((PURCHASE, ORDER_UPDATE, CHECKOUT_START), _ORDER),
    **dict.fromkeys((REFUND, ORDER_CANCEL), (*_ORDER, "total")),
}
"""The properties that may hold the money of an event about an order, the best first."""


def single(kind: Kind, properties: Mapping[str, Any], unread: Unread, field: str = "properties") -> Line:
    """The product that the properties of an event describe. A cart change without a quantity moves one piece.

    In an event that the shop names itself, `price` and the like may mean anything: what is no number is not reported.
    """
    get = properties.get
    item = category = None
    pieces = price = nan
    if kind is OTHER:
        unread = []
    # Checked one by one, because most events have few of these, and an absent one then costs nothing.
    if (value := get("product_id")) is not None:
        item = fields.any_name(value, f"{field}.product_id", unread)
    if item is None and (value := get("sku")) is not None:
        item = fields.any_name(value, f"{field}.sku", unread)
    if item is None and kind in _PRODUCTS and (value := get("productId", get("id"))) is not None:
        item = fields.any_name(value, f"{field}.id", unread)
    if (value := get("category")) is not None:
        category = fields.any_name(value, f"{field}.category", unread)
    asked = (value := get("quantity")) is not None and value != ""
    if asked:
        pieces = _signed(value, f"{field}.quantity", unread)
    if (value := get("price")) is not None:
        price = _signed(value, f"{field}.price", unread)
    if not asked and kind in _COUNTED:
        pieces = 1.0
    return item, category, pieces, price * pieces if asked else price


def _signed(value: object, field: str, unread: Unread) -> float:
    if type(value) is float and -fields.LARGEST <= value <= fields.LARGEST:
        return value
    try:
        number = fields.signed(value, field)
    except BadRecord as bad:
        unread.append(bad)
        return nan
    if abs(number) > fields.LARGEST:
        unread.append(BadRecord(field, f"expected at most {fields.LARGEST:g}, got {shown(value)}", "too_large"))
        return nan
    return number


def positive(kind: Kind, pieces: float, money: float, unread: Unread) -> tuple[float, float]:
    """Pieces and money of an event: those below 0 are left out and reported in `unread`."""
    for what, value in (("quantity", pieces), ("price", money)):
        if value < 0 and kind is not OTHER:
            unread.append(BadRecord(f"properties.{what}", f"expected at least 0, got {value:g}", "negative"))
    return nan if pieces < 0 else pieces, nan if money < 0 else money


class Basket(NamedTuple):
    """The list of products of an order."""

    lines: Sequence[Line]
    """The products."""
    pieces: float
    """The number of pieces."""
    money: float
    """The sum of all lines: products, less discounts and returned pieces."""


EMPTY = Basket((), nan, nan)


def basket(products: object, field: str, unread: Unread) -> Basket:
    """The lines of an order; a line without a quantity is one piece.

    `products` may also be one product, or an object of products by number, as PHP writes a list. What is no product is
    left out and reported. A line below 0 is a discount or a return: it lowers the sum, and is no purchased product.
    """
    listed = _listed(products)
    if listed is None:
        unread.append(BadRecord(field, f"expected a list of products, got {shown(products)}", "not_a_list"))
        return EMPTY
    lines: list[Line] = []
    money: list[float] = []
    for index, product in enumerate(listed):
        if not isinstance(product, dict):
            fault = f"expected an object, got {shown(product)}"
            unread.append(BadRecord(f"{field}[{index}]", fault, "not_an_object"))
            continue
        item, category, pieces, price = single(CART_ADD, product, unread, f"{field}[{index}]")
        money.append(price)
        if price < 0 or pieces < 0:
            unread.append(BadRecord(f"{field}[{index}]", f"{price:g} lowers the order, and is no product", "negative"))
            continue
        if item is None:
            item = fields.any_name(product.get("name"), f"{field}[{index}].name", unread)
        lines.append((item, category, pieces, price))
    return Basket(lines, sum(line[2] for line in lines), fsum(money) if money else nan)


def _listed(products: object) -> Sequence[Any] | None:
    if products is None:
        return ()
    if isinstance(products, list):
        return products
    if isinstance(products, dict):
        values = list(products.values())
        return values if all(isinstance(product, dict) for product in values) else [products]
    return None


def total(kind: Kind, properties: Mapping[str, Any], listed: Basket, money: float, unread: Unread) -> float:
    """The money of an event: `revenue` (never `total`, which holds tax and shipping), else the best substitute.

    For coupons, the discount; for orders without `revenue`, their value, subtotal or the sum of their lines; for one
    product, price x pieces. For a refund and a cancellation `total` comes before the sum of the lines: it is the money
    given back, all or a part. `value` in an event that the shop names itself is not money.
    """
    if kind in _COUPONS:
        return fields.any_number(properties.get("discount"), "properties.discount", unread)
    for name in _AMOUNTS.get(kind, _REVENUE):
        if (value := properties.get(name)) is not None and not isnan(
            amount := fields.any_number(value, f"properties.{name}", [] if kind is OTHER else unread)
        ):
            return amount
    if not isnan(listed.money):
        return fields.any_number(listed.money, "properties.products", unread)
    if isnan(money) and kind is not OTHER and kind not in _AMOUNTS:
        return fields.any_number(properties.get("value"), "properties.value", unread)
    return money


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
