"""A CSV file in columns: its blocks are read on every core, and put together in their order."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from functools import cache
from typing import NamedTuple

import numpy as np

from features.sources.columns.ahead import Ahead
from features.sources.columns.batch import Batch
from features.sources.columns.blocks import Block, blocks
from features.sources.columns.lines import EMPTY, OTHER, Lines, lines_of
from features.sources.columns.portions import Columnar, Gathering, Portion, portion_of
from features.sources.columns.row_by_row import RowByRow
from features.sources.columns.table import Column, Table
from features.sources.columns.texts import Texts
from features.sources.contract import FileUnreadable, Record
from features.sources.readers.csvfile import CsvReading, CsvRecords

BATCH_BYTES = 64 << 20
"""Bytes of text of a full batch: some 500,000 records."""


def can_be_columns(records: CsvRecords) -> bool:
    """Whether the delimiter is one byte that means nothing else, and ASCII is written as such."""
    return records.delimiter.isascii() and records.delimiter not in '"\r\n' and _holds_ascii(records.encoding)


@cache
def _holds_ascii(encoding: str) -> bool:
    """Whether every text of ASCII is its own bytes in an encoding: all pairs of characters are tried."""
    characters = list(map(chr, range(128)))
    text = "".join(one + other for one in characters for other in characters)
    try:
        return text.encode("ascii").decode(encoding) == text
    except UnicodeDecodeError:
        return False


def csv_batches(reading: CsvReading, rows: RowByRow, columnar: Columnar) -> Iterator[Batch]:
    """The batches of a file. Raises FileUnreadable where it breaks off, after a batch of what was read."""
    gathering = Gathering(rows, columnar.complete)
    size = done = 0
    with Ahead(blocks(reading.path, reading.above), _Parts(reading.records, rows, columnar)) as parts:
        try:
            for part in parts:
                gathering.add(part.portion, _Take(reading.records, parts))
                size, done = size + len(part.block.text), part.block.done
                if size >= BATCH_BYTES:
                    yield gathering.batch(done)
                    size = 0
        except FileUnreadable:
            if not gathering.is_empty:
                yield gathering.batch(done)
            raise
    if not gathering.is_empty:
        yield gathering.batch(done)


class _Part(NamedTuple):
    """A block whose lines are read."""

    block: Block
    lines: Lines
    portion: Portion


class _Parts:
    """Makes parts of blocks, on any thread."""

    def __init__(self, records: CsvRecords, rows: RowByRow, columnar: Columnar) -> None:
        self._records = records
        self._rows = rows
        self._columnar = columnar
        places = {name: place for place, name in enumerate(records.header)}
        self._used = [name for name in columnar.used if name in places]
        self._places = np.full(len(records.header), -1, np.int64)
        self._places[[places[name] for name in self._used]] = np.arange(len(self._used))
        self._utf8 = codecs.lookup(records.encoding).name == "utf-8"

    def __call__(self, block: Block) -> _Part:
        lines = lines_of(block, self._records.delimiter.encode(), self._places, self._utf8)
        columns: dict[str, Column] = {
            name: Texts(lines.memory, lines.value_begins[slot], lines.value_ends[slot])
            for slot, name in enumerate(self._used)
        }
        portion = portion_of(
            Table(columns, lines.state == OTHER),
            lines.state == EMPTY,
            lambda: Texts(lines.memory, lines.begins, lines.ends),
            self._columnar,
            self._rows,
        )
        return _Part(block, lines, portion)


class _Take:
    """Takes records by themselves, which may go on in the parts that follow."""

    def __init__(self, records: CsvRecords, parts: Ahead[Block, _Part]) -> None:
        self._records = records
        self._parts = parts

    def __call__(self, row: int) -> tuple[Record, int]:
        """The record that begins at a line of this part, and how many lines it takes."""
        record = next(self._records.of(self._lines_from(row)))
        return record, record.raw.count(b"\n") + 1

    def _lines_from(self, row: int) -> Iterator[tuple[int, bytes]]:
        number = 0
        while part := self._parts.after(number):
            for line in range(row, len(part.lines.begins)):
                yield part.block.first_line + line, part.lines.line(line)
            number, row = number + 1, 0
