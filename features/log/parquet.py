"""The event log as Parquet files, spread over folders by a hash of the customer: the store of a long history.

Any engine reads it: `events/customer_hash=NN/*.parquet` holds the columns of `features.log.rows.COLUMNS`, and
`customers`, `items` and `categories` the names behind the codes. `features.log.folder` says which files count.

Made for few and large appends: each writes one file to every partition that it touches. The first append of a process
reads the message id of every event, and from then on the process holds 16 bytes for each: its BLAKE2b digest, by which
duplicates are told (two different ids have the same one with a chance of about 10^-21 in a log of a billion events).
Reading one customer costs a read of its partition.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from functools import partial
from hashlib import blake2b
from pathlib import Path
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.events import EVENT, NO_CODE, Event
from features.log import folder, merge, rows
from features.log.contract import CHUNK, Appended, DeadLetter, LogCorrupt, Records
from features.log.vocabulary_files import FolderVocabulary, Names

_MOMENT = pa.timestamp("us", "UTC")
_EVENTS = pa.schema(
    {
        "offset": pa.int64(),
        "message_id": pa.string(),
        "customer": pa.int32(),
        "kind": pa.uint8(),
        "at": _MOMENT,
        "received": _MOMENT,
        "channel": pa.uint8(),
        "item": pa.int32(),
        "category": pa.int32(),
        "quantity": pa.float64(),
        "amount": pa.float64(),
        "order_id": pa.string(),
        "score": pa.float64(),
        "properties": pa.string(),
    }
)
_LETTERS = pa.schema(
    {
        "source": pa.string(),
        "position": pa.int64(),
        "field": pa.string(),
        "reason": pa.string(),
        "raw": pa.binary(),
        "received": pa.int64(),
        "customer": pa.string(),
    }
)
_FIELDS = [name for name in rows.COLUMNS if name in (EVENT.names or ())]
_LOG_ORDER = [("received", "ascending"), ("offset", "ascending")]

Digests: TypeAlias = NDArray[np.bytes_]


class ParquetLog:
    """A log in a folder of Parquet files. See `features.log.contract.EventLog` for what the methods promise."""

    def __init__(
        self, path: str | Path, *, create: bool = True, partitions: int = 16, busy_seconds: float = 30.0
    ) -> None:
        """Open the log in folder `path`; without `create` it must exist. A new one is spread over `partitions`."""
        self.path = Path(path).absolute()
        manifest = folder.open_folder(self.path, create=create, partitions=partitions, busy_seconds=busy_seconds)
        self.customers = FolderVocabulary(self.path, "customers", _read_names, _write_names)
        self.items = FolderVocabulary(self.path, "items", _read_names, _write_names)
        self.categories = FolderVocabulary(self.path, "categories", _read_names, _write_names)
        self._vocabularies = (self.customers, self.items, self.categories)
        self._partitions = manifest.partitions
        self._busy_seconds = busy_seconds
        self._seen = _digests([])
        self._seen_commit = 0

    def append(self, events: Sequence[Event], *, history: bool = False) -> Appended:
        """Add the events that the log does not have yet, as one commit."""
        if not events:
            return Appended([], np.empty(0, EVENT), 0, 0)
        with self._writing() as manifest:
            commit = manifest.commit + 1
            times = rows.clamped(events, manifest.received, history=history)
            codes = (
                self.customers.intern([event.customer for event in events], commit),
                self.items.intern([event.item for event in events], commit),
                self.categories.intern([event.category for event in events], commit),
            )
            digests = _digests([event.message_id for event in events])
            accepted = self._unseen(digests, manifest.commit)
            records = rows.records(events, times, *codes)[accepted]
            offsets = np.arange(manifest.offset + 1, manifest.offset + 1 + len(events))
            if not accepted.any():
                return Appended(accepted.tolist(), records, 0, 0)
            stored = zip(*rows.stored(offsets.tolist(), events, times, *codes), strict=True)
            columns = [pa.array(each, kind, from_pandas=True) for each, kind in zip(stored, _EVENTS.types, strict=True)]
            self._write_partitions(pa.table(columns, schema=_EVENTS), events, accepted, commit)
            offsets = offsets[accepted]
            newest = max(manifest.received, int(records["received"].max()))
            self._settle(replace(manifest, commit=commit, offset=int(offsets[-1]), received=newest), digests[accepted])
        return Appended(accepted.tolist(), records, int(offsets[0]), int(offsets[-1]))

    def scan(self, *, shard: int = 0, shards: int = 1, until: int | None = None) -> Iterator[Records]:
        """The log in log order. In memory are the row groups that overlap in time with the chunk."""
        rows.check_shard(shard, shards)

        def take(path: Path, group: int) -> merge.Rows:
            with pq.ParquetFile(path) as file:
                found = _rows(file.read_row_group(group, columns=[*_FIELDS, "offset"]))
            chosen = found.records["customer"] % shards == shard
            if until is not None:
                chosen &= found.records["received"] <= until
            return merge.Rows(found.records[chosen], found.offsets[chosen])

        with _explained(self.path):
            blocks = [
                merge.Block(first, partial(take, path, group))
                for path, group, first, _ in self._groups()
                if until is None or first <= until
            ]
            yield from merge.in_log_order(blocks)

    def history(self, customer: str) -> Records:
        """All events of one customer, in log order; empty when the customer is unknown."""
        with _explained(self.path):
            return _rows(self._events_of(customer).sort_by(_LOG_ORDER)).records

    def events(self, customer: str, limit: int) -> list[Event]:
        """The newest `limit` events of one customer with names and properties, newest first."""
        with _explained(self.path):
            newest = self._events_of(customer).sort_by([(column, "descending") for column, _ in _LOG_ORDER])
            newest = newest.slice(0, limit).drop_columns(["offset", "customer"])
            found = newest.cast(_plain(newest.schema)).to_pylist()
        for row in found:
            for column, names in (("item", self.items), ("category", self.categories)):
                row[column] = None if row[column] is None else names.name(row[column])
        return [rows.event(customer, *row.values()) for row in found]

    def count(self) -> int:
        """How many events the log holds."""
        with _explained(self.path):
            return sum(pq.read_metadata(path).num_rows for path in self._event_files())

    def span(self) -> tuple[int, int] | None:
        """The first and the last `received` in the log; None when it is empty."""
        with _explained(self.path):
            moments = [(first, last) for _, _, first, last in self._groups()]
        return (min(first for first, _ in moments), max(last for _, last in moments)) if moments else None

    def offset(self) -> int:
        """The newest offset ever given out; 0 when nothing was ever appended."""
        return folder.load(self.path).offset

    def erase(self, customer: str) -> int:
        """Remove every trace of a customer: its partition, its vocabulary and the dead letters are written anew.

        The old files are deleted; a scan under way that still needs them ends with LogBusy.
        """
        with self._writing() as manifest:
            commit = manifest.commit + 1
            code = self.customers.code(customer)
            letters = self._letters()
            kept = [letter for letter in letters if not rows.concerns(letter, customer)]
            removed = len(letters) - len(kept)
            if code is not None:
                home = self._home(self._partition(customer))
                tables = [_read(path) for path in folder.listed(self.path, [home])]
                if tables:
                    events = pa.concat_tables(tables)
                    others = events.filter(pc.not_equal(events["customer"], code))
                    removed += len(events) - len(others)
                    _write(folder.whole(home, commit), others.sort_by(_LOG_ORDER))
                self.customers.erase(code, commit)
            if len(kept) < len(letters):
                _write(folder.whole(self.path / "dead_letters", commit), _letter_table(kept))
            if removed or code is not None:
                self._seen_commit = -1  # the message ids of the erased events may come again
                self._settle(
                    replace(manifest, commit=commit, erasures=manifest.erasures + (code is not None)), _digests([])
                )
                folder.sweep(self.path, commit)
        return removed

    def reject(self, letters: Sequence[DeadLetter]) -> None:
        """Keep records that could not become events."""
        if not letters:
            return
        with self._writing() as manifest:
            commit = manifest.commit + 1
            _write(folder.part(self.path / "dead_letters", commit), _letter_table(letters))
            self._settle(replace(manifest, commit=commit), _digests([]))

    def dead_letters(self, limit: int) -> list[DeadLetter]:
        """The newest `limit` dead letters, newest first."""
        with _explained(self.path):
            return self._letters()[::-1][:limit]

    def digest(self) -> str:
        """A short hexadecimal digest of how much the log holds: equal for logs built by the same appends."""
        manifest = folder.load(self.path)
        return rows.digest(self.count(), self.span(), manifest.offset, manifest.received, manifest.erasures)

    def close(self) -> None:
        """Nothing is held open between calls."""

    @contextmanager
    def _writing(self) -> Iterator[folder.Manifest]:
        """The log for this writer alone, with what dead writers left swept away, and up to date in memory."""
        with _explained(self.path), folder.sole_writer(self.path, self._busy_seconds):
            manifest = folder.load(self.path)
            folder.sweep(self.path, manifest.commit)
            for vocabulary in self._vocabularies:
                vocabulary.refresh()
            yield manifest

    def _settle(self, manifest: folder.Manifest, added: Digests) -> None:
        """Commit what was written, and have it in memory too."""
        folder.save(self.path, manifest)
        for vocabulary in self._vocabularies:
            vocabulary.committed(manifest.commit)
        if self._seen_commit == manifest.commit - 1:
            added = np.sort(added)
            self._seen = np.insert(self._seen, np.searchsorted(self._seen, added), added)
            self._seen_commit = manifest.commit

    def _unseen(self, digests: Digests, commit: int) -> NDArray[np.bool_]:
        """Which of `digests` are new in the log at `commit`; of those that stand twice in the batch, the first."""
        if self._seen_commit != commit:
            stored = [_read(path, ["message_id"])["message_id"].to_pylist() for path in self._event_files()]
            self._seen = np.sort(np.concatenate([_digests([]), *map(_digests, stored)]))
            self._seen_commit = commit
        unseen = np.zeros(len(digests), np.bool_)
        unseen[np.unique(digests, return_index=True)[1]] = True
        if len(self._seen):
            place = np.searchsorted(self._seen, digests)
            unseen &= self._seen[np.minimum(place, len(self._seen) - 1)] != digests
        return unseen

    def _write_partitions(
        self, table: pa.Table, events: Sequence[Event], accepted: NDArray[np.bool_], commit: int
    ) -> None:
        numbers = np.fromiter((self._partition(event.customer) for event in events), np.int64, len(events))
        for number in np.unique(numbers[accepted]).tolist():
            chosen = table.filter(pa.array(accepted & (numbers == number)))
            _write(folder.part(self._home(number), commit), chosen.sort_by(_LOG_ORDER))

    def _partition(self, customer: str) -> int:
        return zlib.crc32(customer.encode()) % self._partitions

    def _home(self, partition: int) -> Path:
        return self.path / "events" / f"customer_hash={partition:02}"

    def _event_files(self) -> list[Path]:
        return folder.listed(self.path, map(self._home, range(self._partitions)))

    def _groups(self) -> Iterator[tuple[Path, int, int, int]]:
        """Every row group of events: its file, its number there, and the first and last `received` in it."""
        for path in self._event_files():
            metadata = pq.read_metadata(path)
            for number in range(metadata.num_row_groups):
                moments = metadata.row_group(number).column(_EVENTS.get_field_index("received")).statistics
                if moments is not None and moments.has_min_max:
                    yield path, number, moments.min_raw, moments.max_raw

    def _events_of(self, customer: str) -> pa.Table:
        self.customers.refresh()
        code = self.customers.code(customer)
        home = self._home(self._partition(customer))
        paths = [] if code is None else folder.listed(self.path, [home])
        tables = [table.filter(pc.equal(table["customer"], code)) for table in map(_read, paths)]
        return pa.concat_tables([_EVENTS.empty_table(), *tables])

    def _letters(self) -> list[DeadLetter]:
        """All dead letters, oldest first."""
        tables = [_read(path) for path in folder.listed(self.path, [self.path / "dead_letters"])]
        return [DeadLetter(**letter) for table in tables for letter in table.to_pylist()]


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    try:
        with folder.explained(path):
            yield
    except pa.ArrowException as error:
        raise LogCorrupt(f"the log {path}: {error}; a file of it is damaged, restore it from a backup") from error


def _digests(ids: Sequence[str]) -> Digests:
    return np.array([blake2b(each.encode(), digest_size=16).digest() for each in ids], "S16")


def _rows(table: pa.Table) -> merge.Rows:
    """Stored events as the fold reads them."""
    records = np.zeros(len(table), EVENT)
    for name in _FIELDS:
        column = table[name]
        if name in ("item", "category"):
            column = column.fill_null(NO_CODE)
        records[name] = (column.cast(pa.int64()) if column.type == _MOMENT else column).to_numpy()
    return merge.Rows(records, table["offset"].to_numpy())


def _plain(schema: pa.Schema) -> pa.Schema:
    """The same columns with times as numbers."""
    return pa.schema([field.with_type(pa.int64()) if field.type == _MOMENT else field for field in schema])


def _read(path: Path, columns: Sequence[str] | None = None) -> pa.Table:
    with pq.ParquetFile(path) as file:
        return file.read(columns, use_threads=False)


def _write(path: Path, table: pa.Table) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    fresh = path.with_suffix(".tmp")
    pq.write_table(table, fresh, compression="zstd", row_group_size=CHUNK)
    folder.settle(fresh, path)


def _read_names(path: Path) -> Names:
    with _explained(path.parent.parent):
        names: list[str | None] = _read(path, ["name"])["name"].to_pylist()
    return names


def _write_names(path: Path, names: Names, first: int) -> None:
    codes = pa.array(range(first, first + len(names)), pa.int32())
    _write(path, pa.table({"code": codes, "name": pa.array(names, pa.string())}))


def _letter_table(letters: Sequence[DeadLetter]) -> pa.Table:
    return pa.Table.from_pylist([asdict(letter) for letter in letters], schema=_LETTERS)
