"""Google Analytics 4: the rows of its BigQuery export, nested as exported or flattened into a table.

The schema is that of https://support.google.com/analytics/answer/7029846.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from math import fsum, isnan, nan
from typing import Any

from features.events import Channel, Event, Kind
from features.identity import names_nobody
from features.sources import door
from features.sources.channels import acquisition
from features.sources.contract import SAMPLES, BadRecord, Column, Identity, Source, required, shown
from features.sources.identities import content_id, of_values
from features.sources.names import CHANNEL_OF_NAME, GA4
from features.sources.orders import Line, purchased
from features.sources.readers import read
from features.sources.times import instant

COLUMNS = (
    Column("event_timestamp", "when, microseconds since 1970", required=True),
    Column("event_name", "what happened: one of the names below; any other becomes `OTHER`", required=True),
    Column("user_pseudo_id", "the customer, unless there is a `user_id`", required=True),
    Column("user_id", "the customer, where the shop sets it"),
    Column("event_params", "nested: `value`, `transaction_id`, `source`, `medium`, `page_location`, `search_term`..."),
    Column("items", "nested: the products, each with `item_id` or `item_name`, `item_category`, `price`, `quantity`"),
    Column("ecommerce", "nested: `transaction_id`, `purchase_revenue`, `refund_value`, `total_item_quantity`"),
    Column("collected_traffic_source", "nested: what brought this visit"),
    Column("traffic_source", "nested: what brought the customer at first"),
    Column("platform", "`WEB`, `IOS` or `ANDROID`"),
    Column("transaction_id", "flat: the order"),
    Column("purchase_revenue_usd", "flat: the order's total"),
    Column("n_items", "flat: how many products the order has"),
    Column("first_source, first_medium", "flat: what brought the customer at first"),
    Column("ga_session_id, page_location", "flat: kept in the properties"),
)

_ABSENT = ("", "(not set)", "(data deleted)", "<Other>")
_FIRST = ("first_visit", "first_open")
_EACH_ITEM = (Kind.CART_ADD, Kind.CART_REMOVE, Kind.WISHLIST_ADD, Kind.WISHLIST_REMOVE)
_ONE_ITEM = (Kind.ITEM_VIEW, Kind.ITEM_CLICK)
_KEPT = (
    "page_location",
    "search_term",
    "ga_session_id",
    "method",
    "promotion_name",
    "coupon",
    "shipping_tier",
    "payment_type",
)
_FIELDS = {"customer": "user_pseudo_id", "at": "event_timestamp"}


def parse(
    values: Mapping[str, Any], received: int, identity: Identity | None = None, history: bool = False
) -> list[Event]:
    """The events of one row: for a purchase its order and each line, for a cart change one event a product."""
    params = _params(values.get("event_params"))
    identity = identity or partial(of_values, "ga4", {**values, "event_params": params}, received)
    return told(values, params, received, identity, history)


def told(
    values: Mapping[str, Any],
    params: Mapping[str, Any],
    received: int,
    identity: Identity,
    history: bool,
) -> list[Event]:
    """The events of a row whose parameters are `params`."""
    name = door.name(values.get("event_name"), "event_name")
    if name is None:
        raise BadRecord("event_name", "missing: every row has an event name")
    kind = GA4.get(name, Kind.OTHER)
    customer = _customer(values)
    at = instant(values.get("event_timestamp"), "event_timestamp", "us")
    order = _order_id(values, params)
    if kind is Kind.PURCHASE and order:
        identity = partial(content_id, "ga4-order", f"{customer}", order)
    found = identity()
    lines, channel = _lines(values.get("items")), _channel(name, values, params)
    kept = {key: value for key in _KEPT if (value := params.get(key, values.get(key))) is not None}
    each = lines if lines and kind in _EACH_ITEM else [_whole(kind, name, values, params, lines)]
    try:
        events = [
            door.admit(
                found if number == 0 else f"{found}:{number}",
                customer,
                kind,
                at,
                received,
                history,
                channel,
                *line,
                order_id=order,
                properties=kept,
            )
            for number, line in enumerate(each)
        ]
    except BadRecord as bad:
        raise bad.named(_FIELDS) from None
    return purchased(events[0], lines) if kind is Kind.PURCHASE else events


def _customer(values: Mapping[str, Any]) -> str | None:
    for field in ("user_id", "user_pseudo_id"):
        found = _set(door.name(values.get(field), field))
        if found and not names_nobody(found):
            return found
    return None


def _whole(kind: Kind, name: str, values: Mapping[str, Any], params: Mapping[str, Any], lines: Sequence[Line]) -> Line:
    """What an event that is not one of its products says: its total, or the one product that was looked at."""
    if kind in _ONE_ITEM and lines:
        item, category, pieces, money = lines[0]
        return item, category, pieces, _amount(kind, values, params, ()) if isnan(money) else money
    pieces = _pieces(values, lines) if kind is Kind.PURCHASE else nan
    return None, name if kind is Kind.OTHER else None, pieces, _amount(kind, values, params, lines)


def _params(value: object) -> dict[str, Any]:
    if value is None or value == "":
        return {}
    found: dict[str, Any] = {}
    try:
        for param in value:  # type: ignore[attr-defined]
            found[param["key"]] = next((each for each in param["value"].values() if each is not None), None)
    except (TypeError, KeyError, AttributeError):
        raise BadRecord("event_params", f"expected a list of key and value, got {shown(value)}") from None
    return found


def _record(values: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    value = values.get(field)
    if value is None or value == "":
        return {}
    if not isinstance(value, dict):
        raise BadRecord(field, f"expected an object, got {shown(value)}")
    return value


def _lines(value: object) -> Sequence[Line]:
    if value is None or value == "":
        return ()
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        raise BadRecord("items", f"expected a list of objects, got {shown(value)}")
    return [_line(item, f"items[{index}]") for index, item in enumerate(value)]


def _line(item: Mapping[str, Any], field: str) -> Line:
    product = _set(door.name(item.get("item_id"), f"{field}.item_id"))
    product = product or _set(door.name(item.get("item_name"), f"{field}.item_name"))
    category = _set(door.name(item.get("item_category"), f"{field}.item_category"))
    pieces = door.number(item.get("quantity"), f"{field}.quantity")
    price = door.number(item.get("price"), f"{field}.price")
    pieces = 1.0 if isnan(pieces) else pieces
    return product, category, pieces, price * pieces


def _set(name: str | None) -> str | None:
    return None if name in _ABSENT else name


def _order_id(values: Mapping[str, Any], params: Mapping[str, Any]) -> str | None:
    commerce = _record(values, "ecommerce")
    for given in (commerce.get("transaction_id"), params.get("transaction_id"), values.get("transaction_id")):
        if order := _set(door.name(given, "transaction_id")):
            return order
    return None


def _amount(kind: Kind, values: Mapping[str, Any], params: Mapping[str, Any], lines: Sequence[Line]) -> float:
    """Money without tax and shipping, as GA4 defines `value`; for an order without one, the sum of its lines."""
    commerce = _record(values, "ecommerce")
    named = {Kind.PURCHASE: "purchase_revenue", Kind.REFUND: "refund_value"}.get(kind, "")
    given = (
        (f"ecommerce.{named}", commerce.get(named)),
        ("event_params.value", params.get("value")),
        ("purchase_revenue_usd", values.get("purchase_revenue_usd")),
    )
    for field, value in given:
        if not isnan(amount := door.number(value, field)):
            return amount
    return fsum(money for *_, money in lines) if lines and kind in (Kind.PURCHASE, Kind.REFUND) else nan


def _pieces(values: Mapping[str, Any], lines: Sequence[Line]) -> float:
    pieces = door.number(_record(values, "ecommerce").get("total_item_quantity"), "ecommerce.total_item_quantity")
    if isnan(pieces) and lines:
        return fsum(line[2] for line in lines)
    return door.number(values.get("n_items"), "n_items") if isnan(pieces) else pieces


def _channel(name: str, values: Mapping[str, Any], params: Mapping[str, Any]) -> Channel:
    """What brought the customer on a first visit, what brought this visit where the row says so, else the platform."""
    collected = _record(values, "collected_traffic_source")
    source = collected.get("manual_source") or params.get("source")
    medium = collected.get("manual_medium") or params.get("medium")
    if name in _FIRST or (name == "session_start" and str(values.get("ga_session_number")) in ("1", "1.0")):
        ever = _record(values, "traffic_source")
        source = source or ever.get("source") or values.get("first_source")
        medium = medium or ever.get("medium") or values.get("first_medium")
    found = CHANNEL_OF_NAME.get(name) or acquisition(str(source or ""), str(medium or ""))
    if not found and (collected.get("gclid") or params.get("gclid")):
        return Channel.PAID_SEARCH
    return found or (Channel.APP if values.get("platform") in ("IOS", "ANDROID") else Channel.WEB)


SOURCE = Source(
    name="ga4",
    doc="""Rows of GA4's BigQuery export: JSON lines as BigQuery writes them, Parquet, or a flattened table. A purchase
is known by its `transaction_id`, so the copies that a reloaded confirmation page sends are duplicates; it makes one
`PURCHASE` and one `PURCHASED_ITEM` a product. `add_to_cart` makes one event a product. Money is `purchase_revenue`,
which leaves out tax and shipping.""",
    columns=COLUMNS,
    customer=("user_id", "user_pseudo_id"),
    read=partial(read, required=required(COLUMNS)),
    parse=parse,
    sample=SAMPLES / "ga4.jsonl",
)
