"""waypost unmerge, waypost export, waypost erase: separate a customer's ids, export the data held, or erase it."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from waypost.console import JsonOption, StoreOption, data_output, out, print_json, print_line, print_table

CustomerArgument = Annotated[str, typer.Argument(metavar="ID", help="Any id of the customer.")]


def unmerge(customer: CustomerArgument, store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Take an id out of the profile it was merged into; for a profile's own id, take all others out."""
    from serving.engine.erasure import unmerge as take_apart
    from waypost.clocks import server_clock
    from waypost.places import engine_of

    engine = engine_of(store)
    try:
        separated, profiles = take_apart(engine, customer, server_clock(store))
    finally:
        engine.states.close()
    if as_json:
        print_json({"customer": customer, "separated": separated, "profiles": profiles})
        return
    print_line(f"{len(separated)} ids taken out of the profile of {customer}")
    for profile in profiles:
        print_line(f"  {', '.join(profile)}")


def export(
    customer: CustomerArgument,
    file: Annotated[Path | None, typer.Option("--out", help="File to write; default: standard output.")] = None,
    store: StoreOption = None,
) -> None:
    """Write all that is held about a customer, under all ids, as lines of JSON."""
    from serving.engine.export import held, lines
    from waypost.clocks import server_clock
    from waypost.places import engine_of

    engine = engine_of(store)
    try:
        export_lines = lines(engine.fold, held(engine, customer, server_clock(store)))
    finally:
        engine.states.close()
    if file is None:
        with data_output() as target:
            target.writelines(line.decode() for line in export_lines)
        return
    file.parent.mkdir(parents=True, exist_ok=True)
    with file.open("wb") as whole:
        whole.writelines(export_lines)


def erase(customer: CustomerArgument, store: StoreOption = None, as_json: JsonOption = False) -> None:
    """Erase a customer, under all ids, everywhere, and print the receipt. This cannot be undone."""
    from features.journey import JOURNEY
    from serving.engine.erasure import erase_at_once, erasing
    from serving.engine.scoreboard import Scoreboard
    from waypost.clocks import server_clock
    from waypost.places import engine_of, settings

    chosen, engine = settings(store), engine_of(store)
    try:
        board = Scoreboard(chosen.scoreboard, JOURNEY.fingerprint)
        receipt = erase_at_once(engine, erasing(board, chosen.journal, chosen.history, customer, server_clock(store)))
    finally:
        engine.states.close()
    fields = {**asdict(receipt), "as_of": receipt.as_of.isoformat().replace("+00:00", "Z")}
    if as_json:
        print_json(fields)
        return
    print_table("erased", ("what", "number"), [(name.replace("_", " "), str(value)) for name, value in fields.items()])
    out.print("only a salted digest of each id is kept", highlight=False)
