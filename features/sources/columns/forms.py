"""Which sources are read in columns, and which record by record. FORMS: one columnar form per source."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from features.sources.columns import by_lines
from features.sources.columns.batch import Batch
from features.sources.columns.row_by_row import RowByRow
from features.sources.contract import Reading

Form = Callable[[Reading, RowByRow], Iterator[Batch] | None]
"""Reads a file in columns, with the batches and the errors of `RowByRow.batches`; records that the columns cannot
decide go through `RowByRow.take` at their places. None for a file that it knows no columns of."""

FORMS: dict[str, Form] = {}
"""The columnar forms, by the name of the source."""


def batches(reading: Reading, rows: RowByRow) -> Iterator[Batch]:
    """The batches of a file, in columns where its source has them. Raises FileUnreadable where the file breaks off."""
    form = FORMS.get(rows.source.name)
    return (form(reading, rows) if form else None) or by_lines.batches(reading, rows) or rows.batches(reading)
