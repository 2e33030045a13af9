"""waypost audit: customers recomputed from the raw log, and compared with their states bit for bit."""

from __future__ import annotations

import time
from typing import Annotated

import typer

from waypost.console import JsonOption, StoreOption, print_json, print_line, print_table, progress_bar

MOST_ROWS = 50
"""Most customers in the table; the JSON has all."""


def audit(
    sample: Annotated[int | None, typer.Option(min=1, help="How many customers, at random; default: all.")] = None,
    seed: Annotated[int, typer.Option(help="Seed of the random draw.")] = 0,
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
        log, oracle, mismatches = engine.states.log, Oracle(engine.fold), list[Mismatch]()
        names = list(everyone(log.customers)) if sample is None else drawn(log.customers, sample, seed)
        with progress_bar("auditing customers") as progress:
            for done, name in enumerate(names, 1):
                mismatch = audit_one(oracle, log, lambda who: engine.states.load(who).states, name)
                mismatches += [] if mismatch is None else [mismatch]
                progress(done, len(names))
    finally:
        engine.states.close()
    if as_json:
        print_json(
            {
                "fingerprint": engine.fold.fingerprint,
                "audited": len(names),
                "mismatches": [{"code": mismatch.code, "slots": mismatch.slots} for mismatch in mismatches],
                "seconds": round(time.monotonic() - begun, 3),
            }
        )
    else:
        print_line(f"{len(names):,} customers audited, {len(mismatches):,} with a state that differs from the log")
        if mismatches:
            rows = [(str(mismatch.code), ", ".join(mismatch.slots)) for mismatch in mismatches[:MOST_ROWS]]
            print_table("wrong states", ("customer code", "slots that differ"), rows)
            print_line("repair them with: waypost rebuild")
    if mismatches:
        raise typer.Exit(1)
