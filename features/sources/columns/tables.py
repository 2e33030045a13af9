"""The columnar form of each source that has one: a new one is an entry here."""

from __future__ import annotations

from collections.abc import Iterator

from features.sources.columns import mapped, rees46, taobao
from features.sources.columns.batch import Batch
from features.sources.columns.csv_batches import can_be_columns, csv_batches
from features.sources.columns.portions import Columnar
from features.sources.columns.row_by_row import RowByRow
from features.sources.contract import Parse, Reading
from features.sources.formats import rees46 as rees46_format
from features.sources.formats import taobao as taobao_format
from features.sources.formats.mapped_rows import Rows
from features.sources.readers.csvfile import CsvReading
from features.sources.readers.lines import LineReading

FORMS: dict[Parse, Columnar] = {rees46_format.parse: rees46.COLUMNAR, taobao_format.parse: taobao.COLUMNAR}
"""By how a record is parsed. A mapping makes its own."""


def batches(reading: Reading, rows: RowByRow) -> Iterator[Batch] | None:
    """The batches of a table, as `RowByRow.batches` gives them, though of other sizes; None for what is no such table.

    Raises FileUnreadable where the file breaks off.
    """
    parse = rows.source.parse
    columnar = mapped.columnar(parse) if isinstance(parse, Rows) else FORMS[parse]
    if columnar is None or isinstance(reading, LineReading):
        return None
    if isinstance(reading, CsvReading):
        return csv_batches(reading, rows, columnar) if can_be_columns(reading.records) else None
    from features.sources.columns import parquet_batches as parquet  # it needs pyarrow, which is an extra
    from features.sources.readers.parquet import ParquetReading

    if isinstance(reading, ParquetReading) and parquet.can_be_columns(reading.schema, columnar):
        return parquet.parquet_batches(reading, rows, columnar)
    return None
