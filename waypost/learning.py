"""waypost train, waypost score: models from the log, and the log through the models."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from waypost.console import (
    JsonOption,
    StoreOption,
    iso,
    needs,
    out,
    parse_moment,
    print_json,
    print_table,
    progress_bar,
)

SeedOption = Annotated[int, typer.Option("--seed", help="Seed of every random draw; the same seed, the same figures.")]


def train(
    targets: Annotated[list[str] | None, typer.Argument(help="Targets to train; all when none is named.")] = None,
    now: Annotated[
        str | None, typer.Option("--now", help="Train as if it were this moment; the end of the log.")
    ] = None,
    seed: SeedOption = 0,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train, judge beside the baselines, record in MLflow, and promote what passes every gate."""
    from waypost.places import store_url

    moment = parse_moment(now) if now else None
    result = train_on(store_url(store), targets or [], moment, seed)
    if as_json:
        print_json(result)
    else:
        report_training(result)


def score(
    file: Annotated[Path, typer.Option("--out", help="Parquet file to write.")],
    at: Annotated[str | None, typer.Option(help="Score as of this moment, ISO 8601; the end of the log.")] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score every customer known at a moment with the champion, and write Parquet."""
    from features.events import Stage
    from features.journey import JOURNEY
    from features.replay import histories, replay
    from serving.champion import Champions
    from waypost.places import bundle_folder, existing_log

    with needs("training"):
        import pyarrow as pa
        import pyarrow.parquet as pq
    log = existing_log(store)
    span = log.span()
    moment = parse_moment(at) if at else (span[1] if span else 0)
    champions = Champions(bundle_folder(), JOURNEY)
    champions.refresh()
    champion = champions.require()
    with progress_bar("replaying") as progress:
        snapshots = replay(JOURNEY, histories(log.scan(until=moment)), [moment], progress=progress)
    stages = snapshots.features[:, JOURNEY.index["stage"]].astype(int)
    columns: dict[str, Any] = {
        "customer": [log.customers.name(code) for code in snapshots.customer.tolist()],
        "as_of": pa.array(snapshots.cutoff, pa.timestamp("us", "UTC")),
        "stage": [Stage(stage).name.lower() for stage in stages],
        **{
            target: pa.array(values, from_pandas=True)
            for target, values in champion.score_many(snapshots.features).items()
        },
    }
    log.close()
    stamp = {"model_version": champion.bundle.version, "fingerprint": JOURNEY.fingerprint}
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.table(columns).replace_schema_metadata(stamp), file)
    result = {"file": str(file), "customers": len(stages), "as_of": iso(moment), **stamp}
    if as_json:
        print_json(result)
    else:
        print_table("scores", ("what", "value"), [(key, str(value)) for key, value in result.items()])


def train_on(store: str, targets: list[str], now: int | None, seed: int) -> Any:
    return {}


def report_training(result: Any) -> None:
    pass
