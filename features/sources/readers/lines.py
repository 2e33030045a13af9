"""The lines of a text file, plain or packed, as a stream: one line is in memory, whatever the file's size."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

from features.sources.contract import BadRecord, Record
from features.sources.readers.faults import unreadable
from features.sources.readers.packed import unpacked

LONGEST_LINE = 1 << 20
"""Bytes of the longest line that is read; of a longer one, the beginning is kept as a dead letter."""


class NumberedLines(Protocol):
    """Lines of a file as bytes without their ends, which know their numbers."""

    number: int
    """The number of the line read last, from 1."""

    def __iter__(self) -> Iterator[bytes]:
        """The lines, in a single pass."""
        ...


class Lines:
    """The lines of a text file as bytes without their ends, with their numbers; a line that is too long is cut."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.number = 0
        """The number of the line read last, from 1."""
        self._file: BinaryIO | None = None
        try:
            self.total = path.stat().st_size
        except OSError as error:
            unreadable(path, error)

    def done(self) -> int:
        """Bytes of the file read so far (of the packed file, when it is packed)."""
        if self._file is None:
            return 0
        return self.total if self._file.closed else self._file.tell()

    def __iter__(self) -> Iterator[bytes]:
        try:
            with self.path.open("rb") as self._file:
                yield from self._lines(unpacked(self._file, self.path))
        except (OSError, EOFError, zlib.error) as error:
            unreadable(self.path, error, f" after line {self.number}")

    def _lines(self, text: BinaryIO) -> Iterator[bytes]:
        readline = text.readline
        while line := readline(LONGEST_LINE):
            self.number += 1
            if len(line) == LONGEST_LINE:
                skip_rest(text, line)
            yield line.rstrip(b"\r\n") if self.number > 1 else line.rstrip(b"\r\n").removeprefix(b"\xef\xbb\xbf")


class LineReading:
    """A file of which every line is read by itself, so that any run of its lines can be read apart from the others."""

    def __init__(self, lines: Lines, records: Callable[[NumberedLines], Iterator[Record]]) -> None:
        self.lines, self.records = lines, records
        self.total = lines.total
        self.done = lines.done

    def __iter__(self) -> Iterator[Record]:
        return self.records(self.lines)


def skip_rest(text: BinaryIO, line: bytes) -> None:
    """Skip the rest of a line that was cut."""
    while line and not line.endswith(b"\n"):
        line = text.readline(LONGEST_LINE)


def is_cut(line: bytes) -> bool:
    """Whether a line was longer than `LONGEST_LINE` and was cut."""
    return len(line) == LONGEST_LINE


def too_long() -> BadRecord:
    """The fault of a line that was cut."""
    return BadRecord("", f"the line is longer than {LONGEST_LINE} bytes: no line ends here, or a quote is never closed")
