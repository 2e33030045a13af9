"""The lines of a block of CSV, and the values of each, as places in its bytes: one pass of compiled code.

A line is `PLAIN` when it is sure what its values are: it holds the right number of them, and a quote stands only around
whole values. Any other line is left to `features.sources.readers.csvfile`.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.sources.columns.blocks import Block
from features.sources.readers.lines import LONGEST_LINE

PLAIN, EMPTY, OTHER = 0, 1, 2
"""What a line is: its values are known; there is nothing in it; it takes the reader of CSV."""

LONGEST_QUOTED = 131_072
"""Bytes of the longest line with quotes that is split here: the csv module refuses a longer value."""


class Lines(NamedTuple):
    """The lines of a block."""

    text: bytes
    memory: NDArray[np.uint8]
    """The same bytes as numbers."""
    begins: NDArray[np.int32]
    """Where each line begins."""
    ends: NDArray[np.int32]
    """Where its content ends, before the line end."""
    state: NDArray[np.uint8]
    """`PLAIN`, `EMPTY` or `OTHER`."""
    value_begins: NDArray[np.int32]
    """Where the values of a plain line begin: a row for each column of the file that is used."""
    value_ends: NDArray[np.int32]
    """Where they end."""

    def line(self, number: int) -> bytes:
        """The bytes of a line, as `features.sources.readers.lines.Lines` gives it: cut when it is too long."""
        begin = int(self.begins[number])
        after = int(self.begins[number + 1]) if number + 1 < len(self.begins) else len(self.text)
        return self.text[begin : min(after, begin + LONGEST_LINE)].rstrip(b"\r\n")


def lines_of(block: Block, delimiter: bytes, places: NDArray[np.int64], utf8: bool) -> Lines:
    """Split a block. `places` says for each column of the file where its values go, -1 for one that is not used.

    Text beyond ASCII is taken as UTF-8; where the file has another encoding (`utf8` is false), such lines are `OTHER`.
    """
    memory = np.frombuffer(block.text, np.uint8)
    number = int(_count(memory))
    used = int(places.max()) + 1
    begins, ends, state = np.empty(number, np.int32), np.empty(number, np.int32), np.empty(number, np.uint8)
    value_begins, value_ends = np.zeros((used, number), np.int32), np.zeros((used, number), np.int32)
    split = _split_with_quotes if b'"' in block.text else _split
    split(memory, delimiter[0], places, begins, ends, state, value_begins, value_ends)
    lines = Lines(block.text, memory, begins, ends, state, value_begins, value_ends)
    if not block.text.isascii() and not (utf8 and _is_utf8(block.text)):
        wide = np.empty(number, np.bool_)
        _find_wide(memory, begins, ends, wide)
        for row in np.flatnonzero(wide & (state == PLAIN)).tolist():
            if not (utf8 and _is_utf8(lines.line(row))):
                state[row] = OTHER
    if len(others := np.flatnonzero(state != PLAIN)):  # what was found of their values is not theirs
        value_ends[:, others] = value_begins[:, others]
    return lines


def _is_utf8(text: bytes) -> bool:
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True


@njit(cache=True, nogil=True)
def _count(memory: NDArray[np.uint8]) -> int:
    number = 0
    for byte in memory:
        number += byte == 10
    return number


@njit(cache=True, nogil=True)
def _find_wide(memory, begins, ends, wide):  # type: ignore[no-untyped-def]
    """Which lines hold more than ASCII."""
    for row in range(len(begins)):
        high = np.uint8(0)
        for byte in memory[begins[row] : ends[row]]:
            high |= byte
        wide[row] = high >= 128


@njit(cache=True, nogil=True)
def _end(memory, begin, end):  # type: ignore[no-untyped-def]
    """Where a line ends before its line end, of which all carriage returns are a part."""
    while end > begin and memory[end - 1] == 13:
        end -= 1
    return end


@njit(cache=True, nogil=True)
def _split(memory, delimiter, places, begins, ends, state, value_begins, value_ends):  # type: ignore[no-untyped-def]
    """Find the lines and values of a text without quotes, which ends with a newline."""
    width = len(places)
    at = 0
    for row in range(len(begins)):
        begin = value = at
        column = 0
        while True:
            byte = memory[at]
            if byte not in (delimiter, 10):
                at += 1
                continue
            if column < width and places[column] >= 0:
                value_begins[places[column], row] = value
                value_ends[places[column], row] = at
            column += 1
            at += 1
            value = at
            if byte == 10:
                break
        end = _end(memory, begin, at - 1)
        last = places[width - 1]
        if column == width and last >= 0:
            value_ends[last, row] = end
        begins[row], ends[row] = begin, end
        state[row] = PLAIN if column == width and end - begin < LONGEST_LINE - 2 else OTHER
        if end == begin:
            state[row] = EMPTY


@njit(cache=True, nogil=True)
def _quoted(memory, at, delimiter):  # type: ignore[no-untyped-def]
    """Where the quote at `at` is closed; whether it stands around a whole value, and the text holds no control byte."""
    at += 1
    plain = True
    while memory[at] != 34 and memory[at] != 10:
        plain &= memory[at] >= 32
        at += 1
    if memory[at] == 10:
        return at - 1, False
    return at, plain and (memory[at + 1] == delimiter or memory[at + 1] == 10 or memory[at + 1] == 13)


@njit(cache=True, nogil=True)
def _split_with_quotes(memory, delimiter, places, begins, ends, state, value_begins, value_ends):  # type: ignore[no-untyped-def]
    """The same of a text with quotes: a line is plain where they stand around whole values, and hold none."""
    width = len(places)
    at = 0
    for row in range(len(begins)):
        begin = value = at
        column = 0
        plain, quoted, control = True, False, False
        while True:
            value_end = -1
            if memory[at] == 34:
                value, quoted = at + 1, True
                value_end, whole = _quoted(memory, at, delimiter)
                plain &= whole
                at = value_end + 1
            while memory[at] != delimiter and memory[at] != 10:
                plain &= memory[at] != 34
                quoted |= memory[at] == 34
                control |= memory[at] < 32 and memory[at] != 13
                at += 1
            if column < width and places[column] >= 0:
                value_begins[places[column], row] = value
                value_ends[places[column], row] = at if value_end < 0 else value_end
            column += 1
            at += 1
            if memory[at - 1] == 10:
                break
            value = at
        end = _end(memory, begin, at - 1)
        for byte in memory[begin:end]:
            control |= quoted and byte == 13
        last = places[width - 1]
        if column == width and last >= 0 and value_ends[last, row] > end:
            value_ends[last, row] = end
        begins[row], ends[row] = begin, end
        length = end - begin
        plain &= column == width and length < LONGEST_LINE - 2 and not (quoted and (control or length > LONGEST_QUOTED))
        state[row] = EMPTY if length == 0 else (PLAIN if plain else OTHER)
