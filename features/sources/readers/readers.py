"""The records of a file in any of the known forms: Parquet, JSON lines or CSV, recognised by its first bytes."""

from __future__ import annotations

import zlib
from collections.abc import Collection
from pathlib import Path

from features.sources.contract import FileUnreadable, Reading
from features.sources.readers.csvfile import CsvReading
from features.sources.readers.faults import unreadable
from features.sources.readers.json_lines import json_reading
from features.sources.readers.packed import unpacked

_PARQUET = b"PAR1"
_ZIP = b"PK\x03\x04"
_WORKBOOK = (b"[Content_Types].xml", b"xl/", b"_rels/.rels", b"application/vnd.oasis.opendocument.spreadsheet")
_OTHERS = {
    _ZIP: "a zip archive; unpack it first: unzip {}",
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
        return json_reading(path)
    return CsvReading(path, required, header, delimiter, encoding)


def _beginning(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            beginning = unpacked(file, path).read(512)
    except (OSError, EOFError, zlib.error) as error:
        unreadable(path, error)
    return beginning
