"""Files of which every line is read by itself, as JSON lines: read on all cores, and exactly as on one.

Worker processes take runs of lines, each as if it were a file of its own. What runs through the whole file is settled
afterwards, in the order of the file: the number of a repeated record, and the first currency. Where a worker took
either for another than it is, its lines are read again with what is now known.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import NamedTuple

import polars as pl

from features.cores import thread_count
from features.sources.columns.batch import Batch
from features.sources.columns.row_by_row import RowByRow
from features.sources.columns.workers import Workers
from features.sources.contract import FileUnreadable, Reading
from features.sources.fields.message_ids import Identities
from features.sources.formats import SOURCES
from features.sources.readers.lines import LineReading, Lines
from features.sources.readers.packed import is_packed
from features.sources.report import ImportReport

SMALL = 32 << 20
"""Bytes of lines that are read sooner than workers are there."""

PACKED = 8
"""How many times shorter JSON lines are when they are packed, about."""

RUN = 4 << 20
"""Bytes of the lines that a worker takes at a time."""

RUNS = 16
"""Runs of a batch: a fixed part of the file, whatever the machine, so that the same file makes the same batches."""


class Run(NamedTuple):
    """Consecutive lines of a file."""

    text: bytes
    """The lines without their ends, with a line feed between each two."""
    number: int
    """The number of the first one in the file, from 1."""
    done: int
    """How much of the file is read with them, bytes."""
    currency: str
    """The first currency of the file, as far as it is known before them."""
    identities: list[str] | None = None
    """The ids of those records that have none of their own; None where they are not known."""


class Answer(NamedTuple):
    """What the lines of a run are, if its currency and its identities are right."""

    batch: Batch
    unnumbered: list[str]
    """What the ids of the records without one are before they are numbered."""
    identities: list[str]
    """The ids that they were given."""
    currency: str
    """The first currency of the file, as far as it is known after them."""


def batches(reading: Reading, rows: RowByRow) -> Iterator[Batch] | None:
    """The batches of a file, as `RowByRow.batches` gives them, though of other sizes; None for a file that is better
    read there: a small one, one on a single core, one that is not read by lines or by a mapping, which learns from
    each record how to read the next."""
    cores = thread_count(None)
    if cores == 1 or not isinstance(reading, LineReading) or SOURCES.get(rows.source.name) is not rows.source:
        return None
    size = reading.total * (PACKED if is_packed(reading.lines.path) else 1)
    return _batches(reading, rows, cores) if size > SMALL else None


def _batches(reading: LineReading, rows: RowByRow, cores: int) -> Iterator[Batch]:
    task = Task(reading, rows)
    with Workers(task, cores) as workers:
        yield from shared(reading, rows, task, workers)


def shared(reading: LineReading, rows: RowByRow, task: Task, workers: Workers[Run, Answer]) -> Iterator[Batch]:
    """The batches of a file that is shared among workers, which do `task`. Raises FileUnreadable where it breaks off,
    after a batch of what was read."""
    whole = _Whole(reading.lines, rows)
    settled = (whole.settled(run, answer, task) for run, answer in workers.answers(whole.runs()))
    while parts := list(islice(settled, RUNS)):
        yield _joined(parts)
    if whole.fault:
        raise whole.fault


class Task:
    """Reads the lines of a run, one by one, each time from the beginning: what it read before changes nothing."""

    def __init__(self, reading: LineReading, rows: RowByRow) -> None:
        self._records, self._rows = reading.records, rows

    def __call__(self, run: Run) -> Answer:
        rows = self._rows
        rows.identities = identities = _Ids(rows.source.name, run.identities)
        rows.currencies.first = run.currency
        for place, record in enumerate(self._records(_Lines(run))):
            rows.take(record, place)
        return Answer(rows.batch(run.done), identities.unnumbered_ids, identities.given, rows.currencies.first)


class _Ids(Identities):
    """The ids of a run: those that are known, else those of a file of its own. It keeps them in their order."""

    def __init__(self, prefix: str, known: list[str] | None) -> None:
        super().__init__(prefix)
        self.unnumbered_ids: list[str] = []
        self.given: list[str] = []
        self._known = known

    def __call__(self) -> str:
        identity = self.unnumbered()
        self.unnumbered_ids.append(identity)
        self.given.append(self.numbered(identity) if self._known is None else self._known[len(self.given)])
        return self.given[-1]


class _Lines:
    """The lines of a run."""

    def __init__(self, run: Run) -> None:
        self.number = run.number - 1
        self._lines = run.text.split(b"\n")

    def __iter__(self) -> Iterator[bytes]:
        for line in self._lines:
            self.number += 1
            yield line


class _Whole:
    """A file, and what runs through it, as far as its runs are settled."""

    def __init__(self, lines: Lines, rows: RowByRow) -> None:
        self.fault: FileUnreadable | None = None
        """Why the file cannot be read to its end, once that is known."""
        self._lines = lines
        self._identities = rows.identities
        self._currency = rows.currencies.first

    def runs(self) -> Iterator[Run]:
        """The runs of the file, up to where it breaks off."""
        lines, held, size = self._lines, [], 0
        try:
            for line in lines:
                held.append(line)
                size += len(line) + 1
                if size >= RUN:
                    yield self._run(held)
                    held, size = [], 0
        except FileUnreadable as fault:
            self.fault = fault
        if held:
            yield self._run(held)

    def _run(self, lines: list[bytes]) -> Run:
        return Run(b"\n".join(lines), self._lines.number - len(lines) + 1, self._lines.done(), self._currency)

    def settled(self, run: Run, answer: Answer, task: Task) -> Batch:
        """The batch of the next run, after all before it."""
        identities = [self._identities.numbered(identity) for identity in answer.unnumbered]
        other = run.currency != self._currency and answer.currency not in ("", self._currency)
        if other or identities != answer.identities:
            answer = task(run._replace(currency=self._currency, identities=identities))
        self._currency = self._currency or answer.currency
        return answer.batch


def _joined(parts: Sequence[Batch]) -> Batch:
    """Consecutive batches as one."""
    report = ImportReport(parts[0].report.source)
    frames = []
    for part in parts:
        frames.append(part.events.with_columns(pl.col("record") + report.records))
        report.add(part.report)
    dead_letters = [letter for part in parts for letter in part.dead_letters]
    return Batch(pl.concat(frames), dead_letters, report, parts[-1].done)
