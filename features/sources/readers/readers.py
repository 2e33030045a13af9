"""Files to records: JSON lines and CSV (plain or gzip'd), and the choice among them and Parquet by content.

Everything is read as a stream: what is in memory is one line, or one batch of rows, whatever the file's size.
"""

from __future__ import annotations

import gzip
import io
import json
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import BinaryIO, NoReturn, cast

from features.sources.contract import BadRecord, FileUnreadable, Reading, Record, shown
from features.sources.readers.broken_json import read as read_json

LONGEST_LINE = 1 << 20
"""Bytes of the longest line that is read; of a longer one, the beginning is kept as a dead letter."""

_GZIP = b"\x1f\x8b"
_PARQUET = b"PAR1"
_ZIP = b"PK\x03\x04"
_WORKBOOK = (b"[Content_Types].xml", b"xl/", b"_rels/.rels", b"application/vnd.oasis.opendocument.spreadsheet")
_OTHERS = {
    _ZIP: "a zip archive; unpack it first: unzip {}",
    b"\x28\xb5\x2f\xfd": "compressed with zstd; unpack it first: zstd -d {}",
    b"\xff\xfe": "UTF-16; convert it first: iconv -f UTF-16 -t UTF-8 {} > utf8.csv",
    b"\xfe\xff": "UTF-16; convert it first: iconv -f UTF-16 -t UTF-8 {} > utf8.csv",
}


def read(
    path: Path,
    required: Collection[str] = (),
    *,
    header: tuple[str, ...] | None = None,
    delimiter: str | None = None,
    encoding: str = "utf-8",
) -> Reading:
    """The records of a file in whichever of the three forms it is: Parquet, JSON lines or CSV.

    `required` columns must be in the header of a table. `header` names the columns of a CSV file that has no header
    line, `encoding` is that of CSV. Raises FileUnreadable.
    """
    beginning = _beginning(path)
    if beginning.startswith(_PARQUET):
        from features.sources.readers.parquet import ParquetReading  # pyarrow is an extra

        return ParquetReading(path, required)
    if beginning.startswith(_ZIP) and any(part in beginning for part in _WORKBOOK):
        raise FileUnreadable(f"{path} is a workbook; save its sheet as CSV, and import that")
    for magic, what in _OTHERS.items():
        if beginning.startswith(magic):
            raise FileUnreadable(f"{path} is {what.format(path)}")
    text = beginning.removeprefix(b"\xef\xbb\xbf").lstrip()
    if text.startswith(b"["):
        raise FileUnreadable(
            f"{path} is one JSON array; expected one object a line: jq -c '.[]' {path} > {path.stem}.jsonl"
        )
    if text.startswith(b"{"):
        if text.partition(b"\n")[0].rstrip().endswith((b"{", b"[", b",")):
            raise FileUnreadable(
                f"{path} is one indented JSON document; expected one object a line. When it holds a list of records, "
                f"such as `orders`: jq -c '.orders[]' {path} > {path.stem}.jsonl"
            )
        return JsonReading(path)
    from features.sources.readers.csvfile import CsvReading  # it builds on this file

    return CsvReading(path, required, header, delimiter, encoding)


def _beginning(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            beginning = file.read(512)
        if beginning.startswith(_GZIP):
            with gzip.open(path) as file:
                beginning = file.read(512)
    except (OSError, EOFError, zlib.error) as error:
        unreadable(path, error)
    return beginning


def unreadable(path: Path, error: Exception, where: str = "") -> NoReturn:
    """Raise FileUnreadable for what the file system, gzip or a table reader said of `path`."""
    if isinstance(error, FileNotFoundError):
        raise FileUnreadable(f"{path} does not exist") from None
    if isinstance(error, IsADirectoryError):
        raise FileUnreadable(f"{path} is a folder; expected a file (import the files of a folder one by one)") from None
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    kept = "; what stands before is imported, and importing the mended file again adds only the rest" if where else ""
    raise FileUnreadable(f"{path} cannot be read{where}: {said}{kept}") from error


class Lines:
    """The lines of a text file as bytes without their ends, with their numbers; a line that is too long is cut."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.number = 0
        """Of the line given last, from 1."""
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
                packed = self._file.peek(2).startswith(_GZIP)
                text = io.BufferedReader(_unpacked(self._file)) if packed else self._file
                yield from self._lines(text)
        except (OSError, EOFError, zlib.error) as error:
            unreadable(self.path, error, f" after line {self.number}")

    def _lines(self, text: BinaryIO) -> Iterator[bytes]:
        readline = text.readline
        while line := readline(LONGEST_LINE):
            self.number += 1
            if len(line) == LONGEST_LINE:
                _skip(text, line)
            yield line.rstrip(b"\r\n") if self.number > 1 else line.rstrip(b"\r\n").removeprefix(b"\xef\xbb\xbf")


def _unpacked(file: BinaryIO) -> io.RawIOBase:
    return cast(io.RawIOBase, gzip.GzipFile(fileobj=file))


def _skip(text: BinaryIO, line: bytes) -> None:
    """Leave the rest of a line that was cut."""
    while line and not line.endswith(b"\n"):
        line = text.readline(LONGEST_LINE)


def is_cut(line: bytes) -> bool:
    """Whether a line was longer than what is read of one."""
    return len(line) == LONGEST_LINE


def too_long() -> BadRecord:
    """The fault of a line that was cut."""
    return BadRecord("", f"the line is longer than {LONGEST_LINE} bytes: no line ends here, or a quote is never closed")


class JsonReading:
    """JSON lines: one object a line; empty lines mean nothing."""

    def __init__(self, path: Path) -> None:
        self._lines = Lines(path)
        self.total = self._lines.total
        self.done = self._lines.done

    def __iter__(self) -> Iterator[Record]:
        lines = self._lines
        decode = json.JSONDecoder().raw_decode
        for line in lines:
            if not line or line.isspace():
                continue
            odd = b"\\ud" in line
            try:
                text = line.decode().strip()
                values, end = decode(text)
                if end < len(text):
                    raise json.JSONDecodeError("more follows the object", text, end)
            except (ValueError, RecursionError) as error:
                try:
                    values, odd = read_json(line), True
                except ValueError:
                    yield Record(lines.number, line, {}, too_long() if is_cut(line) else _json_fault(error))
                    continue
            fault = None
            if type(values) is not dict:
                values, fault = {}, BadRecord("", f"expected a JSON object, got {shown(values)}")
            yield Record(lines.number, line, values, fault, odd)


def _json_fault(error: Exception) -> BadRecord:
    if isinstance(error, json.JSONDecodeError):
        return BadRecord("", f"not JSON: {error.msg} at character {error.pos + 1}")
    if isinstance(error, RecursionError):
        return BadRecord("", "not JSON that can be read: nested too deeply")
    return BadRecord("", f"not JSON that can be read: {error}")
