"""Columns of segments as records, and the events of several sources as one: by customer, each in log order."""

from __future__ import annotations

from collections.abc import Sequence
from math import nan
from typing import NamedTuple

import numpy as np
import polars as pl
from numba import njit
from numpy.typing import NDArray

from features.events import EVENT, NO_CODE
from features.log.contract import Records
from features.log.history.segment import Offsets, channels_of, kinds_of
from features.log.rows import LATEST


class Piece(NamedTuple):
    """Events of one source, and the offset of each in the log."""

    records: Records
    offsets: Offsets

    def part(self, places: NDArray[np.bool_] | slice) -> Piece:
        """Some of the events."""
        return Piece(self.records[places], self.offsets[places])


EMPTY = Piece(np.empty(0, EVENT), np.empty(0, np.int64))


def piece_of(frame: pl.DataFrame, base: int) -> Piece:
    """The events of a frame of `segment.NUMBERS`, in its order."""
    absent = frame.with_columns(
        pl.col("item", "category").fill_null(NO_CODE), pl.col("quantity", "amount", "score").fill_null(nan)
    )
    records = np.empty(len(frame), EVENT)
    _fill(
        absent["at"].to_physical().to_numpy(), absent["received"].to_physical().to_numpy(), absent["amount"].to_numpy(),
        absent["customer"].to_numpy(), absent["item"].to_numpy(), absent["category"].to_numpy(),
        absent["quantity"].to_numpy(), absent["score"].to_numpy(), kinds_of(absent["kind"]),
        channels_of(absent["channel"]), records,
    )  # fmt: skip
    return Piece(records, absent["arrival"].to_numpy() + base)


def by_customer(pieces: Sequence[Piece], until: int = LATEST) -> Piece:
    """The events of several pieces `received` up to `until`, sorted by customer and, for each, in log order."""
    pieces = [piece for piece in pieces if len(piece.records)]
    if not pieces:
        return EMPTY
    if len(pieces) == 1 and _is_ordered(*pieces[0], until):
        return pieces[0]
    lowest = min(int(piece.records["customer"].min()) for piece in pieces)
    highest = max(int(piece.records["customer"].max()) for piece in pieces)
    counts = np.zeros(highest - lowest + 2, np.int64)
    for piece in pieces:
        _count(piece.records, lowest, until, counts)
    starts = np.cumsum(counts)
    places = starts[:-1].copy()
    whole = Piece(np.empty(starts[-1], EVENT), np.empty(starts[-1], np.int64))
    for piece in pieces:
        _move(piece.records, piece.offsets, lowest, until, places, *whole)
    _order(*whole, starts)
    return whole


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
def _fill(at, received, amount, customer, item, category, quantity, score, kind, channel, out):  # type: ignore[no-untyped-def]
    for i in range(len(out)):
        record = out[i]
        record["at"] = at[i]
        record["received"] = received[i]
        record["amount"] = amount[i]
        record["customer"] = customer[i]
        record["item"] = item[i]
        record["category"] = category[i]
        record["quantity"] = quantity[i]
        record["score"] = score[i]
        record["kind"] = kind[i]
        record["channel"] = channel[i]
        record["_reserved"] = 0


@njit(cache=True, nogil=True)
def _is_ordered(records, offsets, until):  # type: ignore[no-untyped-def]
    """Whether the events are sorted, and none of them is too late."""
    if records[0]["received"] > until:
        return False
    for i in range(1, len(records)):
        before, after = records[i - 1], records[i]
        if after["received"] > until:
            return False
        if after["customer"] < before["customer"]:
            return False
        if after["customer"] == before["customer"] and (
            after["received"] < before["received"]
            or (after["received"] == before["received"] and offsets[i] < offsets[i - 1])
        ):
            return False
    return True


@njit(cache=True, nogil=True)
def _count(records, lowest, until, counts):  # type: ignore[no-untyped-def]
    """Count the events of each customer one place after its own, so that their running sum is where each begins."""
    for i in range(len(records)):
        counts[records[i]["customer"] - lowest + 1] += records[i]["received"] <= until


@njit(cache=True, nogil=True)
def _move(records, offsets, lowest, until, places, out, out_offsets):  # type: ignore[no-untyped-def]
    for i in range(len(records)):
        if records[i]["received"] > until:
            continue
        customer = records[i]["customer"] - lowest
        place = places[customer]
        out[place] = records[i]
        out_offsets[place] = offsets[i]
        places[customer] = place + 1


@njit(cache=True, nogil=True)
def _order(records, offsets, starts):  # type: ignore[no-untyped-def]
    """Bring the events of each customer that are not in log order into it."""
    for c in range(len(starts) - 1):
        first, last = starts[c], starts[c + 1]
        ordered = True
        for i in range(first + 1, last):
            before, after = records[i - 1]["received"], records[i]["received"]
            if after < before or (after == before and offsets[i] < offsets[i - 1]):
                ordered = False
                break
        if not ordered:
            theirs, numbers = records[first:last].copy(), offsets[first:last].copy()
            order = np.argsort(numbers, kind="mergesort")
            order = order[np.argsort(theirs["received"][order], kind="mergesort")]
            for i in range(last - first):
                records[first + i] = theirs[order[i]]
                offsets[first + i] = numbers[order[i]]
