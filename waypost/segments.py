"""waypost segments: who is where, swept afresh from the store."""

from __future__ import annotations

import csv
import math
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Annotated, TextIO

import typer

from features.events import Stage
from waypost.console import JsonOption, StoreOption, UsageProblem, iso, out, parse_moment, print_json, print_table

app = typer.Typer(help="List the saved segments, or pull the members of one.", no_args_is_help=True)


AtOption = Annotated[str | None, typer.Option("--at", help="As of this moment, ISO 8601; the end of the log.")]


@app.command("list")
def list_segments(at: AtOption = None, store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Show every saved segment with its rule and how many customers are in it."""
    from insights.segments import SEGMENTS
    from waypost.places import swept

    with swept(store, parse_moment(at) if at else None) as (_, generation):
        counts, customers, as_of = generation.report["segments"], generation.count, iso(generation.as_of)
    rows = [
        {"name": each.name, "title": each.title, "customers": counts[each.name], "rule": str(each.rule)}
        for each in SEGMENTS.values()
    ]
    if as_json:
        print_json({"as_of": as_of, "customers": customers, "segments": rows})
    else:
        title = f"segments of {customers:,} customers, as of {as_of}"
        print_table(title, tuple(rows[0]), [tuple(row.values()) for row in rows])


@app.command("pull")
def pull_segment(
    name: Annotated[str, typer.Argument(help="Name of a segment; see `waypost segments list`.")],
    file: Annotated[Path | None, typer.Option("--out", help="CSV file to write; standard output when absent.")] = None,
    at: AtOption = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the members of a segment, first those it matters most for, as CSV or JSON."""
    from insights.segments import SEGMENTS
    from serving.scoreboard import member_columns, member_rows
    from waypost.places import swept

    if name not in SEGMENTS:
        raise UsageProblem(f"there is no segment {name!r}; there are {', '.join(SEGMENTS)}")
    with swept(store, parse_moment(at) if at else None) as (engine, generation):
        rows = member_rows(engine.states.log, generation, generation.members(name))
        if as_json:
            members = [{"customer": customer, **_shown(values)} for customer, values in rows]
            print_json({"as_of": iso(generation.as_of), "segment": name, "members": members})
        elif file is None:
            write_members(sys.stdout, member_columns(generation), rows)
        else:
            with file.open("w", newline="", encoding="utf-8") as target:
                written = write_members(target, member_columns(generation), rows)
            out.print(f"{written:,} customers of {name} in {file}", highlight=False)


def _shown(values: dict[str, float]) -> dict[str, str | float | None]:
    """The columns of a member as people read them: the stage by name, nothing where a value is not known."""
    shown = {name: None if math.isnan(value) else float(f"{value:.9g}") for name, value in values.items()}
    return {**shown, "stage": Stage(int(values["stage"])).name.lower()}


def write_members(target: TextIO, columns: Sequence[str], rows: Iterable[tuple[str, dict[str, float]]]) -> int:
    """Write CSV with a header, empty where a value is not known. The number of members."""
    writer = csv.writer(target, lineterminator="\n")
    writer.writerow(("customer", *columns))
    written = 0
    for customer, values in rows:
        writer.writerow([customer, *_shown(values).values()])
        written += 1
    return written
