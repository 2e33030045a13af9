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
        self._encoding = encoding
        self._lines = Lines(path)
        self.total = self._lines.total
        self.done = self._lines.done
        self._iterator = iter(self._lines)
        self._waiting: deque[tuple[int, bytes]] = deque()
        first = next(self._iterator, b"")
        if separator := _SEPARATOR.fullmatch(first):  # what Excel writes above the header
            delimiter, first = delimiter or separator[1].decode("ascii"), next(self._iterator, b"")
        unquoted = _QUOTED.sub("", first.decode(encoding, "replace"))
        self._delimiter = delimiter or max(_DELIMITERS, key=unquoted.count)
        self._header = self._read_header(first, required, header)

    def _read_header(self, first: bytes, required: Collection[str], header: tuple[str, ...] | None) -> tuple[str, ...]:
        path = self._lines.path
        if not first:
            raise FileUnreadable(f"{path} is empty; expected a line that names the columns")
        try:
            names = next(csv.reader([first.decode(self._encoding, "replace")], delimiter=self._delimiter))
        except csv.Error as error:
            raise FileUnreadable(f"{path} is no CSV file: {error}; expected a line that names the columns") from error
        columns = tuple(text.strip() for text in names)
        if header is not None and len(columns) == len(header) and not set(columns) & set(header):
            self._waiting.append((self._lines.number, first))
            return header
        require(path, columns, required)
        return columns

    def __iter__(self) -> Iterator[Record]:
        header, delimiter, width, encoding = self._header, self._delimiter, len(self._header), self._encoding
        for number, line in self._numbered():
            if b'"' in line:
                yield self._quoted(number, line)
                continue
            if not line:
                continue
            try:
                values = line.decode(encoding).split(delimiter)
            except UnicodeDecodeError:
                yield Record(number, line, {}, self._undecoded(line))
                continue
            if len(values) == width:
                yield Record(number, line, dict(zip(header, values, strict=True)))
            else:
                fault = too_long() if is_cut(line) else self._miscounted(values)
                yield Record(number, line, dict(zip(header, values, strict=False)), fault)

    def _numbered(self) -> Iterator[tuple[int, bytes]]:
        lines, waiting = self._lines, self._waiting
        while True:
            while waiting:
                yield waiting.popleft()
            for line in self._iterator:
                yield lines.number, line
                if waiting:
                    break
            else:
                if not waiting:
                    return

    def _next(self) -> tuple[int, bytes] | None:
        line = next(self._iterator, None)
        return None if line is None else (self._lines.number, line)

    def _quoted(self, number: int, line: bytes) -> Record:
        """The record that begins with this line, which holds a quote."""
        if (values := self._unquoted(line)) is not None:
            return Record(number, line, dict(zip(self._header, values, strict=True)))
        whole, more = line, list[tuple[int, bytes]]()
        while whole.count(b'"') % 2 and len(more) < MOST_LINES and len(whole) < LONGEST_LINE:
            following = self._waiting.popleft() if self._waiting else self._next()
            if following is None:
                break
            more.append(following)
            whole += b"\n" + following[1]
        try:
            text = whole.decode(self._encoding)
            values = (
                next(csv.reader([text], delimiter=self._delimiter, strict=True)) if text.count('"') % 2 == 0 else []
            )
        except (csv.Error, UnicodeDecodeError):
            values = []
        if len(values) == len(self._header):
            return Record(number, whole, dict(zip(self._header, values, strict=True)))
        self._waiting.extendleft(reversed(more))
        return Record(number, line, {}, self._broken(line))

    def _unquoted(self, line: bytes) -> list[str] | None:
        """The values of a line whose quotes are characters of the values, such as inches; None when they are not."""
        try:
            values = line.decode(self._encoding).split(self._delimiter)
        except UnicodeDecodeError:
            return None
        quoted = any(value.lstrip().startswith('"') for value in values)
        return None if quoted or len(values) != len(self._header) else values

    def _broken(self, line: bytes) -> BadRecord:
        """What is wrong with a line that holds a quote, read as a record by itself."""
        try:
            text = line.decode(self._encoding)
            values = next(csv.reader([text], delimiter=self._delimiter, strict=True), [])
        except UnicodeDecodeError:
            return self._undecoded(line)
        except csv.Error as error:
            reason = "the quote is never closed" if text.count('"') % 2 else str(error)
            return BadRecord(self._header[self._place(text)], f"broken CSV: {reason}")
        return self._miscounted(values)

    def _place(self, text: str) -> int:
        """The column at which a broken line goes wrong: the first that is not a whole value before a delimiter."""
        delimiter = re.escape(self._delimiter)
        value = re.compile(rf'(?:"(?:[^"]|"")*"|(?!")[^{delimiter}]*){delimiter}')
        column, at = 0, 0
        while column < len(self._header) - 1 and (match := value.match(text, at)):
            column, at = column + 1, match.end()
        return column

    def _miscounted(self, values: list[str]) -> BadRecord:
        width = len(self._header)
        if len(values) < width:
            return BadRecord(self._header[len(values)], f"missing: the line has {len(values)} of {width} values")
        return BadRecord(self._header[-1], f"the line has {len(values)} values, expected {width}")

    def _undecoded(self, line: bytes) -> BadRecord:
        name = self._encoding.upper()
        text = line.decode(self._encoding, "surrogateescape")
        values = next(csv.reader([text], delimiter=self._delimiter), [])
        for column, value in zip(self._header, values, strict=False):
            if any("\udc80" <= letter <= "\udcff" for letter in value):
                remedy = 'name the encoding in a mapping, encoding = "cp1252", or convert the file'
                return BadRecord(column, f"not {name}; {remedy}: iconv -f CP1252 -t UTF-8")
        return BadRecord("", f"not {name}")
