"""The event log as Parquet files, partitioned into folders by a hash of the customer: the store of a long history.

Any engine reads it: `events/customer_hash=NN/*.parquet` holds the columns of `features.log.rows.COLUMNS`, `customers`,
`items` and `categories` the names behind the codes, and `merges` the ids that were merged.
`features.log.parquet.folder` says which files are part of the log.

Made for few and large appends: each writes one file to every partition that it touches. The first append of a process,
or its first search for a message id, reads the message id of every event. From then on the process holds 16 bytes for
each, its BLAKE2b digest, by which duplicates are recognised (two different ids have the same digest with a chance of
about 10^-21 in a log of a billion events). Reading one customer costs a read of its partition.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from features.events import Event, Kind
from features.log import rows, tombstones
from features.log.by_row import ByRow
from features.log.contract import (
    BATCH,
    CHUNK,
    Appended,
    DeadLetter,
    Erased,
    EventBatch,
    Records,
    Training,
)
from features.log.membership import NO_MERGES, NOTHING, declared, named
from features.log.orders import resolved
from features.log.parquet import dead_letters as dead_letter_files
from features.log.parquet import folder, reading
from features.log.parquet.members import FolderMembers
from features.log.parquet.messages import Digests, Messages, digests
from features.log.parquet.partitions import Partitions
from features.log.parquet.tables import (
    EVENTS,
    LOG_ORDER,
    TOMBSTONES,
    TRAININGS,
    explained,
    read_all,
    read_names,
    records_of,
    table_of,
    write,
    write_names,
)
from features.log.parquet.vocabulary import FolderVocabulary


class ParquetLog(ByRow):
    """A log in a folder of Parquet files. See `features.log.contract.EventLog` for what the methods promise."""

    def __init__(
        self, path: str | Path, *, create: bool = True, partitions: int = 16, busy_seconds: float = 30.0
    ) -> None:
        """Open the log in folder `path`; without `create` it must exist. A new one gets so many `partitions`."""
        self.path = Path(path).absolute()
        manifest = folder.open_folder(self.path, create=create, partitions=partitions, busy_seconds=busy_seconds)
        self.customers = FolderVocabulary(self.path, "customers", read_names, write_names)
        self.items = FolderVocabulary(self.path, "items", read_names, write_names)
        self.categories = FolderVocabulary(self.path, "categories", read_names, write_names)
        self._vocabularies = (self.customers, self.items, self.categories)
        self._partitions = Partitions(self.path, manifest.partitions)
        self._members = FolderMembers(self.path, self._partitions.files)
        self._busy_seconds = busy_seconds
        self._messages = Messages(self._partitions.files)

    def append(self, events: Sequence[Event], *, history: bool = False) -> Appended:
        """Add the events that the log does not have yet, as one commit."""
        if not events:
            return NOTHING
        with self._writing() as manifest:
            living = self._living(events, manifest)
            kept = [event for event in living if event is not None]
            appended = self._append(kept, manifest, history=history) if kept else NOTHING
            new = iter(appended.accepted)
            return appended._replace(accepted=[event is not None and next(new) for event in living])

    def _append(self, events: Sequence[Event], manifest: folder.Manifest, *, history: bool) -> Appended:
        commit = manifest.commit + 1
        known = partial(self._messages.known, commit=manifest.commit)
        events = resolved(events, known, None if history else self.profile)
        times = rows.clamped(events, manifest.received, history=history)
        ids = digests([event.message_id for event in events])
        accepted = self._messages.unseen(ids, manifest.commit)
        if own := rows.without_repeats(events, times, accepted.tolist(), manifest.received, history=history):
            for place, at, received in zip(np.flatnonzero(accepted).tolist(), *own, strict=True):
                times.at[place], times.received[place] = at, received
        identifying = [place for place, event in enumerate(events) if accepted[place] and event.kind is Kind.IDENTIFY]
        who = [events[place] for place in identifying]
        others = declared(who)
        interned = self.customers.intern([*(event.customer for event in events), *others.values()], commit)
        codes = (
            interned[: len(events)],
            self.items.intern([event.item for event in events], commit),
            self.categories.intern([event.category for event in events], commit),
        )
        records = rows.records(events, times, *codes)
        if not accepted.any():
            return NOTHING._replace(accepted=accepted.tolist())
        offsets = np.arange(manifest.offset + 1, manifest.offset + 1 + len(events))
        table = table_of(rows.stored(offsets.tolist(), events, times, *codes), EVENTS)
        offsets = offsets[accepted]
        merges = NO_MERGES
        if who:
            members = dict(zip(others, interned[len(events) :], strict=True))
            merges = self._members.join(who, records[identifying], members, int(offsets[-1]), commit)
        self._partitions.add(table, events, accepted, commit)
        newest = max(manifest.received, int(records[accepted]["received"].max()))
        moved = replace(manifest, commit=commit, offset=int(offsets[-1]) + len(merges), received=newest)
        self._settle(moved, ids[accepted], merges)
        return Appended(accepted.tolist(), records[accepted], int(offsets[0]), int(offsets[-1]), merges)

    def _living(self, events: Sequence[Event], manifest: folder.Manifest) -> Sequence[Event | None]:
        """The events, None in the place of those that were received before their customer was erased."""
        if not manifest.erased or min(event.received for event in events) >= manifest.erased:
            return events
        buried = read_all(self.path, "tombstones", TOMBSTONES).to_pydict()
        erased: dict[bytes, int] = {}
        for digest, at in zip(buried["digest"], buried["at"], strict=True):
            erased[digest] = max(at, erased.get(digest, 0))
        salt = bytes.fromhex(manifest.salt)
        return tombstones.living(events, {name: erased.get(tombstones.digest(salt, name), 0) for name in named(events)})

    def unmerge(self, customer: str, received: int) -> list[str]:
        """Take a member, or all members of a profile, out of it."""
        with self._writing() as manifest:
            code = self.customers.code(customer)
            if code is None or len(self._members.codes(code)) < 2:
                return []
            commit, newest = manifest.commit + 1, max(received, manifest.received)
            undone = self._members.unmerge(code, newest, manifest.offset, commit)
            moved = replace(manifest, commit=commit, offset=manifest.offset + len(undone), received=newest)
            self._settle(moved, merges=undone)
            return [self.customers.name(member) for member in undone["member"].tolist()]

    def merges(self) -> NDArray[np.void]:
        """Every merge and its undoing that is still in the log, in log order."""
        with explained(self.path):
            return self._members.merges()

    def profile(self, customer: str) -> list[str]:
        """All ids of the profile that a customer belongs to now, the profile's own first; none of an unknown one."""
        with explained(self.path):
            return [self.customers.name(code) for code in self._codes(customer)]

    def scan(
        self, *, kinds: Collection[Kind] | None = None, shard: int = 0, shards: int = 1, until: int | None = None
    ) -> Iterator[Records]:
        """The log in log order. In memory are the row groups that overlap in time with the chunk."""
        with explained(self.path):
            batches = reading.selected(self._partitions, rows.Selection(kinds, shard, shards, until), CHUNK)
            yield from (batch.records for batch in batches)

    def scan_with_properties(
        self, *, kinds: Collection[Kind] | None = None, shard: int = 0, shards: int = 1, until: int | None = None,
        size: int = BATCH,
    ) -> Iterator[EventBatch]:  # fmt: skip
        """What `scan` gives, with message ids, order ids and properties.

        In memory are the row groups that overlap in time with the batch: of each at most `tables.GROUP` events.
        """
        with explained(self.path):
            only = rows.Selection(kinds, shard, shards, until)
            yield from map(reading.batch, reading.selected(self._partitions, only, size, texts=True))

    def find(self, message_id: str) -> Event | None:
        """The event of a message id; None when the log has none.

        The digests in memory show when the log does not have it. Else the message ids are read, one row group after the
        other, until it is found: the time grows with the log, as the files have no index.
        """
        with explained(self.path):
            if not self._messages.known([message_id], folder.load(self.path).commit):
                return None
            row = reading.find(self._partitions, message_id)
            return None if row is None else self._spelt(row)[0]

    def history(self, customer: str) -> Records:
        """All events of a customer's profile, in log order; empty when there is none."""
        with explained(self.path):
            return records_of(self._events_of(customer).sort_by(LOG_ORDER)).records

    def events(self, customer: str, limit: int) -> list[Event]:
        """The newest `limit` events of a customer's profile with names and properties, newest first."""
        with explained(self.path):
            newest = self._events_of(customer).sort_by([(column, "descending") for column, _ in LOG_ORDER])
            return self._spelt(newest.slice(0, limit))

    def count(self) -> int:
        """How many events the log holds."""
        with explained(self.path):
            return sum(pq.read_metadata(path).num_rows for path in self._partitions.files())

    def span(self) -> tuple[int, int] | None:
        """The first and the last `received` in the log; None when it is empty."""
        with explained(self.path):
            spans = [(first, last) for _, _, first, last in self._partitions.groups()]
        return (min(first for first, _ in spans), max(last for _, last in spans)) if spans else None

    def changed(self, after: int) -> NDArray[np.int32]:
        """Every customer with an event: the files do not say which offsets they hold."""
        codes = [np.unique(chunk["customer"]) for chunk in self.scan()]
        return np.unique(np.concatenate([np.empty(0, np.int32), *codes])) if after < self.offset() else codes[0][:0]

    def identity(self) -> str:
        """A text that differs between logs."""
        return rows.digest(folder.load(self.path).salt)

    def erasures(self) -> int:
        """How many ids were ever erased."""
        return folder.load(self.path).erasures

    def offset(self) -> int:
        """The newest offset ever given out; 0 when nothing was ever appended."""
        return folder.load(self.path).offset

    def erase(self, customer: str, now: int) -> Erased:
        """Remove every trace of a customer's profile: every file that holds any of it is written anew.

        The old files are deleted; a scan under way that still needs them ends with LogBusy.
        """
        with self._writing() as manifest:
            commit = manifest.commit + 1
            codes = self._codes(customer)
            names = [self.customers.name(code) for code in codes]
            gone = names or [customer]
            received = self._partitions.erase(codes, gone, commit)
            dead_letters = dead_letter_files.kept(self.path)
            others = [letter for letter in dead_letters if not any(rows.concerns(letter, name) for name in gone)]
            if len(others) < len(dead_letters):
                dead_letter_files.rewrite(self.path, others, commit)
            merges = self._members.erase(codes, commit)
            if codes:
                self.customers.erase(codes, commit)
            salt = bytes.fromhex(manifest.salt)
            buried = table_of([(tombstones.digest(salt, name), now) for name in gone], TOMBSTONES)
            write(folder.part(self.path / "tombstones", commit), buried)
            self._messages.forget()  # the message ids of the erased events may come again
            erasures, erased = manifest.erasures + len(codes), max(manifest.erased, now)
            self._settle(replace(manifest, commit=commit, erasures=erasures, erased=erased))
            self._members.forget()
            folder.sweep(self.path, commit)
        return Erased(names, len(received), len(dead_letters) - len(others), merges, min(received, default=0))

    def reject(self, dead_letters: Sequence[DeadLetter]) -> int:
        """Keep records that could not become events, each once."""
        if not dead_letters:
            return 0
        with self._writing() as manifest:
            known = dead_letter_files.kept(self.path)
            newest = max([manifest.letters, *(letter.number for letter in known)])
            added = dead_letter_files.added(dead_letters, known, newest)
            if added:
                dead_letter_files.add(self.path, added, manifest.commit + 1)
                self._settle(replace(manifest, commit=manifest.commit + 1, letters=added[-1].number))
        return len(added)

    def dead_letters(self, limit: int, *, after: int = 0, source: str | None = None) -> list[DeadLetter]:
        """The oldest `limit` dead letters numbered above `after`, oldest first; of one source when it is named."""
        with explained(self.path):
            known = dead_letter_files.kept(self.path)
        return [letter for letter in known if letter.number > after and source in (None, letter.source)][:limit]

    def settle(self, dead_letters: Sequence[DeadLetter]) -> int:
        """Remove dead letters that have become events, by their numbers."""
        numbers = {letter.number for letter in dead_letters}
        with self._writing() as manifest:
            known = dead_letter_files.kept(self.path)
            left = [letter for letter in known if letter.number not in numbers]
            if len(left) < len(known):
                newest = max([manifest.letters, *(letter.number for letter in known)])
                dead_letter_files.rewrite(self.path, left, manifest.commit + 1)
                self._settle(replace(manifest, commit=manifest.commit + 1, letters=newest))
                folder.sweep(self.path, manifest.commit + 1)
        return len(known) - len(left)

    def add_training(self, training: Training) -> None:
        """Note that a model was trained on this log."""
        with self._writing() as manifest:
            write(folder.part(self.path / "trainings", manifest.commit + 1), table_of([training], TRAININGS))
            self._settle(replace(manifest, commit=manifest.commit + 1))

    def trainings(self) -> list[Training]:
        """Every model trained on this log, oldest first."""
        with explained(self.path):
            stored = read_all(self.path, "trainings", TRAININGS).to_pylist()
        newest = {row["version"]: Training(**row) for row in stored}
        return sorted(newest.values(), key=lambda training: (training.at, training.version))

    def digest(self) -> str:
        """A short hexadecimal digest of how much the log holds: equal for logs built by the same appends."""
        manifest = folder.load(self.path)
        return rows.digest(self.count(), self.span(), manifest.offset, manifest.received, manifest.erasures)

    def close(self) -> None:
        """Nothing is held open between calls."""

    @contextmanager
    def _writing(self) -> Iterator[folder.Manifest]:
        """Lock the log for this writer, remove what interrupted writers left, and bring memory up to date."""
        with explained(self.path), folder.sole_writer(self.path, self._busy_seconds):
            manifest = folder.load(self.path)
            folder.sweep(self.path, manifest.commit)
            for vocabulary in self._vocabularies:
                vocabulary.refresh()
            self._members.refresh()
            salt = manifest.salt or secrets.token_hex(tombstones.SALT_BYTES)
            try:
                yield replace(manifest, version=folder.VERSION, salt=salt)
            except BaseException:
                self._members.forget()
                raise

    def _settle(
        self, manifest: folder.Manifest, added: Digests | None = None, merges: NDArray[np.void] = NO_MERGES
    ) -> None:
        """Commit what was written, and bring memory up to date."""
        folder.save(self.path, manifest)
        for vocabulary in self._vocabularies:
            vocabulary.committed(manifest.commit)
        self._members.committed(manifest.commit, merges)
        self._messages.committed(manifest.commit, added)

    def _codes(self, customer: str) -> list[int]:
        """All codes of a customer's profile, the profile's own first; none of an unknown customer."""
        self.customers.refresh()
        self._members.refresh()
        code = self.customers.code(customer)
        return [] if code is None else self._members.codes(code)

    def _spelt(self, table: pa.Table) -> list[Event]:
        return reading.spelt(table, self.customers, self.items, self.categories)

    def _events_of(self, customer: str) -> pa.Table:
        return self._partitions.of({code: self.customers.name(code) for code in self._codes(customer)})
