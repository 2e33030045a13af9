"""A log that keeps events in a list: what an import did is seen at a glance."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from numpy.typing import NDArray

from features.events import Event
from features.log.contract import DeadLetter, EventLog
from features.log.frame import events_of
from features.sources import BadRecord, ImportReport, Source, import_file

NOW = 1_800_000_000_000_000
"""2027-01-15: later than everything in the samples."""


class Ledger:
    """The two verbs that an import needs."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.letters: list[DeadLetter] = []
        self.batches: list[int] = []
        self._ids: set[str] = set()

    def append_columns(self, frame: pl.DataFrame) -> NDArray[np.bool_]:
        accepted = []
        for event in events_of(frame):
            accepted.append(event.message_id not in self._ids)
            if accepted[-1]:
                self._ids.add(event.message_id)
                self.events.append(event)
        self.batches.append(len(frame))
        return np.array(accepted, bool)

    def reject(self, letters: Sequence[DeadLetter]) -> int:
        self.letters += letters
        return len(letters)


def take(
    path: Path, source: str | Source, mapping: Path | None = None, *, into: Ledger | None = None
) -> tuple[ImportReport, Ledger]:
    """Import a file into a new ledger, or into a given one."""
    ledger = Ledger() if into is None else into
    log: EventLog = ledger  # type: ignore[assignment]  # an import uses no other verb
    return import_file(log, path, source, mapping, received=NOW), ledger


@contextmanager
def refused(field: str, said: str = "") -> Iterator[None]:
    """What happens inside must raise BadRecord for this field, with this in the reason."""
    with pytest.raises(BadRecord) as caught:
        yield
    assert caught.value.field == field
    assert said in caught.value.reason
    assert caught.value.reason
