"""Taobao's records in columns, as `features.sources.formats.taobao.parse` reads them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from features.events import Channel, Kind
from features.sources.columns.event_fields import LEFT_OUT, EventFields, with_products
from features.sources.columns.portions import Columnar
from features.sources.columns.row_by_row import RowByRow
from features.sources.columns.table import Table
from features.sources.columns.texts import none_of, texts_of
from features.sources.fields import fields
from features.sources.formats.taobao import COLUMNS, KINDS, OUTSIDE, order_number


def event_fields(table: Table, rows: RowByRow) -> EventFields:
    """The fields of each record's event; for a purchase, of the order and its line in one."""
    number = len(table)
    item = table.names(table.column("item_id"), "item_id")
    table.undecided |= ~item.present
    kind = table.values(
        table.column("behavior_type"), lambda value: fields.choice(KINDS, value, "behavior_type"), np.uint8
    )
    kind[table.values(table.column("in_window"), lambda value: value in OUTSIDE, np.bool_)] = LEFT_OUT
    return EventFields(
        customer=table.customers(table.column("user_id")),
        kind=kind,
        at=table.instants(table.column("timestamp"), rows.received, "s"),
        channel=np.full(number, int(Channel.UNKNOWN), np.uint8),
        item=item,
        category=table.names(table.column("category_id"), "category_id"),
        quantity=np.where(kind == int(Kind.CART_ADD), 1.0, np.nan),
        amount=np.full(number, np.nan),
        order_id=none_of(number),
        score=np.full(number, np.nan),
        properties=none_of(number),
        message_id=none_of(number),
    )


def complete(events: EventFields, rows: NDArray[np.intp]) -> tuple[EventFields, NDArray[np.intp]]:
    """The events of these rows: what one customer buys in one second is one order, which every line of it reports."""
    order = events.kind == int(Kind.PURCHASE)
    chosen, places, product = with_products(events, rows, order)
    lines = np.flatnonzero(product)
    heads = lines - 1
    numbers = [order_number(chosen.customer.at(line), int(chosen.at[line])) for line in lines.tolist()]
    number = texts_of(numbers, np.arange(len(numbers), dtype=np.int32))
    chosen.quantity[lines] = 1.0
    order_id = none_of(len(places)).replaced(lines, number)
    return replace(
        chosen,
        message_id=chosen.message_id.replaced(heads, number),
        item=chosen.item.only(~order[places] | product),
        category=chosen.category.only(~order[places] | product),
        order_id=order_id.replaced(heads, number),
    ), places


COLUMNAR = Columnar(tuple(column.name for column in COLUMNS), event_fields, complete)
