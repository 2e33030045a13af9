"""waypost import: a file of events into the log."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from waypost.console import JsonOption, StoreOption, clock, print_json, print_line, print_table, progress_bar

if TYPE_CHECKING:
    from features.sources import ImportReport


def import_events(
    path: Annotated[Path, typer.Argument(help="File or folder to read; `-` for sources that bring their own data.")],
    source: Annotated[
        str, typer.Option(help="complete_journey, ga4, measurement, segment, rees46, taobao, waypost or mapping.")
    ],
    mapping: Annotated[Path | None, typer.Option("--map", help="TOML mapping, with --source mapping.")] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Import a file: good records go into the log, bad ones are kept as dead letters with a reason."""
    from features.log import open_log
    from features.sources import NothingAccepted, import_file
    from waypost.places import settings, store_shown, store_url

    log = open_log(store_url(store), create=True)
    try:
        with progress_bar(f"importing {path}") as progress:
            told = settings()
            report = import_file(
                log,
                path,
                source,
                mapping,
                received=clock(),
                progress=progress,
                privacy=told.privacy,
                rates=told.rates,
            )
        if as_json:
            print_json(
                {**vars(report), "faults": {field or "(unreadable)": number for field, number in report.faults.items()}}
            )
        else:
            _print(report, f"{path} into {store_shown(store)}")
    finally:
        log.close()
    if not report.accepted and not report.duplicates:
        raise NothingAccepted(
            f"no event of {path} was accepted: {report.rejected:,} of {report.records:,} records were rejected and "
            f"{report.skipped:,} left out; see `waypost deadletters list`, and mend the file or its mapping"
        )


def _print(report: ImportReport, title: str) -> None:
    rows = [
        ("records read", report.records),
        ("events accepted", report.accepted),
        ("events already there", report.duplicates),
        ("records left out on purpose", report.skipped),
        ("records rejected", report.rejected),
        ("properties dropped", report.dropped),
    ]
    print_table(title, ("what", "number"), rows)
    if report.repeated:
        print_line(
            f"{report.repeated:,} events have the message id of another record of this file, and count once: where each"
            " row is a line of an order, let message_id name the line too"
        )
    if report.rejected:
        faults = [(field or "(unreadable)", number) for field, number in report.faults.most_common()]
        print_table("rejected, by the field at fault", ("field", "records"), faults)
        print_table("the first of them", ("record, field and reason",), [(each,) for each in report.examples])
    if report.unread:
        print_table(
            "values left out of records that were taken in",
            ("what is wrong", "values"),
            list(report.unread.most_common()),
        )
        print_table("the first of them", ("record, field and reason",), [(each,) for each in report.unread_examples])
