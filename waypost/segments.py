"""waypost segments: the segments and their members, from a new sweep of the store."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from features.times import iso
from waypost.console import (
    JsonOption,
    StoreOption,
    UsageProblem,
    data_output,
    out,
    parse_moment,
    print_json,
    print_line,
    print_note,
    print_table,
)

if TYPE_CHECKING:
    from models.prediction.money_at_stake import Yield
    from serving.engine.engine import Engine
    from serving.engine.scoreboard import Generation

app = typer.Typer(help="List the saved segments, or write the members of one.", no_args_is_help=True)


AtOption = Annotated[str | None, typer.Option("--at", help="As of this moment, ISO 8601; default: the end of the log.")]


@app.command("list")
def list_segments(at: AtOption = None, store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Show every saved segment with its rule and its size."""
    from insights.segments import SEGMENTS
    from waypost.places import swept

    with swept(store, parse_moment(at) if at else None) as (engine, generation):
        report, customers, as_of = generation.report, generation.count, iso(generation.as_of)
        past = {name: _past(name, engine) for name in SEGMENTS}
        if at:
            _note_hindsight(engine, generation)
    rows = [
        {
            "name": segment.name,
            "title": segment.title,
            "customers": report["segments"][segment.name],
            "candidates": report["candidates"][segment.name],
            "rule": str(segment.rule),
        }
        for segment in SEGMENTS.values()
    ]
    if as_json:
        segments = [
            {**row, "past": None if (measured := past[str(row["name"])]) is None else asdict(measured)} for row in rows
        ]
        print_json({"as_of": as_of, "customers": customers, "segments": segments})
        return
    print_table(
        f"segments of {customers:,} customers, as of {as_of}", tuple(rows[0]), [tuple(row.values()) for row in rows]
    )
    for name, measured in past.items():
        if measured is not None:
            print_line(f"{name}: {measured.words}")


def _note_hindsight(engine: Engine, generation: Generation) -> None:
    """Note on standard error that a model trained on later events makes a list of the past look too good."""
    champion = engine.champions.current
    if champion and generation.as_of < (learnt := champion.bundle.manifest.now):
        print_note(
            f"the champion was trained on the log up to {iso(learnt)}, so it knows what came after "
            f"{iso(generation.as_of)}; a list made at that moment would have been less accurate"
        )


def _past(name: str, engine: Engine) -> Yield | None:
    """What a list of the segment would have found, as measured in the champion's training; None where it was not."""
    from insights.segments import SEGMENTS
    from models.prediction.money_at_stake import AT_STAKE, TARGET, Yield

    champion = engine.champions.current
    card = champion.bundle.manifest.targets.get(TARGET) if champion else None
    return Yield.of_metrics(card.metrics) if card and SEGMENTS[name].order_by is AT_STAKE else None


@app.command("pull")
def pull_segment(
    name: Annotated[str, typer.Argument(help="Name of a segment; see `waypost segments list`.")],
    file: Annotated[Path | None, typer.Option("--out", help="CSV file to write; standard output when absent.")] = None,
    size: Annotated[
        float | None,
        typer.Option("--size", help="A share up to 1, or a number of customers; default: the segment's own."),
    ] = None,
    at: AtOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the members of a segment, in its order, as CSV or JSON.

    With the estimates and intervals of each member, and reasons for the first thousand.
    """
    from insights.segments import SEGMENTS
    from serving.engine.scoreboard.members import csv_values, member_columns
    from waypost.places import swept

    if name not in SEGMENTS:
        raise UsageProblem(f"there is no segment {name!r}; there are {', '.join(SEGMENTS)}")
    try:
        SEGMENTS[name].count(1, size)
    except ValueError as fault:
        raise UsageProblem(f"--size: {fault}") from None
    with swept(store, parse_moment(at) if at else None) as (engine, generation):
        members = list(_members(engine, generation, name, size))
        header = ("customer", *member_columns(generation), "reasons")
        as_of = iso(generation.as_of)
        if at:
            _note_hindsight(engine, generation)
    if as_json:
        print_json({"as_of": as_of, "segment": name, "members": members})
        return
    lines = [header, *(csv_values(member) for member in members)]
    if file is None:
        with data_output() as target:
            csv.writer(target, lineterminator="\n").writerows(lines)
        return
    with file.open("w", newline="", encoding="utf-8") as written_to:
        csv.writer(written_to, lineterminator="\n").writerows(lines)
    out.print(f"{len(members):,} customers of {name} in {file}", highlight=False)


def _members(
    engine: Engine, generation: Generation, name: str, size: float | None
) -> Iterator[dict[str, str | float | bool | None]]:
    """The members in readable form, with the reasons in words."""
    from serving.engine.scoreboard.members import member_reasons, member_rows, shown

    log, champion, places = engine.states.log, engine.champions.current, generation.members(name, size)
    reasons = member_reasons(generation, name, places, champion)
    for customer, values in member_rows(log, generation, places, champion):
        words = reasons.get(log.customers.code(customer))
        yield {"customer": customer, **shown(generation, values), "reasons": words}
