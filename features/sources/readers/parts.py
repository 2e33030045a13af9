"""Files whose records hold several records: each part becomes a record of its own."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from features.sources.contract import BadRecord, Record
from features.sources.readers.readers import read


class PartsReading:
    """A file whose records `apart` splits into parts; when it returns None, the record stays as it is.

    `apart` raises BadRecord for a record that cannot be split, which is then rejected as a whole.
    """

    def __init__(self, path: Path, apart: Callable[[Mapping[str, Any]], Sequence[Mapping[str, Any]] | None]) -> None:
        self._records, self._apart = read(path), apart
        self.total = self._records.total
        self.done = self._records.done

    def __iter__(self) -> Iterator[Record]:
        for record in self._records:
            try:
                parts = None if record.fault is not None else self._apart(record.values)
            except BadRecord as bad:
                yield record._replace(fault=bad)
                continue
            if parts is None:
                yield record
                continue
            for part in parts:
                yield Record(record.position, json.dumps(part).encode(), part)
