"""Importing a file into a log: read, parse, append, keep broken records as dead letters, and count."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import closing
from pathlib import Path

from features.log.contract import EventLog
from features.sources.columns.batch import Batch
from features.sources.columns.forms import batches
from features.sources.columns.one_ahead import one_ahead
from features.sources.columns.row_by_row import RowByRow
from features.sources.contract import FileUnreadable, Source, SourceUnknown
from features.sources.fields.currencies import Rates
from features.sources.fields.privacy import DEFAULT, Privacy
from features.sources.formats import SOURCES
from features.sources.formats.mapping import load_mapping
from features.sources.report import ImportReport

NO_RATES = Rates()
"""The rates of a shop without settings of currencies."""

Progress = Callable[[int, int], None]
"""Called after each batch with how much is done and how much there is in all: bytes of a text file, else rows."""


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
        whole.add(report, f"{path}: ")
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
    report = ImportReport(resolved.name)
    with closing(one_ahead(batches(reading, RowByRow(resolved, received, privacy, rates)))) as coming:
        for batch in coming:
            _append(log, batch)
            report.add(batch.report)
            if progress:
                progress(batch.done, reading.total)
    if progress:
        progress(reading.total, reading.total)
    return report


def _append(log: EventLog, batch: Batch) -> None:
    """Write a batch to the log, and complete its report with what was new."""
    if batch.events.height:
        accepted = log.append_columns(batch.events)
        batch.report.accepted = int(accepted.sum())
        batch.report.duplicates = len(accepted) - batch.report.accepted
        if batch.report.duplicates:
            batch.report.repeated = batch.events.height - batch.events["message_id"].n_unique()
    if batch.dead_letters:
        log.reject(batch.dead_letters)
