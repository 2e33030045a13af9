"""Importing a file into a log: read, parse, append, keep broken records as dead letters, and count."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from features.events import Event
from features.log.contract import IMPORT_BATCH, DeadLetter, EventLog
from features.sources.contract import BadRecord, FileUnreadable, Record, Source, SourceUnknown, Unread
from features.sources.fields import fields
from features.sources.fields.currencies import Currencies, Rates
from features.sources.fields.message_ids import Identities
from features.sources.fields.privacy import DEFAULT, Privacy
from features.sources.formats import SOURCES
from features.sources.formats.mapping import load_mapping

NO_RATES = Rates()
"""The rates of a shop without settings of currencies."""

BATCH = IMPORT_BATCH
"""Events appended at a time, in one transaction."""

BATCH_BYTES = 64 << 20
"""Bytes of records after which a batch is full, however few events they made."""

EXAMPLES = 3
"""Most rejected records that a report lists one by one."""

Progress = Callable[[int, int], None]
"""Called after each batch with how much is done and how much there is in all: bytes of a text file, else rows."""


@dataclass
class ImportReport:
    """What became of a file. Every record is accepted, skipped or rejected; one record may make several events."""

    source: str
    records: int = 0
    """Records read."""
    accepted: int = 0
    """Events new in the log."""
    duplicates: int = 0
    """Events the log already had, by message id."""
    repeated: int = 0
    """Of the duplicates, those whose message id another record of the same batch of the file has."""
    skipped: int = 0
    """Records left out on purpose, by the source's or the mapping's own rule."""
    rejected: int = 0
    """Records kept as dead letters, those included that an earlier import kept already."""
    dropped: int = 0
    """Properties dropped, because no list allows their names (`features.sources.fields.privacy`)."""
    faults: Counter[str] = field(default_factory=Counter)
    """How many records were rejected for each field; the empty name counts those that could not be read at all."""
    examples: list[str] = field(default_factory=list)
    """The first few rejected records: where each stood, its field at fault and the reason."""
    unread: Counter[str] = field(default_factory=Counter)
    """How many values were left out of accepted records, by what is wrong with them."""
    unread_examples: list[str] = field(default_factory=list)
    """The first few of these values: where each stood, and the reason."""


def files_of(paths: Iterable[Path], source: Source) -> list[Path]:
    """The files to import: those given, those of a folder and of its folders by name, and those of a pattern such as
    `*.csv`; each once. Names that begin with `.` or `_`, which other programs write beside their output, are left out
    of a folder. Raises FileUnreadable for a folder or a pattern without a file.
    """
    files: dict[Path, None] = {}
    for path in paths:
        if path.is_dir() and not source.whole_folder:
            parts = sorted(part for part in path.rglob("*") if part.is_file() and not _is_hidden(part, path))
        elif not path.exists() and set("*?[") & set(str(path)):
            parts = sorted(part for part in Path(path.anchor).glob(_pattern(path)) if part.is_file())
        else:
            parts = [path]
        if not parts:
            raise FileUnreadable(f"{path} has no file; expected a folder or a pattern with files to import")
        files.update(dict.fromkeys(parts))
    return list(files)


def _pattern(path: Path) -> str:
    """A pattern without the root that it begins at."""
    return str(path.relative_to(path.anchor) if path.anchor else path)


def _is_hidden(file: Path, folder: Path) -> bool:
    return any(part.startswith((".", "_")) for part in file.relative_to(folder).parts)


def total(reports: Mapping[Path, ImportReport]) -> ImportReport:
    """One report on several files, of one source; its examples name the file."""
    whole = ImportReport(next((report.source for report in reports.values()), ""))
    for path, report in reports.items():
        for name in ("records", "accepted", "duplicates", "repeated", "skipped", "rejected", "dropped"):
            setattr(whole, name, getattr(whole, name) + getattr(report, name))
        whole.faults += report.faults
        whole.unread += report.unread
        whole.examples += [f"{path}: {line}" for line in report.examples]
        whole.unread_examples += [f"{path}: {line}" for line in report.unread_examples]
    del whole.examples[EXAMPLES:], whole.unread_examples[EXAMPLES:]
    return whole


def find_source(name: str, mapping: str | Path | None = None) -> Source:
    """The source of this name; with a mapping, the source that the TOML file describes.

    Raises SourceUnknown, or MappingInvalid.
    """
    if mapping is not None:
        if name != "mapping":
            raise SourceUnknown(
                f"a mapping describes a source by itself: give --source mapping, not {name!r}, with --map"
            )
        return load_mapping(Path(mapping))
    if name == "mapping":
        raise SourceUnknown("the source 'mapping' needs a mapping: --map FILE.toml (docs/howto/import.md)")
    if name not in SOURCES:
        raise SourceUnknown(f"unknown source {name!r}; expected {', '.join(SOURCES)}, or mapping with --map FILE.toml")
    return SOURCES[name]


def import_file(
    log: EventLog,
    path: str | Path,
    source: str | Source,
    mapping: str | Path | None = None,
    *,
    received: int,
    progress: Progress | None = None,
    privacy: Privacy = DEFAULT,
    rates: Rates = NO_RATES,
) -> ImportReport:
    """Append the events of a file to the log as history, in bounded memory, and keep its bad records as dead letters.

    `received` is now, microseconds UTC: nothing may have happened later than a day after it. Importing a file twice,
    or again after a failure, adds only what is missing. `privacy` says which properties may be kept, besides those
    that the source itself keeps, and `rates` what other currencies are worth. Raises SourceError, or LogError.
    """
    resolved = source if isinstance(source, Source) else find_source(source, mapping)
    reading = resolved.read(Path(path))
    importer = _Importer(log, resolved, received, privacy, rates)
    try:
        for record in reading:
            importer.take(record)
            if importer.is_full():
                importer.flush()
                if progress:
                    progress(reading.done(), reading.total)
    except FileUnreadable:  # the file breaks off: the records before are imported
        importer.flush()
        raise
    importer.flush()
    if progress:
        progress(reading.total, reading.total)
    return importer.report


class _Importer:
    """One import under way: the batch that is being filled, and the counts."""

    def __init__(self, log: EventLog, source: Source, received: int, privacy: Privacy, rates: Rates) -> None:
        self.report = ImportReport(source.name)
        self._log = log
        self._source = source
        self._parse = source.parse
        self._clean = privacy.keeping(source.keeps).clean
        self._currencies = Currencies(rates)
        self._received = received
        self._identities = Identities(source.name)
        self._events: list[Event] = []
        self._dead_letters: list[DeadLetter] = []
        self._bytes = 0

    def take(self, record: Record) -> None:
        """Turn one record into events of the batch, or into a dead letter."""
        self.report.records += 1
        self._bytes += len(record.raw)
        if record.fault is not None:
            self._reject(record, record.fault)
            return
        self._identities.raw = record.raw
        unread: Unread = []
        try:
            events = self._parse(record.values, self._received, self._identities, True, unread)
            self._currencies.convert(events, unread)
            if record.odd:
                events = [replace(event, properties=fields.mended(event.properties)) for event in events]
            cleaned = [self._clean(event) for event in events]
        except BadRecord as bad:
            self._reject(record, bad)
            return
        if unread:
            self._tell(record, unread)
        if cleaned:
            for event, dropped in cleaned:
                self._events.append(event)
                self.report.dropped += dropped
        else:
            self.report.skipped += 1

    def is_full(self) -> bool:
        """Whether it is time to `flush`."""
        return len(self._events) >= BATCH or len(self._dead_letters) >= BATCH or self._bytes >= BATCH_BYTES

    def flush(self) -> None:
        """Write the batch to the log."""
        if self._events:
            appended = self._log.append(self._events, history=True)
            self.report.accepted += appended.accepted_count
            self.report.duplicates += appended.duplicate_count
            self.report.repeated += len(self._events) - len({event.message_id for event in self._events})
            self._events = []
        if self._dead_letters:
            self._log.reject(self._dead_letters)
            self.report.rejected += len(self._dead_letters)
            self._dead_letters = []
        self._bytes = 0

    def _tell(self, record: Record, unread: Unread) -> None:
        """Report the values of a record that were left out."""
        for bad in unread:
            self.report.unread[bad.code] += 1
            if len(self.report.unread_examples) < EXAMPLES:
                said = f"{self._source.name}:{record.position} {bad.field}: {fields.mended_text(bad.reason)}"
                self.report.unread_examples.append(said)

    def _reject(self, record: Record, bad: BadRecord) -> None:
        self.report.faults[bad.field] += 1
        if len(self.report.examples) < EXAMPLES:
            self.report.examples.append(f"{self._source.name}:{record.position} {bad.field}: {bad.reason}")
        self._dead_letters.append(
            DeadLetter(
                source=self._source.name,
                position=record.position,
                field=bad.field,
                reason=fields.mended_text(bad.reason),
                raw=record.raw or json.dumps(record.values, default=str).encode(),
                received=self._received,
                customer=_customer(self._source, record.values),
            )
        )


def _customer(source: Source, values: Mapping[str, Any]) -> str | None:
    """The customer that a rejected record names, when that can be read."""
    for column in source.customer:
        try:
            if customer := fields.name(values.get(column), column):
                return customer
        except BadRecord:
            continue
    return None
