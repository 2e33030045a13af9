"""One segment of a history: a Parquet file of events sorted by customer and, for each, in log order, and its index.

Any engine reads the file: times are timestamps, kinds and channels are words, what is absent is null. `customer`,
`item` and `category` are the codes of the log; the names behind them lie in files of their own (`names`). `arrival`
numbers the events of a segment in the order in which they came: added to the segment's base it is the event's offset
in the log.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from enum import IntEnum
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple, cast

import numpy as np
import polars as pl
from numpy.typing import NDArray

from features.events import Channel, Kind
from features.log.contract import LogBusy
from features.log.history import index
from features.log.history.disk import write_parquet
from features.log.history.hashing import hashes_of
from features.log.history.store import Store

Offsets = NDArray[np.int64]

TIME = pl.Datetime("us", "UTC")
KINDS = pl.Enum([kind.name for kind in Kind])
CHANNELS = pl.Enum([channel.name for channel in Channel])

NUMBERS = (
    "customer",
    "arrival",
    "at",
    "received",
    "kind",
    "channel",
    "item",
    "category",
    "quantity",
    "amount",
    "score",
)
"""The columns that the fold and the order need."""

_INDEXED = ("customer", "message_id", "kind", "channel")

TEXTS = ("message_id", "order_id", "properties")

SCHEMA: dict[str, pl.DataType | type[pl.DataType]] = {
    "customer": pl.Int32,
    "arrival": pl.Int64,
    "at": TIME,
    "received": TIME,
    "kind": KINDS,
    "channel": CHANNELS,
    "item": pl.Int32,
    "category": pl.Int32,
    "quantity": pl.Float64,
    "amount": pl.Float64,
    "score": pl.Float64,
    "message_id": pl.String,
    "order_id": pl.String,
    "properties": pl.String,
}
"""The columns of a segment, in their order in the file."""

GROUP = 32_768
"""Events of a row group: the least that is read to find one of them, some milliseconds."""

MOST_EVENTS = 1 << 22
"""Most events of a segment: what a rewrite after an erasure costs, some seconds, grows with it. Its index has three
bytes for a row."""

_PLACE_BITS = 32
"""Bits of a place beside which a code fits into one number."""


class Entry(NamedTuple):
    """A segment as the manifest of a log lists it."""

    number: int
    """Names its files; never used twice in a log."""
    events: int
    base: int
    """What is added to an `arrival` to give the offset of the event in the log."""
    last_offset: int
    first_received: int
    last_received: int


def events_name(number: int) -> str:
    """The name of the Parquet file of a segment."""
    return f"events-{number:08}.parquet"


def index_name(number: int) -> str:
    """The name of the index of a segment."""
    return f"events-{number:08}.index"


def write(store: Store, number: int, frame: pl.DataFrame, base: int) -> Entry:
    """Write the events of `frame`, with the columns of `SCHEMA`, as a segment; both files outlast a crash afterwards.

    The frame is sorted here. It has at least one event. A column `hash` may hold the hashes of the message ids.
    """
    store.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    given = [*SCHEMA, *(["hash"] if "hash" in frame.columns else [])]
    ordered = frame.select(given)[_order(frame)]
    with ThreadPoolExecutor(1) as pool:
        indexed = pool.submit(lambda: index.save(store.folder / index_name(number), _index_of(ordered)))
        write_parquet(store.folder / events_name(number), ordered.select(list(SCHEMA)), GROUP)
        indexed.result()
    store.share([events_name(number), index_name(number)])
    received = ordered["received"].to_physical()
    newest = ordered["arrival"].to_numpy().max()
    times = received.to_numpy()
    return Entry(number, len(ordered), base, base + int(newest), int(times.min()), int(times.max()))


def _order(frame: pl.DataFrame) -> NDArray[np.int64]:
    """The places of events by customer and, for each, in log order.

    Code and place in one number are sorted several times as fast as places by their codes.
    """
    codes, arrival = frame["customer"].to_numpy().astype(np.int64), frame["arrival"].to_numpy()
    received = frame["received"].to_physical().to_numpy()
    if (received[1:] < received[:-1]).any() or (arrival[1:] < arrival[:-1]).any():
        by_time = np.lexsort((arrival, received))
        return by_time[_by_code(codes[by_time])]
    return _by_code(codes)


def _by_code(codes: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.sort(codes << _PLACE_BITS | np.arange(len(codes))) & (1 << _PLACE_BITS) - 1


def _index_of(frame: pl.DataFrame) -> index.Index:
    hashes = frame["hash"].to_numpy() if "hash" in frame.columns else hashes_of(frame["message_id"])
    return index.index_of(frame["customer"].to_numpy(), hashes, kinds_of(frame["kind"]), channels_of(frame["channel"]))


def coded(frame: pl.DataFrame) -> pl.DataFrame:
    """A frame whose times, kinds and channels are numbers, as one with the columns of `SCHEMA`."""
    number = pl.col("quantity", "amount", "score")
    return frame.with_columns(
        pl.col("at", "received").cast(TIME),
        pl.col("kind").replace_strict(list(map(int, Kind)), KINDS.categories, return_dtype=KINDS),
        pl.col("channel").replace_strict(list(map(int, Channel)), CHANNELS.categories, return_dtype=CHANNELS),
        number.fill_nan(None),
    )  # fmt: skip


def scan(store: Store, number: int) -> pl.LazyFrame:
    """The events of a segment, to be read lazily."""
    return pl.scan_parquet(store.path(events_name(number)), glob=False, hive_partitioning=False)


def read(store: Store, number: int, query: Callable[[pl.LazyFrame], pl.DataFrame]) -> pl.DataFrame:
    """What a query finds among the events of a segment.

    Raises LogBusy when the segment was deleted since its manifest was read, which an erasure does at once.
    """
    for _ in range(2):  # between the look for its place and the reading, it may have been put away
        with suppress(FileNotFoundError):
            return query(scan(store, number))
    raise LogBusy(
        f"segment {number} of the history {store.place} was deleted while the log was read, because a customer was "
        "erased; read it again"
    )


def rows(store: Store, number: int, spans: Sequence[tuple[int, int]], columns: Sequence[str]) -> pl.DataFrame:
    """Some columns of the rows of some spans, each from its first row up to but not including its second."""
    wanted = [(first, last - first) for first, last in spans if first < last] or [(0, 0)]
    return read(
        store,
        number,
        lambda events: pl.concat(pl.collect_all([events.select(columns).slice(*span) for span in wanted])),
    )


def kinds_of(words: pl.Series) -> NDArray[np.uint8]:
    """The numbers of a column of kinds."""
    return _numbers(words, Kind)


def channels_of(words: pl.Series) -> NDArray[np.uint8]:
    """The numbers of a column of channels."""
    return _numbers(words, Channel)


def _numbers(words: pl.Series, members: type[IntEnum]) -> NDArray[np.uint8]:
    table = np.array([members[name] for name in cast(pl.Enum, words.dtype).categories], np.uint8)
    numbers: NDArray[np.uint8] = table[words.to_physical().to_numpy()]
    return numbers


@lru_cache(maxsize=512)
def _mapped(path: Path, identity: tuple[int, int]) -> index.Index:
    return index.load(path)


def index_of(store: Store, number: int) -> index.Index:
    """The index of a segment, mapped into memory; a missing or damaged one is made again. Raises LogBusy as `read`."""
    for attempt in range(3):
        try:
            path = store.path(index_name(number))
            status = path.stat()
            return _mapped(path, (status.st_ino, status.st_mtime_ns))
        except (FileNotFoundError, ValueError):
            if attempt:  # the first time, it may just have been put away
                named = read(store, number, lambda events: events.select(_INDEXED).collect())
                index.save(store.folder / index_name(number), _index_of(named))
    return index.load(store.path(index_name(number)))
