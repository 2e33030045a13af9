"""Which files are read in columns, which lines on all cores, and which record by record."""

from __future__ import annotations

from collections.abc import Iterator

from features.sources.columns import by_lines
from features.sources.columns.batch import Batch
from features.sources.columns.row_by_row import RowByRow
from features.sources.contract import Reading
from features.sources.formats import rees46, taobao
from features.sources.formats.mapped_rows import Rows
from features.sources.readers.csvfile import CsvReading

SMALL, FEW = 8 << 20, 50_000
"""Bytes of a CSV file, and rows of another table, that are read sooner than the columns have their machine code."""


def batches(reading: Reading, rows: RowByRow) -> Iterator[Batch]:
    """The batches of a file, in columns where its source has them. Raises FileUnreadable where the file breaks off."""
    return _table(reading, rows) or by_lines.batches(reading, rows) or rows.batches(reading)


def _table(reading: Reading, rows: RowByRow) -> Iterator[Batch] | None:
    """The batches of a table of a source that has a columnar form: REES46, Taobao, or a mapping."""
    parse = rows.source.parse
    small = SMALL if isinstance(reading, CsvReading) else FEW
    if reading.total <= small or not (parse in (rees46.parse, taobao.parse) or isinstance(parse, Rows)):
        return None
    from features.sources.columns import tables  # compiles what it runs

    return tables.batches(reading, rows)
