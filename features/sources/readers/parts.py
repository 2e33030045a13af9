"""Files whose records hold several records: each part becomes a record of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from features.sources.contract import BadRecord, Reading, Record
from features.sources.readers.lines import LineReading, NumberedLines
from features.sources.readers.readers import read

Apart = Callable[[Mapping[str, Any]], Sequence[Mapping[str, Any]] | None]
"""Splits the values of a record into parts; None when it stays as it is. Raises BadRecord for a record that cannot be
split, which is then rejected as a whole."""


def read_parts(path: Path, apart: Apart) -> Reading:
    """The records of a file, those that `apart` splits in parts. Raises FileUnreadable."""
    reading = read(path)
    if isinstance(reading, LineReading):
        return LineReading(reading.lines, partial(_of_lines, reading.records, apart))
    return _PartsReading(reading, apart)


class _PartsReading:
    """The parts of the records of any other file."""

    def __init__(self, records: Reading, apart: Apart) -> None:
        self._records, self._apart = records, apart
        self.total = records.total
        self.done = records.done

    def __iter__(self) -> Iterator[Record]:
        return _parts(self._records, self._apart)


def _of_lines(
    records: Callable[[NumberedLines], Iterator[Record]], apart: Apart, lines: NumberedLines
) -> Iterator[Record]:
    return _parts(records(lines), apart)


def _parts(records: Iterable[Record], apart: Apart) -> Iterator[Record]:
    for record in records:
        try:
            parts = None if record.fault is not None else apart(record.values)
        except BadRecord as bad:
            yield record._replace(fault=bad)
            continue
        if parts is None:
            yield record
            continue
        for part in parts:
            yield Record(record.position, json.dumps(part).encode(), part)
