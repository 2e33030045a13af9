"""waypost insights: answers about all customers, from a new sweep of the store."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Annotated

import typer

from features.times import iso
from waypost.console import (
    JsonOption,
    StoreOption,
    UsageProblem,
    out,
    parse_moment,
    print_json,
    print_table,
)

app = typer.Typer(help="List the insights, or show the answer of one.", no_args_is_help=True)


@app.command("list")
def list_insights(as_json: JsonOption = False) -> None:
    """Show every insight and the question that it answers."""
    from insights.catalogue import INSIGHTS

    if as_json:
        print_json(
            {"insights": [{"name": insight.name, "question": insight.question} for insight in INSIGHTS.values()]}
        )
        return
    print_table("insights", ("name", "question"), [(insight.name, insight.question) for insight in INSIGHTS.values()])


@app.command("show")
def show_insight(
    name: Annotated[str, typer.Argument(help="Name of an insight; see `waypost insights list`.")],
    file: Annotated[Path | None, typer.Option("--out", help="CSV file to write the table to.")] = None,
    at: Annotated[
        str | None, typer.Option("--at", help="As of this moment, ISO 8601; default: the end of the log.")
    ] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Answer a question about all customers, as a table, as CSV or as JSON."""
    from insights.catalogue import INSIGHTS
    from insights.numbers import shown
    from waypost.places import swept

    if name not in INSIGHTS:
        raise UsageProblem(f"there is no insight {name!r}; there are {', '.join(INSIGHTS)}")
    insight = INSIGHTS[name]
    with swept(store, parse_moment(at) if at else None) as (_, generation):
        answer, as_of = generation.report["insights"][name], iso(generation.as_of)
    if as_json:
        print_json({"as_of": as_of, **answer})
        return
    rows = insight.rows(answer)
    if file is None:
        print_table(
            f"{insight.question} As of {as_of}", insight.columns, [[shown(cell) for cell in row] for row in rows]
        )
        return
    with file.open("w", newline="", encoding="utf-8") as written_to:
        csv.writer(written_to, lineterminator="\n").writerows([insight.columns, *rows])
    out.print(f"{len(rows):,} rows of {name} in {file}", highlight=False)
