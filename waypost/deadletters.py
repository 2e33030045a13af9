"""waypost deadletters: the records that could not become events, looked at and read again."""

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

SourceOption = Annotated[str | None, typer.Option(help="Only letters of this source, such as api or segment.")]


@app.command("list")
def list_dead_letters(
    source: SourceOption = None,
    limit: Annotated[int, typer.Option(min=1, max=100_000, help="How many at most, oldest first.")] = 50,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """List dead letters: where each came from and what is wrong with it; the JSON has the record as it came."""
    from waypost.places import existing_log

    log = existing_log(store)
    try:
        letters = log.dead_letters(limit, source=source)
    finally:
        log.close()
    told = [_told(letter) for letter in letters]
    if as_json:
        print_json({"letters": told})
        return
    columns = ("number", "source", "position", "received", "field", "reason")
    print_table("dead letters", columns, [[str(each[column]) for column in columns] for each in told])


def _told(letter: DeadLetter) -> dict[str, Any]:
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
    mapping: Annotated[Path | None, typer.Option("--map", help="TOML mapping, for the letters of its source.")] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Read dead letters again, as their sources read today: what becomes events is recorded and settled.

    Done twice, nothing is added the second time. Lines of CSV files are left alone: mend the mapping and import the
    file again, which adds only what is missing.
    """
    from features.sources import load_mapping
    from serving.engine.dead_letters import Replay
    from waypost.places import engine_of, settings

    mapped = None if mapping is None else load_mapping(mapping)
    engine = engine_of(store)
    try:
        told = settings()
        replaying = Replay(engine, clock(), told.privacy, source, mapped, told.rates)
        with progress_bar("reading dead letters") as progress:
            report = replaying.run(lambda done: progress(done, done))
    finally:
        engine.states.close()
    if as_json:
        print_json(vars(report))
        return
    rows = [
        ("letters read", report.letters),
        ("letters settled", report.settled),
        ("letters that stay", report.remaining),
        ("events accepted", report.accepted),
        ("events already there", report.duplicates),
        ("events withheld (consent withdrawn)", report.withheld),
    ]
    print_table("dead letters", ("what", "number"), rows)
    if report.remaining:
        print_line("what is wrong with the rest: waypost deadletters list")
