"""CSV to records, so that a broken line costs that line and nothing after it.

A quote that is never closed would make a plain CSV reader swallow the rest of the file. Here a record may span lines
only while its quotes are open, for at most `MOST_LINES`; when that does not end in a record of the right number of
values, the first line alone is at fault and reading goes on with the second.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Collection, Iterator
from itertools import chain
from pathlib import Path

from features.sources.contract import BadRecord, FileUnreadable, Record
from features.sources.readers.faults import require
from features.sources.readers.lines import LONGEST_LINE, Lines, is_cut, too_long

MOST_LINES = 100
"""Lines of the longest record with line breaks inside quotes."""

_DELIMITERS = ",;\t|"
_SEPARATOR = re.compile(rb"sep=([,;\t|])", re.IGNORECASE)
_QUOTED = re.compile(r'"[^"]*"')


class CsvReading:
    """CSV with a header line, or with `header` given: the values of each line by column, as text."""

    def __init__(
        self,
        path: Path,
        required: Collection[str] = (),
        header: tuple[str, ...] | None = None,
        delimiter: str | None = None,
        encoding: str = "utf-8",
    ) -> None:
        self._lines = Lines(path)
        self.path = path
        self.total = self._lines.total
        self.done = self._lines.done
        self._iterator = iter(self._lines)
        first = next(self._iterator, b"")
        if separator := _SEPARATOR.fullmatch(first):  # what Excel writes above the header
            delimiter, first = delimiter or separator[1].decode("ascii"), next(self._iterator, b"")
        unquoted = _QUOTED.sub("", first.decode(encoding, "replace"))
        delimiter = delimiter or max(_DELIMITERS, key=unquoted.count)
        columns = _columns_of(first, path, delimiter, encoding)
        headless = header is not None and len(columns) == len(header) and not set(columns) & set(header)
        if not headless:
            require(path, columns, required)
        self.records = CsvRecords(header if header is not None and headless else columns, delimiter, encoding)
        self._first = [(self._lines.number, first)] if headless else []
        self.above = self._lines.number - len(self._first)
        """How many lines stand above the first record."""

    def __iter__(self) -> Iterator[Record]:
        return self.records.of(chain(self._first, self._numbered()))

    def _numbered(self) -> Iterator[tuple[int, bytes]]:
        for line in self._iterator:
            yield self._lines.number, line


def _columns_of(first: bytes, path: Path, delimiter: str, encoding: str) -> tuple[str, ...]:
    if not first:
        raise FileUnreadable(f"{path} is empty; expected a line that names the columns")
    try:
        names = next(csv.reader([first.decode(encoding, "replace")], delimiter=delimiter))
    except csv.Error as error:
        raise FileUnreadable(f"{path} is no CSV file: {error}; expected a line that names the columns") from error
    return tuple(text.strip() for text in names)


class CsvRecords:
    """How lines become records: the columns, the delimiter and the encoding of a file."""

    def __init__(self, header: tuple[str, ...], delimiter: str, encoding: str) -> None:
        self.header = header
        self.delimiter = delimiter
        self.encoding = encoding

    def of(self, numbered: Iterator[tuple[int, bytes]]) -> Iterator[Record]:
        """The records of lines with their numbers. A record takes as many lines as it has line ends, and one."""
        waiting: deque[tuple[int, bytes]] = deque()
        while following := waiting.popleft() if waiting else next(numbered, None):
            number, line = following
            if b'"' in line:
                yield self._quoted(number, line, waiting, numbered)
            elif line:
                yield self._unquoted_record(number, line)

    def _unquoted_record(self, number: int, line: bytes) -> Record:
        try:
            values = line.decode(self.encoding).split(self.delimiter)
        except UnicodeDecodeError:
            return Record(number, line, {}, self._undecoded(line))
        if len(values) == len(self.header):
            return Record(number, line, dict(zip(self.header, values, strict=True)))
        fault = too_long() if is_cut(line) else self._miscounted(values)
        return Record(number, line, dict(zip(self.header, values, strict=False)), fault)

    def _quoted(
        self, number: int, line: bytes, waiting: deque[tuple[int, bytes]], numbered: Iterator[tuple[int, bytes]]
    ) -> Record:
        """The record that begins with this line, which holds a quote; lines that it does not need are `waiting`."""
        if (values := self._unquoted(line)) is not None:
            return Record(number, line, dict(zip(self.header, values, strict=True)))
        whole, more = line, list[tuple[int, bytes]]()
        while whole.count(b'"') % 2 and len(more) < MOST_LINES and len(whole) < LONGEST_LINE:
            following = waiting.popleft() if waiting else next(numbered, None)
            if following is None:
                break
            more.append(following)
            whole += b"\n" + following[1]
        try:
            text = whole.decode(self.encoding)
            values = next(csv.reader([text], delimiter=self.delimiter, strict=True)) if text.count('"') % 2 == 0 else []
        except (csv.Error, UnicodeDecodeError):
            values = []
        if len(values) == len(self.header):
            return Record(number, whole, dict(zip(self.header, values, strict=True)))
        waiting.extendleft(reversed(more))
        return Record(number, line, {}, self._broken(line))

    def _unquoted(self, line: bytes) -> list[str] | None:
        """The values of a line whose quotes are characters of the values, such as inches; None when they are not."""
        try:
            values = line.decode(self.encoding).split(self.delimiter)
        except UnicodeDecodeError:
            return None
        quoted = any(value.lstrip().startswith('"') for value in values)
        return None if quoted or len(values) != len(self.header) else values

    def _broken(self, line: bytes) -> BadRecord:
        """What is wrong with a line that holds a quote, read as a record by itself."""
        try:
            text = line.decode(self.encoding)
            values = next(csv.reader([text], delimiter=self.delimiter, strict=True), [])
        except UnicodeDecodeError:
            return self._undecoded(line)
        except csv.Error as error:
            reason = "the quote is never closed" if text.count('"') % 2 else str(error)
            return BadRecord(self.header[self._place(text)], f"broken CSV: {reason}")
        return self._miscounted(values)

    def _place(self, text: str) -> int:
        """The column at which a broken line goes wrong: the first that is not a whole value before a delimiter."""
        delimiter = re.escape(self.delimiter)
        value = re.compile(rf'(?:"(?:[^"]|"")*"|(?!")[^{delimiter}]*){delimiter}')
        column, at = 0, 0
        while column < len(self.header) - 1 and (match := value.match(text, at)):
            column, at = column + 1, match.end()
        return column

    def _miscounted(self, values: list[str]) -> BadRecord:
        width = len(self.header)
        if len(values) < width:
            return BadRecord(self.header[len(values)], f"missing: the line has {len(values)} of {width} values")
        return BadRecord(self.header[-1], f"the line has {len(values)} values, expected {width}")

    def _undecoded(self, line: bytes) -> BadRecord:
        name = self.encoding.upper()
        text = line.decode(self.encoding, "surrogateescape")
        try:
            values = next(csv.reader([text], delimiter=self.delimiter), [])
        except csv.Error:
            values = []
        for column, value in zip(self.header, values, strict=False):
            if any("\udc80" <= letter <= "\udcff" for letter in value):
                remedy = 'name the encoding in a mapping, encoding = "cp1252", or convert the file'
                return BadRecord(column, f"not {name}; {remedy}: iconv -f CP1252 -t UTF-8")
        return BadRecord("", f"not {name}")
