"""Columns of segments as records, and the events of several sources as one in log order."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from math import nan
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numba import njit
from numpy.typing import NDArray

from features.events import EVENT, NO_CODE
from features.log.contract import Records
from features.log.history.segment import Offsets, channels_of, kinds_of


class Piece(NamedTuple):
    """Events of one source, and the offset of each in the log."""

    records: Records
    offsets: Offsets

    def part(self, places: NDArray[np.bool_] | slice) -> Piece:
        """Some of the events."""
        return Piece(self.records[places], self.offsets[places])


EMPTY = Piece(np.empty(0, EVENT), np.empty(0, np.int64))


class Columns(NamedTuple):
    """The numbers of events but their customers, a column each: what `EVENT` holds, absent ones as it has them."""

    at: NDArray[np.int64]
    received: NDArray[np.int64]
    amount: NDArray[np.float64]
    item: NDArray[np.int32]
    category: NDArray[np.int32]
    quantity: NDArray[np.float64]
    score: NDArray[np.float64]
    kind: NDArray[np.uint8]
    channel: NDArray[np.uint8]

    def part(self, places: slice) -> Columns:
        """Some of the events."""
        parts: Iterator[NDArray[Any]] = (column[places] for column in self)
        return Columns(*parts)


NUMBERS = (
    pl.col("at", "received").to_physical(),
    pl.col("amount").fill_null(nan),
    pl.col("item", "category").fill_null(NO_CODE),
    pl.col("quantity", "score").fill_null(nan),
)
"""The first of `Columns` from a frame of segment columns."""


def columns_of(numbers: pl.DataFrame, kind: NDArray[np.uint8], channel: NDArray[np.uint8]) -> Columns:
    """A frame of `NUMBERS` as columns, without a copy where its own are in one piece."""
    return _columns(*(column.to_numpy() for column in numbers.get_columns()), kind, channel)


def columns_of_records(records: Records) -> Columns:
    """The numbers of records as columns."""
    return _columns(*(np.ascontiguousarray(records[name]) for name in Columns._fields))


def _columns(*arrays: NDArray[Any]) -> Columns:
    """All of them read-only, as most that Polars gives, so that kernels are compiled for one type of array."""
    columns = [array.view() for array in arrays]
    for column in columns:
        column.flags.writeable = False
    return Columns(*columns)


def piece_of(frame: pl.DataFrame, base: int) -> Piece:
    """The events of a frame of `segment.NUMBERS`, in its order."""
    records = np.empty(len(frame), EVENT)
    _fill(columns_of(frame.select(NUMBERS), kinds_of(frame["kind"]), channels_of(frame["channel"])), records)
    records["customer"] = frame["customer"].to_numpy()
    return Piece(records, frame["arrival"].to_numpy() + base)


def in_log_order(pieces: Sequence[Piece]) -> Piece:
    """The events of several pieces in log order."""
    records = np.concatenate([piece.records for piece in pieces] or [EMPTY.records])
    offsets = np.concatenate([piece.offsets for piece in pieces] or [EMPTY.offsets])
    order = log_order(records["received"], offsets)
    return Piece(records[order], offsets[order])


def log_order(received: NDArray[np.int64], offsets: Offsets) -> NDArray[np.intp]:
    """The places of events in log order."""
    return np.lexsort((offsets, received))


@njit(cache=True, nogil=True)
def _fill(columns, out):  # type: ignore[no-untyped-def]
    for i in range(len(out)):
        write(columns, i, NO_CODE, out[i])


@njit(cache=True, nogil=True, forceinline=True)
def write(columns, i, customer, record):  # type: ignore[no-untyped-def]
    """Make event i of some columns a record."""
    record["at"] = columns.at[i]
    record["received"] = columns.received[i]
    record["amount"] = columns.amount[i]
    record["customer"] = customer
    record["item"] = columns.item[i]
    record["category"] = columns.category[i]
    record["quantity"] = columns.quantity[i]
    record["score"] = columns.score[i]
    record["kind"] = columns.kind[i]
    record["channel"] = columns.channel[i]
    record["_reserved"] = 0
