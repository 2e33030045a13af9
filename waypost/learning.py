"""waypost train, waypost score: train models on the log, and score customers with them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.text import Text

from features.times import iso
from waypost.console import (
    JsonOption,
    StoreOption,
    clock,
    err,
    needs,
    parse_moment,
    print_json,
    print_line,
    print_table,
    progress_bar,
    steps,
)

if TYPE_CHECKING:
    from features.log.contract import EventLog
    from models.bundle.loaded import Champion
    from training.fitting.tuned import TunedSettings
    from training.run.pipeline import Cluster
    from training.run.result import TrainingResult

POLITENESS = 10
"""The `nice` value of a training run: a server on the same machine goes first."""

UNANSWERED = 3
"""Exit code of a training after which no server can answer every target; a failed training has 1."""

StudyOption = Annotated[
    float,
    typer.Option(
        "--study", metavar="MINUTES", min=0.0, help="First search for better settings, for so many minutes in all."
    ),
]
ChallengerOption = Annotated[bool, typer.Option("--challenger", help="Make it the challenger instead of the champion.")]
ClusterOption = Annotated[
    str | None,
    typer.Option("--cluster", metavar="ADDRESS", help="Grow the trees on this Dask cluster: tcp://HOST:PORT."),
]
ExportOption = Annotated[
    Path, typer.Option("--export", help="Folder for the export of the log, which the cluster's workers can read.")
]
DetailsOption = Annotated[
    bool, typer.Option("--details", help="Print all figures: baselines, cutoffs, stages and channels, gates.")
]
NoPicturesOption = Annotated[
    bool, typer.Option("--no-pictures", help="Record no pictures in MLflow, which saves seconds.")
]
SeedOption = Annotated[
    int, typer.Option("--seed", help="Seed of all random draws; the same seed gives the same figures.")
]


def train(
    targets: Annotated[list[str] | None, typer.Argument(help="Targets to train; default: all.")] = None,
    now: Annotated[
        str | None, typer.Option("--now", help="Train as if it were this moment; default: the end of the log.")
    ] = None,
    study: StudyOption = 0.0,
    challenger: ChallengerOption = False,
    cluster: ClusterOption = None,
    exported: ExportOption = Path("data") / "export",
    details: DetailsOption = False,
    seed: SeedOption = 0,
    no_pictures: NoPicturesOption = False,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Train, compare with the baselines, promote the best answer for every target, and record the run in MLflow.

    Exit code 0: a champion answers every target and recommendations; 1: the training failed; 3: no server can use it.
    """
    from models.bundle.promotion_log import Cause
    from waypost.places import bundle_folder, existing_log

    with needs("training"):
        from training.run.pipeline import train as run
    log, names, folder = existing_log(store), targets or (), bundle_folder()
    moment = parse_moment(now) if now else None
    step_back()
    try:
        if study:
            report_studies(_study(log, names, study, moment, seed, folder), as_json)
        with beyond(log, cluster, exported, moment) as remote, steps() as progress:
            result = run(
                log, names, started=clock(), now=moment, seed=seed, folder=folder, challenger=challenger,
                cause=Cause("train", "asked for on the command line"), clock=clock, progress=progress, cluster=remote,
                pictures=not no_pictures,
            )  # fmt: skip
    finally:
        log.close()
    if as_json:
        print_json(result.to_json())
    else:
        report_training(result, details=details)
    check_champion(folder)


def check_champion(folder: Path) -> None:
    """End with the exit code `UNANSWERED` where a server cannot answer every target from the champion in `folder`."""
    from features.journey import JOURNEY
    from models.bundle.loaded import Champions
    from training.targets import targets

    champions = Champions(folder, JOURNEY)
    champions.refresh()
    problem, champion = champions.problem, champions.current
    if champion is not None and (lacking := targets().keys() - champion.bundle.models.keys()):
        problem = f"The champion in {folder} does not answer {', '.join(sorted(lacking))}. Run `waypost train`."
    if problem:
        err.print(Text.assemble(("error: ", "red"), problem), soft_wrap=True)
        raise typer.Exit(UNANSWERED)


def _study(
    log: EventLog, names: Sequence[str], minutes: float, now: int | None, seed: int, folder: Path
) -> Sequence[TunedSettings]:
    with needs("training"):
        from training.run.tuning import study_targets
    with steps() as progress:
        return study_targets(
            log, names, minutes=minutes, started=clock(), now=now, seed=seed, folder=folder, progress=progress
        )


@contextmanager
def beyond(log: EventLog, address: str | None, folder: Path, until: int | None) -> Iterator[Cluster | None]:
    """The cluster at an address for a training, with the log exported to `folder`; None without an address.

    The log is exported again whenever it has changed, so that the export reflects erasures and withdrawals.
    """
    if address is None:
        yield None
        return
    with needs("cluster"):
        from features.log.parquet.export import export
        from features.log.parquet.exported import ExportedLog
        from training.cluster import connected, on_cluster
    with progress_bar("exporting the log") as progress:
        export(log, folder, until=until, progress=progress)
    exported = ExportedLog(folder)
    with connected(address, exported) as client:
        yield on_cluster(client, exported)


def step_back() -> None:
    """Lower the priority of this process below others of the machine."""
    os.nice(POLITENESS)
    # Linux shares time among sessions before processes, so the priority of the session is lowered as well.
    with suppress(OSError):
        Path("/proc/self/autogroup").write_text(str(POLITENESS))


def report_studies(studies: Sequence[TunedSettings], as_json: bool) -> None:
    """Print the results of the studies, except with JSON: the training's JSON has the settings that it used."""
    rows = [
        (study.target, study.trials, study.pruned, f"{study.usual_log_loss:.4f}", f"{study.log_loss:.4f}",
         ", ".join(f"{name} {value:.3g}" for name, value in study.parameters.items()))
        for study in studies
    ]  # fmt: skip
    if not as_json:
        print_table("studies", ("target", "trials", "stopped early", "log loss before", "log loss", "settings"), rows)


def report_training(result: TrainingResult, *, details: bool = False) -> None:
    """Print what answers now and how well, and the next command; with `details` all measurements."""
    for table in result.tables() if details else result.summary():
        print_table(table.title, table.columns, table.rows)
    number = len(result.bundle.manifest.targets)
    made = f"bundle {result.bundle.version} in {result.folder}"
    if result.promoted:
        print_line(f"{made} is the champion: it answers all {number} targets and recommendations.")
        print_line("serve it with `waypost serve`; a running server loads it within two seconds")
    else:
        print_line(f"{made} is the challenger: it scores in the shadow and never answers.")
        print_line("let it answer with `waypost models promote challenger`")


def score(
    file: Annotated[Path, typer.Option("--out", help="Parquet file to write.")],
    at: Annotated[
        str | None, typer.Option(help="Score as of this moment, ISO 8601; default: the end of the log.")
    ] = None,
    store: StoreOption = None,
    as_json: JsonOption = False,
) -> None:
    """Score every customer known at a moment with the champion, and write Parquet.

    Customers who had withdrawn the consent to be profiled are left out.
    """
    from features.journey import JOURNEY
    from models.bundle.loaded import Champions
    from waypost.places import bundle_folder, existing_log

    with needs("training"):
        import pyarrow.parquet as pq
    champions = Champions(bundle_folder(), JOURNEY)
    champions.refresh()
    champion = champions.require()
    log = existing_log(store)
    span = log.span()
    moment = parse_moment(at) if at else (span[1] if span else 0)
    stamp = {"model_version": champion.bundle.version, "fingerprint": JOURNEY.fingerprint}
    table = _scored(log, champion, moment).replace_schema_metadata(stamp)
    log.close()
    file.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(table, file)
    result = {"file": str(file), "customers": table.num_rows, "as_of": iso(moment), **stamp}
    if as_json:
        print_json(result)
    else:
        print_table("scores", ("what", "value"), [(key, str(value)) for key, value in result.items()])


def _scored(log: EventLog, champion: Champion, moment: int) -> Any:
    """The stage and every probability of all customers known at a moment, as an Arrow table."""
    import pyarrow as pa

    from features.events import Stage
    from features.journey import JOURNEY
    from features.replay.snapshots import read_past, replay_profiles

    with progress_bar("replaying") as progress:
        snapshots = replay_profiles(JOURNEY, read_past(log, moment), [moment], progress=progress)
    kept = ~(snapshots.features[:, JOURNEY.index["profiling_withdrawn"]] > 0)
    features = snapshots.features[kept]
    stages = features[:, JOURNEY.index["stage"]].astype(int)
    scores = champion.score_many(features)
    columns: dict[str, Any] = {
        "customer": [log.customers.name(code) for code in snapshots.customer[kept].tolist()],
        "as_of": pa.array(snapshots.cutoff[kept], pa.timestamp("us", "UTC")),
        "stage": [Stage(stage).name.lower() for stage in stages],
        **{target: pa.array(values, from_pandas=True) for target, values in scores.items()},
    }
    return pa.table(columns)
