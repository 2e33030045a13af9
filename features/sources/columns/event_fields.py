"""The fields of the events of some records, a row for each record, before message ids that the file does not give."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np
import polars as pl
from numba import njit
from numpy.typing import NDArray

from features.events import Kind
from features.log.frame import SCHEMA
from features.log.rows import quoted
from features.sources.columns.table import Property
from features.sources.columns.texts import Texts, joined, none_of, room_for

LEFT_OUT = 255
"""The kind of a record that the source leaves out on purpose."""


@dataclass
class EventFields:
    """A field of a row means something where its record is decided and not left out."""

    customer: Texts
    kind: NDArray[np.uint8]
    at: NDArray[np.int64]
    channel: NDArray[np.uint8]
    item: Texts
    category: Texts
    quantity: NDArray[np.float64]
    amount: NDArray[np.float64]
    order_id: Texts
    score: NDArray[np.float64]
    properties: Texts
    message_id: Texts
    """None where the id is made from the record's bytes."""
    doubtful: Callable[[NDArray[np.bool_]], NDArray[np.bool_]] | None = None
    """Called in the order of the file, with which rows are undecided: which other rows are undecided after what came
    before them in the file."""

    @property
    def left_out(self) -> NDArray[np.bool_]:
        """Which records are left out on purpose."""
        return np.equal(self.kind, LEFT_OUT)

    def of_rows(self, rows: NDArray[np.intp]) -> EventFields:
        """The fields of these rows."""
        return EventFields(
            self.customer.rows(rows),
            self.kind[rows],
            self.at[rows],
            self.channel[rows],
            self.item.rows(rows),
            self.category.rows(rows),
            self.quantity[rows],
            self.amount[rows],
            self.order_id.rows(rows),
            self.score[rows],
            self.properties.rows(rows),
            self.message_id.rows(rows),
        )

    def frame(self, record: NDArray[np.int64]) -> pl.DataFrame:
        """The rows as a frame of events, of these records."""
        columns = {
            "record": record,
            "message_id": self.message_id.series(),
            "customer": self.customer.series(),
            "kind": self.kind,
            "at": self.at,
            "received": self.at,
            "channel": self.channel,
            "item": self.item.series(),
            "category": self.category.series(),
            "quantity": self.quantity + 0.0,  # one zero, as every store gives it back
            "amount": self.amount + 0.0,
            "order_id": self.order_id.series(),
            "score": self.score + 0.0,
            "properties": self.properties.series(),
        }
        return pl.DataFrame(columns, SCHEMA)


def json_objects(number: int, properties: Mapping[str, Property]) -> Texts:
    """A JSON object for each of the rows, of its properties; none without any."""
    present = np.zeros(number, np.bool_)
    sizes = np.zeros(number, np.int64)
    heads = {name: np.frombuffer(f"{quoted(name)}:".encode(), np.uint8) for name in properties}
    for name, (texts, are_texts) in properties.items():
        have = texts.present
        sizes += np.where(have, texts.ends - texts.begins + len(heads[name]) + 1 + 2 * are_texts, 0)
        present |= have
    sizes += present  # a brace or a comma before each property, a brace after the last
    if not present.any():
        return none_of(number)
    memory, begins, ends = room_for(sizes)
    cursor = begins.copy()
    for name, (texts, are_texts) in properties.items():
        _write_property(memory, begins, cursor, heads[name], are_texts, *texts)
    closing = np.flatnonzero(present)
    memory[cursor[closing]] = ord("}")
    return Texts(memory, begins, ends)


@njit(cache=True, nogil=True)
def _write_property(memory, firsts, cursor, head, are_texts, source, begins, ends):  # type: ignore[no-untyped-def]
    """Write a brace or a comma, the name and the value of a property at the cursors of the rows that have it."""
    for row in range(len(cursor)):
        length = ends[row] - begins[row]
        if not length:
            continue
        at = cursor[row]
        memory[at] = 123 if at == firsts[row] else 44
        at += 1
        for j in range(len(head)):
            memory[at + j] = head[j]
        at += len(head)
        if are_texts:
            memory[at] = 34
            at += 1
        for j in range(length):
            memory[at + j] = source[begins[row] + j]
        at += length
        if are_texts:
            memory[at] = 34
            at += 1
        cursor[row] = at


def with_products(
    fields: EventFields, rows: NDArray[np.intp], lined: NDArray[np.bool_]
) -> tuple[EventFields, NDArray[np.intp], NDArray[np.bool_]]:
    """The fields of these rows, once more as a PURCHASED_ITEM after a row that is `lined`, the row of each event, and
    which events are such products."""
    events = np.repeat(rows, 1 + lined[rows])
    product = np.zeros(len(events), np.bool_)
    product[1:] = events[1:] == events[:-1]
    chosen = fields.of_rows(events)
    chosen.kind[product] = int(Kind.PURCHASED_ITEM)
    return chosen, events, product


def with_lines(fields: EventFields, rows: NDArray[np.intp], *, numbered: bool) -> tuple[EventFields, NDArray[np.intp]]:
    """The fields of all events of these rows, and the row of each: a PURCHASED_ITEM follows a PURCHASE of an item, as
    `features.sources.fields.orders.purchased` gives it. Where orders are `numbered`, their message id is their number.
    """
    order = fields.kind == int(Kind.PURCHASE)
    chosen, events, product = with_products(fields, rows, order & fields.item.present)
    order = order[events]
    head, places = order & ~product, np.flatnonzero(product)
    lines = joined(len(places), [chosen.message_id.rows(places), b":1"])
    chosen.score[places] = np.nan
    return replace(
        chosen,
        message_id=chosen.message_id.replaced(places, lines),
        item=chosen.item.only(~head),
        category=chosen.category.only(~head),
        order_id=chosen.order_id.otherwise(chosen.message_id.only(order if numbered else product)),
        properties=chosen.properties.only(~product),
    ), events


def in_order(frames: list[pl.DataFrame]) -> pl.DataFrame:
    """One frame of several, in the order of their records; of one record, in the order of the frames."""
    filled = [frame for frame in frames if frame.height]
    if len(filled) < 2:
        return (filled or frames)[0]
    whole = pl.concat(filled)
    return whole[np.argsort(whole["record"].to_numpy(), kind="stable")]
