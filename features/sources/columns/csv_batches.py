"""A CSV file in columns: its blocks are read on every core, and put together in their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from functools import cache
from typing import NamedTuple

import numpy as np

from features.cores import thread_count
from features.sources.columns.batch import Batch
from features.sources.columns.blocks import Block, blocks
from features.sources.columns.lines import EMPTY, OTHER, Lines, lines_of
from features.sources.columns.portions import Columnar, Gathering, Portion, portion_of
from features.sources.columns.row_by_row import RowByRow
from features.sources.columns.table import Table
from features.sources.columns.texts import Texts
from features.sources.contract import FileUnreadable, Record
from features.sources.readers.csvfile import CsvReading, CsvRecords

BATCH_BYTES = 64 << 20
"""Bytes of text of a full batch: some 500,000 records."""


MOST_THREADS = 4
"""More would wait for the one that puts the parts together, and each has some of them in memory."""


def _threads() -> int:
    return min(MOST_THREADS, thread_count(None))


class _Part(NamedTuple):
    """A block whose lines are read."""

    block: Block
    lines: Lines
    portion: Portion


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
    with ThreadPoolExecutor(_threads()) as pool:
        parts = _Parts(reading, rows, columnar, pool)
        gathering = Gathering(rows, columnar.complete)
        size = done = 0
        try:
            while part := parts.ahead(0):
                gathering.add(part.portion, parts.take)
                size, done = size + len(part.block.text), part.block.done
                parts.next()
                if size >= BATCH_BYTES:
                    yield gathering.batch(done)
                    size = 0
        except FileUnreadable:
            if not gathering.is_empty:
                yield gathering.batch(done)
            raise
        if not gathering.is_empty:
            yield gathering.batch(done)


class _Parts:
    """The parts of a file: the one that is being put together, and those after it, which other threads work on."""

    def __init__(self, reading: CsvReading, rows: RowByRow, columnar: Columnar, pool: ThreadPoolExecutor) -> None:
        self._records = reading.records
        self._rows = rows
        self._columnar = columnar
        self._pool = pool
        self._blocks = blocks(reading.path, reading.above)
        self._parts: deque[Future[_Part]] = deque()
        self._fault: FileUnreadable | None = None
        places = {name: place for place, name in enumerate(self._records.header)}
        self._used = [name for name in columnar.used if name in places]
        self._places = np.full(len(self._records.header), -1, np.int64)
        self._places[[places[name] for name in self._used]] = np.arange(len(self._used))

    def next(self) -> None:
        """Go on to the next part."""
        self._parts.popleft()

    def ahead(self, number: int) -> _Part | None:
        """So many parts after this one; None after the last. Raises FileUnreadable where the file breaks off."""
        while len(self._parts) <= max(number, _threads()) and self._fault is None:
            try:
                block = next(self._blocks, None)
            except FileUnreadable as error:
                self._fault = error
                break
            if block is None:
                break
            self._parts.append(self._pool.submit(self._part, block))
        if number < len(self._parts):
            return self._parts[number].result()
        if self._fault is not None:
            raise self._fault
        return None

    def take(self, row: int) -> tuple[Record, int]:
        """The record that begins at a line of this part, and how many lines it takes."""
        record = next(self._records.of(self._lines_from(row)))
        return record, record.raw.count(b"\n") + 1

    def _lines_from(self, row: int) -> Iterator[tuple[int, bytes]]:
        number = 0
        while part := self.ahead(number):
            for line in range(row, len(part.lines.begins)):
                yield part.block.first_line + line, part.lines.line(line)
            number, row = number + 1, 0

    def _part(self, block: Block) -> _Part:
        records = self._records
        lines = lines_of(block, records.delimiter.encode(), self._places, _is_utf8(records.encoding))
        columns = {
            name: Texts(lines.memory, lines.value_begins[slot], lines.value_ends[slot])
            for slot, name in enumerate(self._used)
        }
        table = Table(columns, lines.state == OTHER)
        raw = Texts(lines.memory, lines.begins, lines.ends)
        return _Part(block, lines, portion_of(table, lines.state == EMPTY, raw, self._columnar, self._rows))


def _is_utf8(encoding: str) -> bool:
    import codecs

    return codecs.lookup(encoding).name == "utf-8"
