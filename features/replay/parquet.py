"""Histories from one Parquet file: decoded, converted and grouped by customer in one pass, on every core.

The general function, `histories(log.scan())`, first makes records and then sorts them. Here each thread takes a run of
row groups and writes every event directly to its place among its customer's events: a counting sort over the customers'
codes in which the columns are read once and no event is moved twice. Beside the grouped events only the customers'
codes and one row group a thread are in memory.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from llvmlite import ir  # type: ignore[import-untyped]
from numba import njit, types
from numba.extending import intrinsic, overload
from numpy.typing import NDArray

from features.cores import thread_count
from features.events import DAY, EVENT, NO_CODE, Channel, Kind
from features.replay.replay import Histories, places_of_runs

_TYPES = {name: pa.from_numpy_dtype(EVENT[name]) for name in EVENT.names or () if not name.startswith("_")}
_REQUIRED = ("at", "kind", "customer")
_ABSENT = {"item": NO_CODE, "category": NO_CODE, "channel": 0, "quantity": np.nan, "amount": np.nan, "score": np.nan}
"""The value for a column that is missing in the file or null; for `received` it is `at`."""

_MAY_BE_NULL = ("item", "category", "quantity", "amount", "score")

RUNS_PER_THREAD = 8
"""Several, so that a slow thread leaves its later runs to others. Each run takes 8 bytes a customer."""

BATCH = 64
"""Events that are written together after their places were prefetched; the first-level cache holds so many records."""

EARLIEST = 7_305 * DAY
"""The first moment of 1990; `features/sources/fields` refuses earlier events."""

Run = tuple[pq.ParquetFile, range]
"""A view of the file and the row groups that one thread works on."""


class BadHistory(ValueError):
    """A file cannot be read as events: a column is missing, of another type, or out of order."""


def read_histories(path: str | Path, *, threads: int | None = None) -> Histories:
    """The events of a Parquet file with the columns of `EVENT`, grouped by customer.

    Rows must be in log order, at least within each customer: a file sorted by `received`, or by customer and then
    `received`. Codes are whole numbers from 0; numbers of other widths and timestamps are converted; null is absent.
    Columns other than `at`, `kind` and `customer` may be missing. Raises `BadHistory` for any other file.
    """
    with pq.ParquetFile(path, memory_map=True) as file:
        _check_columns(file.schema_arrow)
        groups = file.num_row_groups
    workers = max(1, min(thread_count(threads), groups))
    edges = np.linspace(0, groups, min(workers * RUNS_PER_THREAD, max(groups, 1)) + 1).astype(int)
    runs = [(pq.ParquetFile(path, memory_map=True), range(first, last)) for first, last in pairwise(edges)]
    try:
        with ThreadPoolExecutor(workers) as pool:
            return _grouped(runs, pool)
    finally:
        for file, _ in runs:
            file.close()


def _grouped(runs: list[Run], pool: ThreadPoolExecutor) -> Histories:
    codes = list(pool.map(_customers, runs))
    width = 1 + max((int(part.max()) for run in codes for part in run if len(part)), default=-1)
    counts = np.zeros((len(runs), width), np.int64)
    list(pool.map(_count_all, codes, counts))
    starts, places = places_of_runs(counts)
    events = np.empty(starts[-1], EVENT)
    received = [group for run in pool.map(_place_all, runs, codes, places, [events] * len(runs)) for group in run]
    if not _ascending(received):
        _check_order(events)
    present = np.flatnonzero(np.diff(starts))
    return Histories(events, present.astype(np.int32), np.append(starts[present], starts[-1]))


def _check_columns(schema: pa.Schema) -> None:
    missing = [name for name in _REQUIRED if name not in schema.names]
    if missing:
        raise BadHistory(f"The file has no column {', '.join(missing)}; expected the columns {', '.join(_TYPES)}")
    for name, expected in _TYPES.items():
        kind = schema.field(name).type if name in schema.names else expected
        number = pa.types.is_integer(kind) or pa.types.is_floating(kind)
        if not number and not (name in ("at", "received") and pa.types.is_timestamp(kind)):
            raise BadHistory(
                f"Column {name} holds {kind}; expected {expected}. A file with names instead of codes is read "
                "with `waypost import`"
            )


def _converted(column: pa.ChunkedArray, name: str) -> pa.Array:
    """One column of a row group as one array of the type that `EVENT` has."""
    values = column.combine_chunks() if column.num_chunks != 1 else column.chunk(0)
    if pa.types.is_timestamp(values.type):
        values = values.cast(pa.timestamp("us", values.type.tz))
    if values.null_count and name not in _MAY_BE_NULL:
        if name != "channel":
            raise BadHistory(f"Column {name} has {values.null_count} null values; every event needs one")
        values = values.fill_null(0)
    try:
        return values.cast(_TYPES[name], safe=not pa.types.is_floating(_TYPES[name]))
    except pa.ArrowInvalid as error:
        raise BadHistory(f"Column {name} does not fit {_TYPES[name]}: {error}") from error


def _values(array: pa.Array) -> NDArray[Any]:
    """The numbers of an array, without a copy; the value at a null is arbitrary."""
    dtype = np.dtype(array.type.to_pandas_dtype())
    return np.frombuffer(array.buffers()[1], dtype, len(array), array.offset * dtype.itemsize)


def _validity(array: pa.Array) -> NDArray[np.uint8]:
    """One bit a value, lowest first, 0 at a null. A row group as read starts at a whole byte."""
    bits = array.buffers()[0] if array.null_count else None
    return np.full((len(array) + 7) // 8, 255, np.uint8) if bits is None else np.frombuffer(bits, np.uint8)


def _customers(run: Run) -> list[NDArray[np.int32]]:
    """The customers' codes of each row group."""
    file, groups = run
    tables = (file.read_row_group(group, ["customer"], use_threads=False) for group in groups)
    codes = [_values(_converted(table["customer"], "customer")) for table in tables]
    if any(len(part) and part.min() < 0 for part in codes):
        raise BadHistory("Column customer has negative codes; expected whole numbers from 0")
    return codes


def _count_all(codes: Iterable[NDArray[np.int32]], counts: NDArray[np.int64]) -> None:
    for part in codes:
        _count(part, counts)


def _place_all(
    run: Run, codes: list[NDArray[np.int32]], places: NDArray[np.int64], events: NDArray[np.void]
) -> list[tuple[int, int, bool]]:
    """Write the events of a run to their places.

    Returns for each row group the first and the last `received` and whether it ascends between them.
    """
    file, groups = run
    names = [name for name in _TYPES if name != "customer" and name in file.schema_arrow.names]
    received = []
    for group, part in zip(groups, codes, strict=True):
        table = file.read_row_group(group, names, use_threads=False)
        columns = {name: _converted(table[name], name) for name in names}
        columns.setdefault("received", columns["at"])
        for name, value in _ABSENT.items():
            if name not in columns:
                columns[name] = pa.repeat(pa.scalar(value, _TYPES[name]), len(part))
        values = {name: _values(array) for name, array in columns.items()}
        _check_values(values)
        item, category, quantity, amount, score = (_validity(columns[name]) for name in _MAY_BE_NULL)
        _place(
            values["at"], values["received"], values["kind"], values["channel"], part,
            values["item"], values["category"], values["quantity"], values["amount"], values["score"],
            item, category, quantity, amount, score, places, events,
        )  # fmt: skip
        if len(part):
            times = values["received"]
            received.append((int(times[0]), int(times[-1]), bool(np.all(times[1:] >= times[:-1]))))
    return received


def _check_values(values: Mapping[str, NDArray[Any]]) -> None:
    """Refuse unknown kinds and channels and times before 1990, as `features/sources/fields` does."""
    for name, members in (("kind", Kind), ("channel", Channel)):
        unknown = np.setdiff1d(np.flatnonzero(_occurring(values[name])), [int(member) for member in members])
        if len(unknown):
            raise BadHistory(f"Column {name} holds {unknown[0]}, which is no {name}; see features/events.py")
    if len(values["at"]) and values["at"].min() < EARLIEST:
        raise BadHistory(f"Column at holds {values['at'].min()}; expected microseconds since the epoch, after 1990")


def _ascending(received: list[tuple[int, int, bool]]) -> bool:
    """Whether the file is sorted by `received`, from its row groups' first and last."""
    return all(inside for _, _, inside in received) and all(
        before[1] <= after[0] for before, after in pairwise(received)
    )


def _check_order(events: NDArray[np.void]) -> None:
    """Raise BadHistory when a customer's events are not in the order in which they were received."""
    times = events["received"]
    falls = np.flatnonzero(times[1:] < times[:-1]) + 1
    wrong = falls[events["customer"][falls] == events["customer"][falls - 1]]
    if len(wrong):
        raise BadHistory(
            f"The events of customer {events['customer'][wrong[0]]} are not in the order in which they were received; "
            "sort the file by `received`"
        )


@njit(cache=True, nogil=True)
def _count(codes, counts):  # type: ignore[no-untyped-def]
    for i in range(len(codes)):
        counts[codes[i]] += 1


@njit(cache=True, nogil=True)
def _occurring(codes):  # type: ignore[no-untyped-def]
    """Which of the codes 0 to 255 occur: bool[256]."""
    occurring = np.zeros(256, np.bool_)
    for i in range(len(codes)):
        occurring[codes[i]] = True
    return occurring


@njit(cache=True, nogil=True, forceinline=True)
def _known(bits, i):  # type: ignore[no-untyped-def]
    return (bits[i >> 3] >> (i & 7)) & 1 != 0


@intrinsic
def _prefetch(typing, record):  # type: ignore[no-untyped-def]
    """The processor's prefetch of a record: of its first and its last byte, which may be in two cache lines."""

    def generate(context, builder, signature, arguments):  # type: ignore[no-untyped-def]
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        shape = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        prefetch = builder.module.declare_intrinsic("llvm.prefetch", [byte], shape)
        first = builder.bitcast(arguments[0], byte)
        for place in (first, builder.gep(first, [number(record.size - 1)])):
            builder.call(prefetch, [place, number(1), number(3), number(1)])  # to be written, kept near, data
        return context.get_dummy_value()

    return types.void(record), generate


def _bring(record: np.void) -> None:
    """Prefetch the memory of a record that will be written soon, without waiting for it."""


@overload(_bring)
def _bring_compiled(record):  # type: ignore[no-untyped-def]
    def call(record):  # type: ignore[no-untyped-def]
        _prefetch(record)  # type: ignore[call-arg]

    return call


@njit(cache=True, nogil=True)
def _place(  # type: ignore[no-untyped-def]
    at, received, kind, channel, customer, item, category, quantity, amount, score,
    item_known, category_known, quantity_known, amount_known, score_known, places, events,
):  # fmt: skip
    """Write row i, of customer c, as record to events[places[c]], and move places[c] on.

    The places are scattered over the memory, and waiting for them one by one would take most of the time; so those of a
    batch are prefetched before the first of them is written. Null values are read like others: a choice between two
    values costs less than a branch that cannot be predicted.
    """
    batch = np.empty(BATCH, np.int64)
    for first in range(0, len(customer), BATCH):
        last = min(first + BATCH, len(customer))
        for i in range(first, last):
            c = customer[i]
            batch[i - first] = places[c]
            places[c] += 1
            _bring(events[batch[i - first]])
        for i in range(first, last):
            e = events[batch[i - first]]
            item_i, category_i, quantity_i, amount_i, score_i = item[i], category[i], quantity[i], amount[i], score[i]
            e["at"] = min(at[i], received[i])
            e["received"] = received[i]
            e["amount"] = amount_i if _known(amount_known, i) else np.nan
            e["customer"] = customer[i]
            e["item"] = max(item_i, NO_CODE) if _known(item_known, i) else NO_CODE
            e["category"] = max(category_i, NO_CODE) if _known(category_known, i) else NO_CODE
            e["quantity"] = quantity_i if _known(quantity_known, i) else np.float32(np.nan)
            e["score"] = score_i if _known(score_known, i) else np.float32(np.nan)
            e["kind"] = kind[i]
            e["channel"] = channel[i]
            e["_reserved"] = 0
