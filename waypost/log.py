"""waypost log: the event log as files for other machines, and its older events as files beside the database."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from features.times import iso
from waypost.console import (
    Failing,
    JsonOption,
    StoreOption,
    clock,
    needs,
    parse_moment,
    print_json,
    print_line,
    print_table,
    progress_bar,
)

if TYPE_CHECKING:
    from features.log.parquet.exported import Manifest

app = typer.Typer(name="log", help="The event log as files.", no_args_is_help=True, cls=Failing)


@app.callback()
def log() -> None:
    """The event log as files."""


@app.command("export")
def export(
    folder: Annotated[Path, typer.Argument(help="Folder to write; an older export in it is replaced.")],
    partitions: Annotated[
        int | None,
        typer.Option(help="Number of files; default: one per half a million events, at least 8."),
    ] = None,
    until: Annotated[
        str | None, typer.Option(help="Only events received up to this moment, ISO 8601; default: the end of the log.")
    ] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the log as Parquet files, all events of a customer in one file, for a replay on a cluster.

    A second run writes nothing; after an interruption, the next run starts again.
    """
    from waypost.places import existing_log

    with needs("training"):
        from features.log.parquet.export import export as run
    events = existing_log(store)
    try:
        with progress_bar("exporting events") as progress:
            moment = parse_moment(until) if until else None
            outcome = run(events, folder, partitions=partitions, until=moment, progress=progress)
    finally:
        events.close()
    fields = _fields(folder, outcome.manifest, fresh=outcome.fresh)
    if as_json:
        print_json(fields)
        return
    if outcome.interrupted:
        print_line("the remains of an interrupted export were removed")
    if not outcome.fresh:
        print_line("the folder held this export already: nothing was written")
    print_table("export", ("what", "value"), [(key, value) for key, value in fields.items() if key != "written"])


@app.command("seal")
def seal(
    older_than: Annotated[float, typer.Option(help="Only events received so many days ago or earlier.")] = 1.0,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Move older events from the database into the history beside it, as a running server does by and by.

    The log stays the same: only where its events lie changes, and with it how fast they are read.
    """
    from features.events import days
    from waypost.places import existing_database

    log = existing_database(store)
    try:
        with progress_bar("sealing events") as progress:
            before, total, sealed = clock() - days(older_than), log.count(), 0
            while moved := log.keeping.seal(before):
                sealed += moved
                log.keeping.compact()
                progress(sealed, max(sealed, total))
    finally:
        log.close()
    if as_json:
        print_json({"sealed": sealed, "events": total})
    else:
        print_table("sealed", ("what", "number"), [("events sealed", sealed), ("events in the log", total)])


def _fields(folder: Path, manifest: Manifest, *, fresh: bool) -> dict[str, Any]:
    sizes = [part.events for part in manifest.partitions]
    return {
        "folder": str(folder),
        "written": fresh,
        "events": manifest.events,
        "customers": manifest.customers,
        "merges": manifest.merges,
        "partitions": len(sizes),
        "most_events_in_a_partition": max(sizes),
        "first_received": iso(manifest.start),
        "last_received": iso(manifest.end),
        "offset": manifest.offset,
        "log_digest": manifest.log,
    }
