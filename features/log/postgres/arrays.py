"""Whole columns for PostgreSQL: arrays in its binary format, encoded at once instead of value by value.

The format is that of `array_recv`: number of dimensions, whether there are nulls, the type of the elements, length,
lower bound, and then each element after its length in bytes. All numbers are big-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray
from psycopg.abc import Buffer
from psycopg.adapt import Dumper
from psycopg.pq import Format

_HEADER = struct.Struct(">iiIii")
_LENGTH = struct.Struct(">i")
_NULL = _LENGTH.pack(-1)

_TYPES = {"int2": (21, ">i2"), "int4": (23, ">i4"), "int8": (20, ">i8"), "float8": (701, ">f8")}
_BYTEA, _TEXT = 17, 25


class Column(bytes):
    """An encoded array. The statement names its type: `%b::int8[]`."""


class ColumnDumper(Dumper):
    """Sends a column as it is."""

    format = Format.BINARY

    def dump(self, obj: Column) -> Buffer:
        """The bytes of the column."""
        return obj


def numbers(values: ArrayLike, kind: str) -> Column:
    """A column of `int2`, `int4`, `int8` or `float8`."""
    oid, form = _TYPES[kind]
    plain = np.asarray(values)
    cells = np.empty(len(plain), [("length", ">i4"), ("value", form)])
    cells["length"] = cells.dtype["value"].itemsize
    cells["value"] = plain
    return _column(oid, len(plain), cells.tobytes())


def records(values: NDArray[np.void]) -> Column:
    """A column of `bytea`: each record of an array as it lies in memory."""
    cells = np.empty(len(values), [("length", ">i4"), ("value", f"V{values.dtype.itemsize}")])
    cells["length"] = values.dtype.itemsize
    cells["value"] = np.ascontiguousarray(values).view(f"V{values.dtype.itemsize}")
    return _column(_BYTEA, len(values), cells.tobytes())


def texts(values: Sequence[str | None]) -> Column:
    """A column of `text`, None as NULL."""
    cells = []
    for value in values:
        if value is None:
            cells.append(_NULL)
        else:
            spelt = value.encode()
            cells += [_LENGTH.pack(len(spelt)), spelt]
    return _column(_TEXT, len(values), b"".join(cells))


def _column(oid: int, length: int, cells: bytes) -> Column:
    # The second number says that there may be nulls, which does no harm where there are none.
    return Column(_HEADER.pack(1, 1, oid, length, 1) + cells)
