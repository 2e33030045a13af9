"""waypost audit: customers recomputed from the raw log, and compared with their states bit for bit."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from waypost.console import JsonOption, StoreOption, print_json, print_line, print_table, progress_bar

MOST_ROWS = 50
"""Customers listed by name at most; the JSON holds all."""


def audit(
    sample: Annotated[int | None, typer.Option(min=1, help="How many customers, drawn at random; all without.")] = None,
    seed: Annotated[int, typer.Option(help="Which customers are drawn.")] = 0,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Recompute customers from the raw log without the compiler and compare; exit code 1 when a state is wrong."""
    from features.replay.audit import Mismatch, Oracle, everyone
    from features.replay.audit import audit as audit_one
    from features.replay.audit import sample as drawn
    from waypost.places import engine_of

    begun = time.monotonic()
    engine = engine_of(store)
    try:
        log, oracle, found = engine.states.log, Oracle(engine.fold), list[Mismatch]()
        names = list(everyone(log.customers)) if sample is None else drawn(log.customers, sample, seed)
        with progress_bar("auditing customers") as progress:
            for done, name in enumerate(names, 1):
                mismatch = audit_one(oracle, log, lambda who: engine.states.load(who).states, name)
                found += [] if mismatch is None else [mismatch]
                progress(done, len(names))
    finally:
        engine.states.close()
    if as_json:
        print_json(
            {
                "fingerprint": engine.fold.fingerprint,
                "audited": len(names),
                "mismatches": [{"code": each.code, "slots": each.slots} for each in found],
                "seconds": round(time.monotonic() - begun, 3),
            }
        )
    else:
        print_line(f"{len(names):,} customers audited, {len(found):,} with a state that is not the fold of its events")
        if found:
            rows = [(str(each.code), ", ".join(each.slots)) for each in found[:MOST_ROWS]]
            print_table("wrong states", ("customer code", "slots that differ"), rows)
            print_line("repair them with: waypost rebuild")
    if found:
        raise typer.Exit(1)
