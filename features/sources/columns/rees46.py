"""REES46's records in columns, as `features.sources.formats.rees46.parse` reads them."""

from __future__ import annotations

from functools import partial

import numpy as np

from features.events import Channel, Kind
from features.sources.columns.event_fields import EventFields, json_objects, with_lines
from features.sources.columns.portions import Columnar
from features.sources.columns.row_by_row import RowByRow
from features.sources.columns.table import Table
from features.sources.columns.texts import none_of
from features.sources.fields import fields
from features.sources.formats.rees46 import COLUMNS, KINDS, PROPERTIES


def event_fields(table: Table, rows: RowByRow) -> EventFields:
    """The fields of each record's event; for a purchase, of the order and its line in one."""
    number = len(table)
    item = table.names(table.column("product_id"), "product_id")
    table.undecided |= ~item.present
    category = table.names(table.column("category_code"), "category_code")
    other = table.names(table.column("category_id"), "category_id", where=~category.present)
    price = table.numbers(table.column("price"), lambda value: fields.number(value, "price"))
    kind = table.values(table.column("event_type"), lambda value: fields.choice(KINDS, value, "event_type"), np.uint8)
    extra = {
        name: table.properties(name, table.column(name), rows.privacy, lambda value: not value) for name in PROPERTIES
    }
    return EventFields(
        customer=table.customers(table.column("user_id")),
        kind=kind,
        at=table.instants(table.column("event_time"), rows.received),
        channel=np.full(number, int(Channel.WEB), np.uint8),
        item=item,
        category=category.otherwise(other),
        quantity=np.where(kind == int(Kind.ITEM_VIEW), np.nan, 1.0),
        amount=price,
        order_id=none_of(number),
        score=np.full(number, np.nan),
        properties=json_objects(number, extra),
        message_id=none_of(number),
    )


COLUMNAR = Columnar(tuple(column.name for column in COLUMNS), event_fields, partial(with_lines, numbered=True))
