"""waypost deadletters: list the records that could not become events, and read them again."""

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
    print_json,
    print_line,
    print_table,
    progress_bar,
)

if TYPE_CHECKING:
    from features.log.contract import DeadLetter

app = typer.Typer(
    name="deadletters",
    help="List the records that could not become events, and read them again.",
    no_args_is_help=True,
    cls=Failing,
)

SourceOption = Annotated[str | None, typer.Option(help="Only dead letters of this source, such as api or segment.")]


@app.command("list")
def list_dead_letters(
    source: SourceOption = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many at most, oldest first.")] = 50,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """List dead letters with their source and what is wrong with them; the JSON has the original record."""
    from waypost.places import existing_log

    log = existing_log(store)
    try:
        dead_letters = log.dead_letters(limit, source=source)
    finally:
        log.close()
    rows = [_fields(letter) for letter in dead_letters]
    if as_json:
        print_json({"letters": rows})
        return
    columns = ("number", "source", "position", "received", "field", "reason")
    print_table("dead letters", columns, [[str(row[column]) for column in columns] for row in rows])


def _fields(letter: DeadLetter) -> dict[str, Any]:
    return {
        "number": letter.number,
        "source": letter.source,
        "position": letter.position,
        "received": iso(letter.received),
        "field": letter.field,
        "reason": letter.reason,
        "raw": letter.raw.decode("utf-8", "backslashreplace"),
    }


@app.command("replay")
def replay(
    source: SourceOption = None,
    mapping: Annotated[Path | None, typer.Option("--map", help="TOML mapping, for dead letters of its source.")] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read dead letters again with today's readers: those that now give events are recorded and removed.

    A second run adds nothing. Lines of CSV files are not read again: correct the mapping and import the file again,
    which adds only what is missing.
    """
    from features.sources import load_mapping
    from serving.engine.dead_letters import Replay
    from waypost.places import engine_of, settings

    mapped = None if mapping is None else load_mapping(mapping)
    engine = engine_of(store)
    try:
        chosen = settings()
        replaying = Replay(engine, clock(), chosen.privacy, source, mapped, chosen.rates)
        with progress_bar("reading dead letters") as progress:
            report = replaying.run(lambda done: progress(done, done))
    finally:
        engine.states.close()
    if as_json:
        print_json(vars(report))
        return
    rows = [
        ("dead letters read", report.letters),
        ("dead letters settled", report.settled),
        ("dead letters that remain", report.remaining),
        ("events accepted", report.accepted),
        ("events already in the log", report.duplicates),
        ("events withheld (consent withdrawn)", report.withheld),
    ]
    print_table("dead letters", ("what", "number"), rows)
    if report.remaining:
        print_line("for the reasons of the rest: waypost deadletters list")
