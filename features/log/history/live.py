"""Live events, which are rows of a database, as columns: to be sealed, or read together with those of a history."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import polars as pl

from features.events import Channel, Event, Kind
from features.log import rows
from features.log.contract import Vocabulary
from features.log.history import segment
from features.log.history.database import Unsealed
from features.log.history.history import Codes, History
from features.log.membership import JOINS

Rows = Sequence[tuple[Any, ...]]

_EVENTS: dict[str, pl.DataType | type[pl.DataType]] = {
    "offset": pl.Int64, "message_id": pl.String, "customer": pl.Int32, "kind": pl.UInt8, "at": pl.Int64,
    "received": pl.Int64, "channel": pl.UInt8, "item": pl.Int32, "category": pl.Int32, "quantity": pl.Float64,
    "amount": pl.Float64, "order_id": pl.String, "score": pl.Float64, "properties": pl.String,
}  # fmt: skip


def stays(position: str) -> str:
    """The SQL condition that an event stays in the database: not true, or NULL, for one that leaves it.

    `position` is the database's function that says where a text holds another, 0 for nowhere.
    """
    about_people = f"kind BETWEEN {int(Kind.IDENTIFY)} AND {int(Kind.CONSENT_GRANT)}"
    return " OR ".join([f"({about_people}", *(f"{position}(properties, '\"{name}\":') > 0" for name in JOINS)]) + ")"


def unsealed(live: Rows, before: int) -> Unsealed:
    """The oldest unsealed events, up to the first one not `received` before `before`.

    `live` are rows of `rows.COLUMNS`, by rising offset, each with a last column that is 1 when the event `stays`.
    """
    frame = _frame(live, {**_EVENTS, "stays": pl.Int8})
    late = (frame["received"] >= before).to_numpy()
    if late.any():
        frame = frame.head(int(late.argmax()))
    last = int(frame["offset"][-1]) if len(frame) else 0
    return Unsealed(frame.filter(pl.col("stays").ne_missing(1)).drop("stays"), last, len(frame))


def newest(history: History, codes: Codes, live: Rows, limit: int) -> pl.DataFrame:
    """The newest `limit` events of some customers, newest first, in a history and in `live`, rows of `rows.COLUMNS`."""
    both = pl.concat([segment.coded(_frame(live, _EVENTS)), history.texts_of(codes)], how="diagonal")
    return both.sort("received", "offset", descending=True).head(limit)


def named(frame: pl.DataFrame, customers: Vocabulary, items: Vocabulary, categories: Vocabulary) -> list[Event]:
    """Coded events with the names behind their codes."""
    return [
        rows.event(
            customers.name(row["customer"]), row["message_id"], Kind[row["kind"]], row["at"], row["received"],
            Channel[row["channel"]], None if row["item"] is None else items.name(row["item"]),
            None if row["category"] is None else categories.name(row["category"]), row["quantity"],
            row["amount"], row["order_id"], row["score"], row["properties"],
        )
        for row in frame.with_columns(pl.col("at", "received").to_physical()).iter_rows(named=True)
    ]  # fmt: skip


def _frame(live: Rows, schema: Mapping[str, pl.DataType | type[pl.DataType]]) -> pl.DataFrame:
    """Rows as a frame, made column by column: other threads go on between two of them."""
    columns = zip(*live, strict=True) if live else [()] * len(schema)
    return pl.DataFrame(
        [pl.Series(name, column, dtype) for (name, dtype), column in zip(schema.items(), columns, strict=True)]
    )
