"""waypost import: events from a file into the log."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from waypost.console import JsonOption, StoreOption, clock, print_json, print_line, print_table, progress_bar

if TYPE_CHECKING:
    from features.log.contract import EventLog
    from features.sources import ImportReport, Source


def import_events(
    paths: Annotated[
        list[Path],
        typer.Argument(help="Files, folders or patterns to read; `-` for sources that bring their own data."),
    ],
    source: Annotated[
        str, typer.Option(help="complete_journey, ga4, measurement, segment, rees46, taobao, waypost or mapping.")
    ],
    mapping: Annotated[Path | None, typer.Option("--map", help="TOML mapping, with --source mapping.")] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import files: valid records go into the log, others are kept as dead letters with a reason.

    A file that cannot be read does not stop the others; the exit code is 1 then.
    """
    from features.log import open_log
    from features.sources import FileUnreadable, NothingAccepted, files_of, find_source, total
    from waypost.places import store_shown, store_url

    chosen = find_source(source, mapping)
    files = files_of(paths, chosen)
    with closing(open_log(store_url(store), create=True)) as log:
        reports, unreadable = _import(log, files, chosen)
    if any(part.accepted for part in reports.values()):
        _heal(store_url(store))
    (report,) = reports.values() if len(files) == 1 else (total(reports),)
    if as_json:
        _print_json(report, reports, unreadable)
    else:
        _print_files(files, reports, unreadable)
        _print(report, f"{_named(files)} into {store_shown(store)}")
    if unreadable:
        raise FileUnreadable(
            f"{len(unreadable):,} of {len(files):,} files could not be read to their end; what could be read is "
            f"imported. The first: {next(iter(unreadable.values()))}"
        )
    if not report.accepted and not report.duplicates:
        raise NothingAccepted(
            f"no event of {_named(files)} was accepted: {report.rejected:,} of {report.records:,} records were "
            f"rejected and {report.skipped:,} left out; see `waypost deadletters list`, and correct the file or its "
            "mapping"
        )


def _import(log: EventLog, files: list[Path], source: Source) -> tuple[dict[Path, ImportReport], dict[Path, str]]:
    """The report on each file, and why others could not be read. The error of a single file is raised."""
    from features.sources import FileUnreadable, import_file
    from waypost.places import settings

    chosen, now = settings(), clock()
    reports: dict[Path, ImportReport] = {}
    unreadable: dict[Path, str] = {}
    for number, file in enumerate(files, start=1):
        which = f" ({number} of {len(files)})" if len(files) > 1 else ""
        with progress_bar(f"importing {file}{which}") as progress:
            try:
                reports[file] = import_file(
                    log, file, source, received=now, progress=progress, privacy=chosen.privacy, rates=chosen.rates
                )
            except FileUnreadable as error:
                if len(files) == 1:
                    raise
                unreadable[file] = str(error)
    return reports, unreadable


def _heal(store: str) -> None:
    """Replay the states of the customers that the import changed, where a server has made states before."""
    from features.journey import JOURNEY
    from serving.engine.state import StoreUnknown, open_states
    from waypost.places import settings

    try:
        states = open_states(store, JOURNEY, settings().busy_seconds)
    except StoreUnknown:  # files without states
        return
    try:
        if states.highest() >= 0:
            with progress_bar("replaying states") as progress:
                states.heal(progress)
    finally:
        states.close()


def _named(files: list[Path]) -> str:
    return str(files[0]) if len(files) == 1 else f"{len(files):,} files"


def _print_json(report: ImportReport, reports: dict[Path, ImportReport], unreadable: dict[Path, str]) -> None:
    faults = {field or "(unreadable)": number for field, number in report.faults.items()}
    parts = [
        {"path": str(path), "records": part.records, "accepted": part.accepted, "duplicates": part.duplicates,
         "rejected": part.rejected}
        for path, part in reports.items()
    ]  # fmt: skip
    left = [{"path": str(path), "reason": reason} for path, reason in unreadable.items()]
    print_json({**vars(report), "faults": faults, "files": parts, "unreadable": left})


def _print_files(files: list[Path], reports: dict[Path, ImportReport], unreadable: dict[Path, str]) -> None:
    """Print a line for each of several files."""
    if len(files) == 1:
        return
    rows: list[tuple[object, ...]] = [
        (str(file), part.records, part.accepted, part.duplicates, part.rejected) for file, part in reports.items()
    ]
    print_table("files", ("file", "records", "accepted", "already there", "rejected"), rows)
    if unreadable:
        print_table("files that could not be read", ("file and reason",), [(line,) for line in unreadable.values()])


def _print(report: ImportReport, title: str) -> None:
    rows = [
        ("records read", report.records),
        ("events accepted", report.accepted),
        ("events already in the log", report.duplicates),
        ("records left out on purpose", report.skipped),
        ("records rejected", report.rejected),
        ("properties dropped", report.dropped),
    ]
    print_table(title, ("what", "number"), rows)
    if report.repeated:
        print_line(
            f"{report.repeated:,} events have the message id of another record of this file, and count once: if every"
            " row is a line of an order, include the line in message_id"
        )
    if report.rejected:
        faults = [(field or "(unreadable)", number) for field, number in report.faults.most_common()]
        print_table("rejected, by the field at fault", ("field", "records"), faults)
        print_table("the first rejected records", ("record, field and reason",), [(line,) for line in report.examples])
    if report.unread:
        print_table(
            "values left out of accepted records",
            ("what is wrong", "values"),
            list(report.unread.most_common()),
        )
        examples = [(line,) for line in report.unread_examples]
        print_table("the first values left out", ("record, field and reason",), examples)
