"""waypost import: events from a file into the log."""

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
    """Import a file: valid records go into the log, others are kept as dead letters with a reason."""
    from features.log import open_log
    from features.sources import NothingAccepted, import_file
    from waypost.places import settings, store_shown, store_url

    log = open_log(store_url(store), create=True)
    try:
        with progress_bar(f"importing {path}") as progress:
            chosen = settings()
            report = import_file(
                log,
                path,
                source,
                mapping,
                received=clock(),
                progress=progress,
                privacy=chosen.privacy,
                rates=chosen.rates,
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
            f"{report.skipped:,} left out; see `waypost deadletters list`, and correct the file or its mapping"
        )


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
