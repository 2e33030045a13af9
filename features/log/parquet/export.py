"""Exporting a log: one pass over it into partitions by customer, in memory that does not grow with the log."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from hashlib import blake2b
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.files import draft_prefix, settle
from features.log.contract import EventLog, LogError, LogVersion, Records, Vocabulary
from features.log.parquet import exported, folder
from features.log.parquet.exported import COLUMNS, MANIFEST, Manifest, Partition, partition_file
from features.log.parquet.partitioning import Partitioning
from features.log.parquet.tables import MERGES, explained, table_of, write, write_names

BLOCK = 1_000_000
"""Events that are split into partitions at a time: 48 MB of records. Each block adds one row group to a partition."""

MOST_PARTITIONS = 1_000
"""Each partition is an open file while an export is under way."""

BUSY_SECONDS = 1.0

LOCK = "log.lock"
"""The lock file that `folder.sole_writer` holds."""

_FILES = re.compile(r"export-\d{8,}")

Progress = Callable[[int, int], None]
"""Called with (events written, events in all) as the work goes on."""


class Outcome(NamedTuple):
    """The result of an export."""

    manifest: Manifest
    fresh: bool
    """False when the folder already held the same export, and nothing was written."""
    interrupted: bool
    """Whether the folder held files of an interrupted export; they were removed."""


def partitions_for(events: int) -> int:
    """The default number of partitions for a log of so many events: about half a million events in each."""
    return int(np.clip(-(-events // 500_000), 8, MOST_PARTITIONS))


def export(
    log: EventLog, path: str | Path, *, partitions: int | None = None, until: int | None = None,
    progress: Progress | None = None,
) -> Outcome:  # fmt: skip
    """Write what `log` had received by `until` (its newest event by default) into folder `path`, exactly once.

    The export takes effect when its manifest is in place: until then the folder holds what it held before. An export of
    the same log until the same moment is left as it is; one of another state of the log is replaced. Raises LogError
    for an empty log and for a number of partitions outside 1 to `MOST_PARTITIONS`, LogBusy while another process
    exports to the folder, LogVersion for a folder with other things in it.
    """
    home = Path(path).absolute()
    # Read before the events, so that the digest covers no event that arrives meanwhile.
    digest, offset, total, span = log.digest(), log.offset(), log.count(), log.span()
    number = partitions_for(total) if partitions is None else partitions
    if not 1 <= number <= MOST_PARTITIONS:
        raise LogError(f"{number} partitions were requested; expected 1 to {MOST_PARTITIONS:,}")
    if span is None or (until is not None and until < span[0]):
        raise LogError("there are no events to export; import some with: waypost import FILE --source NAME")
    last = span[1] if until is None else min(until, span[1])
    with explained(home):
        _claim(home)
        with folder.sole_writer(home, BUSY_SECONDS):
            before = exported.manifest_of(home)
            interrupted = _swept(home, before)
            if before and (before.log, before.until, len(before.partitions)) == (digest, last, number):
                return Outcome(before, fresh=False, interrupted=interrupted)
            generation = before.generation + 1 if before else 1
            head = _Head(generation, digest, last, offset)
            manifest = _written(log, home, head, number, lambda done: progress and progress(done, total))
            exported.save(home, manifest)
            _swept(home, manifest)
    return Outcome(manifest, fresh=True, interrupted=interrupted)


class _Head(NamedTuple):
    """What is known of an export before it begins: the first fields of its manifest."""

    generation: int
    log: str
    until: int
    offset: int


def _claim(home: Path) -> None:
    """Make the folder when it is missing. Raises LogVersion when it holds other things, so that none is ever removed.

    Every export begins with its lock file: without one, a folder with the name of an export is not an export.
    """
    held = {path.name for path in home.iterdir()} if home.is_dir() else set()
    others = {name for name in held - {MANIFEST, LOCK} if not name.startswith(draft_prefix(MANIFEST))}
    foreign = {name for name in others if LOCK not in held or not _FILES.fullmatch(name)}
    if home.is_file() or foreign:
        raise LogVersion(f"{home} holds other things than an export; name a folder that does not exist yet")
    home.mkdir(parents=True, exist_ok=True)


def _swept(home: Path, manifest: Manifest | None) -> bool:
    """Remove all exports but the one of `manifest`. Returns whether one of them was an interrupted export."""
    counted = "" if manifest is None else manifest.files
    idle = [path for path in home.glob("export-*") if path.name != counted]
    for path in idle:
        shutil.rmtree(path)
    return any(path.name > counted for path in idle)


def _written(log: EventLog, home: Path, head: _Head, number: int, report: Callable[[int], object]) -> Manifest:
    """Write all files of an export. Returns its manifest, which is not in place yet."""
    merges = log.merges()
    merges = merges[merges["received"] <= head.until]
    files = home / f"export-{head.generation:08}"
    files.mkdir()
    write(files / "merges.parquet", table_of(merges.tolist(), MERGES))
    partitions = _Partitions(files, Partitioning(merges, number))
    with partitions:
        for block in blocks(log.scan(until=head.until), BLOCK):
            partitions.add(block)
            report(partitions.events)
    # Read after the events, so that every code in them has its name.
    items = _names(files / "items.parquet", log.items)
    categories = _names(files / "categories.parquet", log.categories)
    customers = partitions.customers
    parts = [
        Partition(part.events, int(ids), part.digest.hexdigest())
        for part, ids in zip(partitions.parts, customers, strict=True)
    ]
    counts = (partitions.events, int(customers.sum()), len(merges), items, categories)
    return Manifest(*head, *counts, partitions.start, partitions.end, tuple(parts))


def _names(path: Path, vocabulary: Vocabulary) -> int:
    """Write the names of a vocabulary. Returns how many codes it has."""
    names = vocabulary.names()
    write_names(path, [name or None for name in names], 0)
    return len(names)


def blocks(chunks: Iterable[Records], size: int) -> Iterator[Records]:
    """The events in pieces of at least `size`; only the last may be smaller."""
    held: list[Records] = []
    for chunk in chunks:
        held.append(chunk)
        if sum(map(len, held)) >= size:
            yield np.concatenate(held)
            held = []
    if held:
        yield np.concatenate(held)


@dataclass
class _Part:
    """One partition that is being written."""

    writer: pq.ParquetWriter
    events: int = 0
    digest: blake2b = field(default_factory=lambda: blake2b(digest_size=16))

    def add(self, records: Records, offsets: NDArray[np.int64]) -> None:
        """Write events as one row group."""
        self.writer.write_table(exported.table_of(records, offsets))
        self.digest.update(records.view(np.uint8).data)
        self.events += len(records)


class _Partitions(ExitStack):
    """The partitions that are being written; when the `with` block ends without an error, they are on the disk."""

    def __init__(self, files: Path, partitioning: Partitioning) -> None:
        super().__init__()
        self._partitioning = partitioning
        self._seen = np.zeros(0, bool)
        self.events, self.start, self.end = 0, 0, 0
        self.parts = [
            self.enter_context(_part(partition_file(files, number))) for number in range(partitioning.partitions)
        ]

    def add(self, events: Records) -> None:
        """Write the next events of the log."""
        codes, received = events["customer"], events["received"]
        partitioning = self._partitioning.of(codes)
        order = np.argsort(partitioning, kind="stable")
        bounds = np.searchsorted(partitioning[order], np.arange(self._partitioning.partitions + 1))
        for part, first, stop in zip(self.parts, bounds[:-1], bounds[1:], strict=True):
            if first < stop:
                places = order[first:stop]
                part.add(events[places], self.events + 1 + places)
        self.start = int(received.min()) if not self.events else min(self.start, int(received.min()))
        self.end = max(self.end, int(received.max()))
        self.events += len(events)
        wider = max(0, int(codes.max()) + 1 - len(self._seen))
        self._seen = np.append(self._seen, np.zeros(wider, bool))
        self._seen[codes] = True

    @property
    def customers(self) -> NDArray[np.int64]:
        """How many ids have events in each partition."""
        codes = np.flatnonzero(self._seen).astype(np.int32)
        return np.bincount(self._partitioning.of(codes), minlength=self._partitioning.partitions)


@contextmanager
def _part(path: Path) -> Iterator[_Part]:
    """A partition to write; its file gets its name once it is on the disk."""
    draft = path.with_suffix(".tmp")
    with pq.ParquetWriter(draft, COLUMNS, compression="zstd") as writer:
        yield _Part(writer)
    settle(draft, path)
