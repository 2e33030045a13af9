"""waypost features, waypost explain: the features of every customer at a moment, and their meaning."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from features.times import iso
from waypost.console import (
    JsonOption,
    StoreOption,
    UsageProblem,
    needs,
    out,
    parse_moment,
    print_json,
    print_table,
    progress_bar,
)

SHARD = 4_000_000
"""Events replayed at once, which bounds the memory whatever the size of the log."""


def write_features(
    at: Annotated[str, typer.Option(help="The moment, ISO 8601; later events are ignored.")],
    file: Annotated[Path, typer.Option("--out", help="Parquet file to write.")],
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Write the point-in-time features of every customer known at a moment to Parquet.

    Ids that were one profile at that moment are one row. Customers who had withdrawn the consent to be profiled have
    none.
    """
    from features.journey import JOURNEY
    from features.replay.snapshots import replay_log
    from waypost.places import existing_log

    with needs("training"):
        import pyarrow as pa
        import pyarrow.parquet as pq
    moment, log = parse_moment(at), existing_log(store)
    fields = [("customer", pa.string()), ("as_of", pa.timestamp("us", "UTC"))]
    fields += [(name, pa.float32()) for name in JOURNEY.names]
    schema = pa.schema(fields, metadata={"fingerprint": JOURNEY.fingerprint, "log": log.digest()})
    withdrawn, rows = JOURNEY.index["profiling_withdrawn"], 0
    file.parent.mkdir(parents=True, exist_ok=True)
    with pq.ParquetWriter(file, schema) as writer, progress_bar("features") as progress:
        for snapshots in replay_log(JOURNEY, log, [moment], most=SHARD, progress=progress):
            kept = ~(snapshots.features[:, withdrawn] > 0)
            customers = [log.customers.name(code) for code in snapshots.customer[kept].tolist()]
            columns = [customers, snapshots.cutoff[kept], *snapshots.features[kept].T]
            writer.write_table(
                pa.table([pa.array(column, of.type) for column, of in zip(columns, schema, strict=True)], schema)
            )
            rows += len(customers)
    log.close()
    result = {"file": str(file), "customers": rows, "features": len(JOURNEY.names), "as_of": iso(moment)}
    if as_json:
        print_json({**result, "fingerprint": JOURNEY.fingerprint})
    else:
        print_table(
            f"features {JOURNEY.fingerprint}", ("what", "value"), [(key, str(value)) for key, value in result.items()]
        )


def explain_feature(
    feature: Annotated[str | None, typer.Argument(help="Name of a feature; without it, all are listed.")] = None,
    as_json: JsonOption = False,
) -> None:
    """Print what a feature means, the state it is kept in, and the code that updates and reads it."""
    from features.catalogues.dictionary import explain
    from features.journey import JOURNEY

    if feature is None:
        if as_json:
            raise UsageProblem(
                "name a feature to explain as JSON, such as `waypost explain days_since_purchase --json`"
            )
        print_table("features", ("feature", "family"), _by_family(JOURNEY.declarations.families))
        return
    explanation = explain(feature)
    if as_json:
        print_json(asdict(explanation))
        return
    out.print(f"[bold]{explanation.name}[/bold]  ({explanation.family})\n  {explanation.formula}\n", highlight=False)
    for part in explanation.parts:
        slots = ", ".join(f"{slot}: {kind}" for slot, kind in part.slots.items())
        order = "the order of events does not matter" if part.commutes else "follows the order of the log"
        out.print(f"[bold]{part.meaning}[/bold]\n{part.note}", highlight=False, soft_wrap=True)
        out.print(f"state   {slots} ({part.size} bytes; {order})", highlight=False, soft_wrap=True)
        out.print("\n".join([part.update, *part.reads.values()]) + "\n", highlight=False, markup=False, soft_wrap=True)


def _by_family(families: Mapping[str, str]) -> list[tuple[str, str]]:
    """Every feature, with the family beside its first feature."""
    rows, last = list[tuple[str, str]](), ""
    for name, family in families.items():
        rows.append((name, "" if family == last else family))
        last = family
    return rows
