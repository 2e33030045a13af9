"""What the records of a part of a file became: events as columns, dead letters, and counts."""

from __future__ import annotations

from typing import NamedTuple

import polars as pl

from features.log.contract import DeadLetter
from features.sources.report import ImportReport


class Batch(NamedTuple):
    """Consecutive records of a file, read."""

    events: pl.DataFrame
    """Columns of `features.log.frame.SCHEMA`, in the order of the file; `record` counts the records from 0."""
    dead_letters: list[DeadLetter]
    """The records that could not become events, in the order of the file."""
    report: ImportReport
    """On these records alone, and without what only a log knows: which events are new."""
    done: int
    """How much of the file has been read: bytes of a text file, else rows."""
