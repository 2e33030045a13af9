"""The columns of a batch of Parquet: texts, and values of other types; and the bytes that stand for each row."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as arrow
from numpy.typing import NDArray

from features.sources.columns import plain
from features.sources.columns.table import Column
from features.sources.columns.texts import Texts, joined, none_of, texts_of
from features.sources.fields.fields import LARGEST
from features.sources.readers.parquet import line, values_of

_ESCAPED = np.zeros(256, np.bool_)
_ESCAPED[:32] = _ESCAPED[list(b'"\\')] = True
"""The bytes that JSON escapes in a text that may hold more than ASCII."""


def column_of(array: arrow.Array) -> Column | None:
    """The values of a column; None for a type whose values have parts."""
    if arrow.types.is_dictionary(array.type):
        array = array.dictionary_decode()
    kind = array.type
    if arrow.types.is_null(kind):
        return none_of(len(array))
    if arrow.types.is_string(kind) or arrow.types.is_large_string(kind):
        return _texts(array)
    return None if arrow.types.is_nested(kind) else ArrowValues(array)


def rows_of(batch: arrow.RecordBatch) -> Texts:
    """The bytes of each row, as `ParquetReading` gives them to a record."""
    parts: list[bytes | Texts] = []
    for name, array in zip(batch.schema.names, batch.columns, strict=True):
        parts += [b"," if parts else b"{", f"{line(name)}:".encode(), *_written(array)]
    return joined(len(batch), [*parts, b"}"])


def _written(array: arrow.Array) -> list[bytes | Texts]:
    """The values of a column as JSON."""
    column = column_of(array)
    absent = array.is_null().to_numpy(zero_copy_only=False)
    if isinstance(column, Texts):
        state = np.empty(len(array), np.uint8)
        plain.find_special(*column, _ESCAPED, state)
        rows = np.flatnonzero(state != plain.PLAIN)
        codes, values = column.rows(rows).distinct()
        escaped = column.replaced(rows, texts_of([line(value)[1:-1] for value in values], codes))
        quote = texts_of(['"', ""], absent.astype(np.int32))
        return [quote, _null(escaped, absent), quote]
    if column is None:
        values = values_of(array)
        return [texts_of([line(value) for value in values], np.arange(len(values), dtype=np.int32))]
    if (digits := column.digits()) is not None:
        return [_null(digits, absent)]
    codes, values = column.distinct()
    return [texts_of([line(value) for value in values], codes)]


def _null(texts: Texts, absent: NDArray[np.bool_]) -> Texts:
    rows = np.flatnonzero(absent)
    return texts.replaced(rows, texts_of(["null"], np.zeros(len(rows), np.int32)))


def _texts(array: arrow.Array) -> Texts:
    array = array.cast(arrow.large_string())
    _, places, memory = array.buffers()
    bounds = np.frombuffer(places, np.int64)[array.offset : array.offset + len(array) + 1]
    whole = np.frombuffer(memory, np.uint8)[: bounds[-1]] if memory is not None else np.empty(0, np.uint8)
    whole = whole[bounds[0] :]
    begins, ends = (bounds[:-1] - bounds[0]).astype(np.int32), (bounds[1:] - bounds[0]).astype(np.int32)
    if array.null_count:
        ends = np.where(array.is_null().to_numpy(zero_copy_only=False), begins, ends)
    return Texts(whole, begins, ends)


class ArrowValues:
    """A column of Arrow as `features.sources.columns.values.Values`."""

    def __init__(self, array: arrow.Array) -> None:
        self._array = array
        kind = array.type
        self.are_texts = bool(arrow.types.is_string(kind) or arrow.types.is_large_string(kind))

    def distinct(self) -> tuple[NDArray[np.int32], list[Any]]:
        """A code for each row, and the values that the codes stand for."""
        encoded = self._array.dictionary_encode(null_encoding="encode")
        return encoded.indices.to_numpy(zero_copy_only=False).astype(np.int32), values_of(encoded.dictionary)

    def digits(self) -> Texts | None:
        """Whole numbers as their digits; None for another type."""
        return _texts(self._array.cast(arrow.large_string())) if arrow.types.is_integer(self._array.type) else None

    def numbers(self) -> NDArray[np.float64] | None:
        """Numbers that `fields.number` gives as they are, NaN where there is none; None for others."""
        if not arrow.types.is_float64(self._array.type):
            return None
        numbers = np.array(self._array.fill_null(np.nan).to_numpy(zero_copy_only=False))
        return numbers if (np.isnan(numbers) | ((numbers >= 0) & (numbers <= LARGEST))).all() else None

    def times(self) -> NDArray[np.int64] | None:
        """Microseconds UTC, 0 where there is none; None for a type that is no date and time."""
        if not arrow.types.is_timestamp(self._array.type):
            return None
        micros = self._array.cast(arrow.timestamp("us", tz=self._array.type.tz), safe=False).cast(arrow.int64())
        return np.array(micros.fill_null(0).to_numpy(zero_copy_only=False))
