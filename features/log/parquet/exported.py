"""An export: the log as Parquet files, with all events of one customer in one partition.

    FOLDER/export.json                                   the manifest; replacing it as a whole is the commit
    FOLDER/export-00000001/partition-0000.parquet        events of some customers, in log order
    FOLDER/export-00000001/{merges,items,categories}.parquet

A partition holds every event of every id that was ever joined with one of its ids. So it can be replayed, labelled and
cleared of customers who withdrew their consent without reading any other partition. It has what the fold reads, codes
and numbers, and `offset` (the place in the export's log order, from 1); names of customers stay in the log. A folder
whose number `export.json` does not name was left by an interrupted export, and is ignored.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.files import replace
from features.identity.periods import Merges
from features.log.contract import MERGE, LogCorrupt, LogMissing, LogVersion, Records
from features.log.parquet.partitioning import Partitioning
from features.log.parquet.tables import EVENTS, FIELDS, explained, read, read_names, records_of

VERSION = 1
"""Version of the layout, in `export.json`."""

MANIFEST = "export.json"

COLUMNS = pa.schema([EVENTS.field("offset"), *map(EVENTS.field, FIELDS)])
"""The columns of a partition."""


@dataclass(frozen=True)
class Partition:
    """What one partition holds: events, ids with events, and a digest of the events, 32 hexadecimal digits."""

    events: int
    customers: int
    digest: str


@dataclass(frozen=True)
class Manifest:
    """What `export.json` holds. All moments are microseconds UTC."""

    generation: int
    """Number of the folder with the files: how many exports were finished here, this one included."""
    log: str
    """`EventLog.digest` of the log when the export began."""
    until: int
    """The export holds what had been received by this time."""
    offset: int
    """The log's newest offset when the export began."""
    events: int
    customers: int
    merges: int
    items: int
    categories: int
    start: int
    """When the first event was received."""
    end: int
    """When the newest event was received."""
    partitions: tuple[Partition, ...]
    version: int = VERSION

    @property
    def files(self) -> str:
        """Name of the folder with the files."""
        return f"export-{self.generation:08}"


class ExportedLog:
    """A finished export, read partition by partition."""

    def __init__(self, path: str | Path) -> None:
        """Open the export in folder `path`. Raises LogMissing where there is none that was finished."""
        self.path = Path(path).absolute()
        manifest = manifest_of(self.path)
        if manifest is None:
            raise LogMissing(f"there is no finished export in {self.path}; make it with: waypost log export {path}")
        self.manifest = manifest
        self._files = self.path / manifest.files
        with explained(self.path):
            rows = read(self._files / "merges.parquet").to_pydict().values()
        self.merges: Merges = np.array(list(zip(*rows, strict=True)), MERGE)
        """Every merge and its undoing, in log order."""
        self.partitioning = Partitioning(self.merges, len(manifest.partitions))

    def scan(self, partition: int) -> Iterator[Records]:
        """The events of a partition in log order, a row group at a time.

        Raises LogCorrupt, after the last event, when they are not the events that were written, and LogBusy when
        another export replaced this one meanwhile.
        """
        path, held = partition_file(self._files, partition), blake2b(digest_size=16)
        with explained(self.path), pq.ParquetFile(path) as file:
            for group in range(file.num_row_groups):
                records = records_of(file.read_row_group(group, use_threads=False)).records
                held.update(records.view(np.uint8).data)
                yield records
        if held.hexdigest() != self.manifest.partitions[partition].digest:
            raise LogCorrupt(
                f"{path} does not hold the events that {self.path / MANIFEST} records; remove the export "
                f"(rm -r {self.path}) and make it again: waypost log export {self.path}"
            )

    def merges_of(self, partition: int) -> Merges:
        """The merges among the ids of a partition, in log order."""
        chosen: Merges = self.merges[self.partitioning.of(self.merges["member"]) == partition]
        return chosen

    def items(self) -> list[str]:
        """Names of the products, at the index of their codes; an empty string where one was erased."""
        return [name or "" for name in read_names(self._files / "items.parquet")]

    def categories(self) -> list[str]:
        """Names of the categories and of the actions that decisions chose, in the same form."""
        return [name or "" for name in read_names(self._files / "categories.parquet")]


def partition_file(files: Path, partition: int) -> Path:
    """The file of one partition among the files of an export."""
    return files / f"partition-{partition:04}.parquet"


def table_of(records: Records, offsets: NDArray[np.int64]) -> pa.Table:
    """EVENT records and their offsets as a table of `COLUMNS`; absent codes are null."""
    columns = [pa.array(offsets)]
    for name in FIELDS:
        values = records[name]
        absent = values < 0 if name in ("item", "category") else None
        columns.append(pa.array(values, mask=absent).cast(COLUMNS.field(name).type))
    return pa.table(columns, schema=COLUMNS)


def manifest_of(path: Path) -> Manifest | None:
    """The manifest of the export in folder `path`; None when none was ever finished there."""
    place = path / MANIFEST
    if not place.exists():
        return None
    with explained(path):
        text = place.read_bytes()
    try:
        fields = json.loads(text)
        version = int(fields["version"])
        if version <= VERSION:
            return Manifest(
                **{**fields, "partitions": tuple(Partition(**partition) for partition in fields["partitions"])}
            )
    except (ValueError, TypeError, KeyError) as error:
        raise LogCorrupt(f"{place} is damaged ({error}); remove the export, rm -r {path}, and make it again") from error
    raise LogVersion(
        f"the export {path} has version {version}, and this release of Waypost knows versions up to {VERSION}; "
        "install the newer release that wrote it: pip install --upgrade waypost"
    )


def save(path: Path, manifest: Manifest) -> None:
    """Make `manifest` the state of the export in folder `path`: the commit."""
    replace(path / MANIFEST, json.dumps(asdict(manifest), indent=2) + "\n")
