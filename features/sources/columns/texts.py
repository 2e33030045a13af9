"""Texts as places in flat memory, and what compiled code can say of them without making them objects."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import polars as pl
from numba import njit
from numpy.typing import NDArray

from features.sources.columns.arrow import text_series
from features.words import word

Places = NDArray[np.int64]

VIEWED = 12
"""Bytes of the longest text that Arrow keeps in its view."""


class Texts(NamedTuple):
    """A text for each row, in UTF-8; an empty one stands for none at all."""

    memory: NDArray[np.uint8]
    begins: NDArray[np.int32]
    ends: NDArray[np.int32]

    @property
    def present(self) -> NDArray[np.bool_]:
        """Which rows have a text."""
        return self.ends > self.begins

    def at(self, row: int) -> str:
        """The text of a row."""
        return self.memory[self.begins[row] : self.ends[row]].tobytes().decode()

    def rows(self, rows: NDArray[np.intp]) -> Texts:
        """The texts of these rows."""
        return Texts(self.memory, self.begins[rows], self.ends[rows])

    def only(self, chosen: NDArray[np.bool_]) -> Texts:
        """The same texts where `chosen`, and none elsewhere."""
        return Texts(self.memory, self.begins, np.where(chosen, self.ends, self.begins))

    def otherwise(self, other: Texts) -> Texts:
        """These texts, and those of `other` where there is none. Both stand in the same memory, or one is moved."""
        if not self.present.any():
            return other
        memory, shift = self.memory, 0
        if other.memory is not self.memory:
            memory, shift = np.concatenate((self.memory, other.memory)), len(self.memory)
        have = self.present
        return Texts(
            memory,
            np.where(have, self.begins, other.begins + np.int32(shift)),
            np.where(have, self.ends, other.ends + np.int32(shift)),
        )

    def replaced(self, rows: NDArray[np.intp], texts: Texts) -> Texts:
        """These texts, with others at some rows."""
        begins, ends = self.begins.copy(), self.ends.copy()
        begins[rows] = texts.begins + np.int32(len(self.memory))
        ends[rows] = texts.ends + np.int32(len(self.memory))
        return Texts(np.concatenate((self.memory, texts.memory)), begins, ends)

    def scattered(self, rows: NDArray[np.intp], number: int) -> Texts:
        """A text at each of these rows, of so many in all."""
        begins, ends = np.zeros(number, np.int32), np.zeros(number, np.int32)
        begins[rows], ends[rows] = self.begins, self.ends
        return Texts(self.memory, begins, ends)

    def distinct(self) -> tuple[NDArray[np.int32], list[str]]:
        """A code for each row, and the texts that the codes stand for: 0, 1, 2... in order of their first row."""
        number = len(self.begins)
        codes, firsts = np.empty(number, np.int32), np.empty(number, np.int32)
        slots = np.full(1 << max(4, (2 * number).bit_length()), -1, np.int32)
        count = _code(self.memory, self.begins, self.ends, slots, codes, firsts)
        return codes, [self.at(row) for row in firsts[:count].tolist()]

    def series(self) -> pl.Series:
        """The texts as a column, null where there is none."""
        views = np.empty((len(self.begins), 2), np.uint64)
        _view(self.memory, self.begins, self.ends, views)
        return text_series(views, self.present, self.memory)


def none_of(number: int) -> Texts:
    """No text for so many rows."""
    return Texts(np.empty(0, np.uint8), np.zeros(number, np.int32), np.zeros(number, np.int32))


def texts_of(values: Sequence[str], codes: NDArray[np.int32]) -> Texts:
    """For each row the value that its code stands for."""
    encoded = [value.encode() for value in values]
    bounds = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    return Texts(np.frombuffer(b"".join(encoded), np.uint8), bounds[codes], bounds[codes + 1])


def joined(number: int, parts: Sequence[bytes | Texts]) -> Texts:
    """For each of the rows, its texts and the literal bytes between them, one after the other."""
    sizes = np.zeros(number, np.int64)
    for part in parts:
        sizes += len(part) if isinstance(part, bytes) else part.ends - part.begins
    memory, begins, ends = room_for(sizes)
    cursor = begins.copy()
    for part in parts:
        if isinstance(part, bytes):
            write_literal(memory, cursor, np.frombuffer(part, np.uint8))
        else:
            write_texts(memory, cursor, *part)
    return Texts(memory, begins, ends)


def room_for(sizes: NDArray[np.int64]) -> tuple[NDArray[np.uint8], NDArray[np.int32], NDArray[np.int32]]:
    """Memory for texts of these sizes, and where they begin and end."""
    ends = np.cumsum(sizes).astype(np.int32)
    return np.empty(int(ends[-1]) if len(ends) else 0, np.uint8), ends - sizes.astype(np.int32), ends


@njit(cache=True, nogil=True)
def write_literal(memory, cursor, literal):  # type: ignore[no-untyped-def]
    """Write the same bytes at the cursor of every row, and move it behind them."""
    for row in range(len(cursor)):
        for j in range(len(literal)):
            memory[cursor[row] + j] = literal[j]
        cursor[row] += len(literal)


@njit(cache=True, nogil=True)
def write_texts(memory, cursor, source, begins, ends):  # type: ignore[no-untyped-def]
    """Write a text at the cursor of every row, and move it behind the text."""
    for row in range(len(cursor)):
        for j in range(ends[row] - begins[row]):
            memory[cursor[row] + j] = source[begins[row] + j]
        cursor[row] += ends[row] - begins[row]


@njit(cache=True, nogil=True)
def _view(memory, begins, ends, views):  # type: ignore[no-untyped-def]
    """Fill views of Arrow: the length, then the text itself, or its first four bytes, the buffer 0 and its place."""
    for row in range(len(begins)):
        begin = begins[row]
        length = ends[row] - begin
        head = word(memory, begin, min(length, 4))
        views[row, 0] = np.uint64(length) | head << np.uint64(32)
        views[row, 1] = word(memory, begin + 4, length - 4) if length <= VIEWED else np.uint64(begin) << np.uint64(32)


@njit(cache=True, nogil=True)
def _code(memory, begins, ends, slots, codes, firsts):  # type: ignore[no-untyped-def]
    """Code equal texts alike (FNV-1a and open addressing). Returns how many texts there are."""
    count = 0
    mask = len(slots) - 1
    for row in range(len(begins)):
        begin, length = begins[row], ends[row] - begins[row]
        hashed = np.uint64(14695981039346656037)
        for j in range(length):
            hashed = (hashed ^ np.uint64(memory[begin + j])) * np.uint64(1099511628211)
        slot = np.int64((hashed ^ (hashed >> np.uint64(32))) & np.uint64(mask))
        while slots[slot] >= 0:
            first = firsts[slots[slot]]
            equal = ends[first] - begins[first] == length
            j = 0
            while equal and j < length:
                equal = memory[begins[first] + j] == memory[begin + j]
                j += 1
            if equal:
                break
            slot = (slot + 1) & mask
        if slots[slot] < 0:
            slots[slot] = count
            firsts[count] = row
            count += 1
        codes[row] = slots[slot]
    return count
