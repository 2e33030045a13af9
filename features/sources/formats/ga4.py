"""Google Analytics 4: the rows of its BigQuery export, nested as exported or flattened into a table.

The schema is that of https://support.google.com/analytics/answer/7029846.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import count
from math import fsum, isnan, nan
from typing import Any, NamedTuple

from features.events import (
    CART_ADD,
    CART_REMOVE,
    ITEM_CLICK,
    ITEM_VIEW,
    OTHER,
    PURCHASE,
    REFUND,
    WISHLIST_ADD,
    WISHLIST_REMOVE,
    Channel,
    Event,
    Kind,
)
from features.identity.rules import names_nobody
from features.log.orders import order_message
from features.sources.contract import SAMPLES, BadRecord, Column, Identity, Source, Unread, required, shown
from features.sources.fields import fields
from features.sources.fields.channels import acquisition
from features.sources.fields.message_ids import of_values
from features.sources.fields.names import CHANNEL_OF_NAME, GA4
from features.sources.fields.orders import Line, purchased
from features.sources.fields.times import instant
from features.sources.readers.readers import read

COLUMNS = (
    Column("event_timestamp", "when, microseconds since 1970", required=True),
    Column("event_name", "what happened: one of the names below; any other becomes `OTHER`", required=True),
    Column("user_pseudo_id", "the customer, unless there is a `user_id`", required=True),
    Column("user_id", "the customer, where the shop sets it"),
    Column("event_params", "nested: `value`, `transaction_id`, `source`, `medium`, `page_location`, `search_term`..."),
    Column("items", "nested: the products, each with `item_id` or `item_name`, `item_category`, `price`, `quantity`"),
    Column("ecommerce", "nested: `transaction_id`, `purchase_revenue`, `refund_value`, `total_item_quantity`"),
    Column("collected_traffic_source", "nested: what brought this visit"),
    Column("traffic_source", "nested: what first brought the customer"),
    Column("platform", "`WEB`, `IOS` or `ANDROID`"),
    Column("transaction_id", "flat: the order"),
    Column("purchase_revenue_usd", "flat: the order's total"),
    Column("n_items", "flat: how many products the order has"),
    Column("first_source, first_medium", "flat: what first brought the customer"),
    Column("ga_session_id, page_location", "flat: kept in the properties"),
)

_ABSENT = (None, "", "(not set)", "(data deleted)", "<Other>")
_FIRST = ("first_visit", "first_open")
_EVENT_PER_ITEM = (CART_ADD, CART_REMOVE, WISHLIST_ADD, WISHLIST_REMOVE)
_ONE_ITEM = (ITEM_VIEW, ITEM_CLICK)
_KEPT = (
    "page_location",
    "search_term",
    "ga_session_id",
    "method",
    "promotion_name",
    "coupon",
    "currency",
    "shipping_tier",
    "payment_type",
)
_MONEY = {PURCHASE: "purchase_revenue", REFUND: "refund_value"}
_PAID_SEARCH, _APP, _WEB = Channel.PAID_SEARCH, Channel.APP, Channel.WEB  # bare names, as to look one up takes longer
_FIELDS = {"customer": "user_pseudo_id", "at": "event_timestamp"}


def parse(
    values: Mapping[str, Any],
    received: int,
    identity: Identity | None = None,
    history: bool = False,
    unread: Unread | None = None,
) -> list[Event]:
    """The events of one row. Raises BadRecord naming the field at fault."""
    unread = [] if unread is None else unread
    identity = identity or partial(of_values, "ga4", values, received)
    return row_events(values, _params(values.get("event_params"), unread), received, identity, history, unread)


def row_events(
    values: Mapping[str, Any],
    params: Mapping[str, Any],
    received: int,
    identity: Identity,
    history: bool,
    unread: Unread,
) -> list[Event]:
    """The events of a row whose parameters are `params`."""
    name = fields.label(values.get("event_name"), "event_name", unread)
    if name is None:
        raise BadRecord("event_name", "missing: every row has an event name")
    row = _Row(values, params, _record(values, "ecommerce", unread), unread)
    kind = GA4.get(name, OTHER)
    customer = _customer(values, unread)
    at = instant(values.get("event_timestamp"), "event_timestamp", "us")
    order = _order_id(row)
    if kind is PURCHASE and order:
        identity = partial(order_message, f"{customer}", order, at)
    message_id = identity()
    lines, channel = _lines(values.get("items"), unread), _channel(name, row)
    kept = {key: value for key in _KEPT if (value := params.get(key, values.get(key))) is not None}
    if kind is PURCHASE and order and (visitor := _visitor(values)) not in (None, customer):
        kept["anonymous_id"] = visitor
    event_lines = lines if lines and kind in _EVENT_PER_ITEM else [_whole(kind, name, row, lines)]
    try:
        events = [
            fields.admit(
                number, customer, kind, at, received, history, channel, *line, order, properties=kept, unread=unread
            )
            for number, line in zip(_numbered(message_id), event_lines, strict=False)
        ]
    except BadRecord as bad:
        raise bad.named(_FIELDS) from None
    return purchased(events[0], lines) if kind is PURCHASE else events


def _numbered(message_id: str) -> Iterator[str]:
    """The message ids of the events of a row."""
    yield message_id
    yield from (f"{message_id}:{number}" for number in count(1))


class _Row(NamedTuple):
    """A row: its columns, its parameters, its `ecommerce` record, and the list of values that could not be read."""

    values: Mapping[str, Any]
    params: Mapping[str, Any]
    commerce: Mapping[str, Any]
    unread: Unread


def _customer(values: Mapping[str, Any], unread: Unread) -> str | None:
    for field in ("user_id", "user_pseudo_id"):
        name = _set(fields.any_name(values.get(field), field, unread))
        if name and not names_nobody(name):
            return name
    return None


def _visitor(values: Mapping[str, Any]) -> str | None:
    return _customer({"user_pseudo_id": values.get("user_pseudo_id")}, [])


def _whole(kind: Kind, name: str, row: _Row, lines: Sequence[Line]) -> Line:
    """The line of an event as a whole: its total, or the one product that was viewed or clicked."""
    if kind in _ONE_ITEM and lines:
        item, category, pieces, money = lines[0]
        return item, category, pieces, _amount(kind, row, ()) if isnan(money) else money
    pieces = _pieces(row, lines) if kind is PURCHASE else nan
    return None, name if kind is OTHER else None, pieces, _amount(kind, row, lines)


def _params(value: object, unread: Unread) -> dict[str, Any]:
    if value is None or value == "":
        return {}
    params: dict[str, Any] = {}
    try:
        for param in value:  # type: ignore[attr-defined]
            params[param["key"]] = next((value for value in param["value"].values() if value is not None), None)
    except (TypeError, KeyError, AttributeError):
        fault = f"expected a list of key and value, got {shown(value)}"
        unread.append(BadRecord("event_params", fault, "not_a_list"))
    return params


def _record(values: Mapping[str, Any], field: str, unread: Unread) -> Mapping[str, Any]:
    return fields.any_properties(values.get(field), field, unread)


def _lines(value: object, unread: Unread) -> Sequence[Line]:
    """The products of an event, without items that are no object; a single product need not be in a list."""
    items = [value] if isinstance(value, dict) else value
    if items is None or items == "":
        return ()
    if not isinstance(items, list):
        unread.append(BadRecord("items", f"expected a list of objects, got {shown(value)}", "not_a_list"))
        return ()
    lines = []
    for index, item in enumerate(items):
        if isinstance(item, dict):
            lines.append(_line(item, f"items[{index}]", unread))
        else:
            unread.append(BadRecord(f"items[{index}]", f"expected an object, got {shown(item)}", "not_an_object"))
    return lines


def _line(item: Mapping[str, Any], field: str, unread: Unread) -> Line:
    product = _set(fields.any_name(item.get("item_id"), f"{field}.item_id", unread))
    product = product or _set(fields.any_name(item.get("item_name"), f"{field}.item_name", unread))
    category = _set(fields.any_name(item.get("item_category"), f"{field}.item_category", unread))
    given = item.get("quantity")
    pieces = 1.0 if given is None or given == "" else fields.any_number(given, f"{field}.quantity", unread)
    price = fields.any_number(item.get("price"), f"{field}.price", unread)
    if isnan(price):
        price = fields.any_number(item.get("price_in_usd"), f"{field}.price_in_usd", unread)
    return product, category, pieces, price * pieces


def _set(name: str | None) -> str | None:
    return None if name in _ABSENT else name


def _order_id(row: _Row) -> str | None:
    for given in (
        row.commerce.get("transaction_id"),
        row.params.get("transaction_id"),
        row.values.get("transaction_id"),
    ):
        if given not in _ABSENT and (order := fields.order_number(given, "transaction_id", row.unread)):
            return order
    return None


def _amount(kind: Kind, row: _Row, lines: Sequence[Line]) -> float:
    """Money without tax and shipping, as GA4 defines `value`; for an order without one, the sum of its lines.

    `value` in an event that the shop names itself is not money.
    """
    if kind is OTHER:
        return nan
    for field, value in _given(kind, row):
        if not isnan(amount := fields.any_number(value, field, row.unread)):
            return amount
    return fsum(money for *_, money in lines) if lines and kind in (PURCHASE, REFUND) else nan


def _given(kind: Kind, row: _Row) -> Iterator[tuple[str, Any]]:
    """The fields that may hold the money of an event, the best first; fields in dollars come last."""
    named = _MONEY.get(kind)
    if named:
        yield f"ecommerce.{named}", row.commerce.get(named)
    yield "event_params.value", row.params.get("value")
    if named:
        yield f"ecommerce.{named}_in_usd", row.commerce.get(f"{named}_in_usd")
    yield "purchase_revenue_usd", row.values.get("purchase_revenue_usd")


def _pieces(row: _Row, lines: Sequence[Line]) -> float:
    given = row.commerce.get("total_item_quantity")
    pieces = fields.any_number(given, "ecommerce.total_item_quantity", row.unread)
    if isnan(pieces) and lines:
        return fsum(line[2] for line in lines)
    return fields.any_number(row.values.get("n_items"), "n_items", row.unread) if isnan(pieces) else pieces


def _channel(name: str, row: _Row) -> Channel:
    """What brought the customer on a first visit, what brought this visit where the row says so, else the platform."""
    values, params = row.values, row.params
    collected = _record(values, "collected_traffic_source", row.unread)
    source = collected.get("manual_source") or params.get("source")
    medium = collected.get("manual_medium") or params.get("medium")
    if name in _FIRST or (name == "session_start" and str(values.get("ga_session_number")) in ("1", "1.0")):
        ever = _record(values, "traffic_source", row.unread)
        source = source or ever.get("source") or values.get("first_source")
        medium = medium or ever.get("medium") or values.get("first_medium")
    channel = CHANNEL_OF_NAME.get(name) or acquisition(str(source or ""), str(medium or ""))
    if not channel and (collected.get("gclid") or params.get("gclid")):
        return _PAID_SEARCH
    return channel or (_APP if values.get("platform") in ("IOS", "ANDROID") else _WEB)


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
