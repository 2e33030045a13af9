"""Training on a Dask cluster of processes, beside one process, as a shop grows tenfold.

    python -m benchmarks.cluster [--customers 2_000] [--growth 10] [--workers 2]

A synthetic shop is exported, replayed partition by partition, and its trees are grown; then the same for a shop with
`growth` times as many customers and partitions. Every number of every row is compared with what one process computes,
bit for bit, and the trees with trees grown here on the same rows. A worker keeps as many rows of the large shop as of
the small one, those of a sample of its customers; all customers are replayed once more without keeping rows. Memory is
the most that any worker process ever had resident.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import lightgbm
import numpy as np
from distributed import Client, LocalCluster, as_completed

from benchmarks.report import print_claims, print_table
from benchmarks.shops import events_of, row
from features.grouping import histories
from features.journey import JOURNEY
from features.log import open_log
from features.log.contract import IMPORT_BATCH
from features.log.parquet.export import export
from features.log.parquet.exported import ExportedLog
from features.replay.snapshots import Past, read_past
from training.cluster import ClusterRows, GrownTrees, connected, grown, replayed
from training.cluster.partitions import Question, drawn, rows_of
from training.cluster.rows import by_person
from training.evaluation.evaluation import Figure, evaluate
from training.rows.dataset import Gathered, Slice, gathered, joined, willing
from training.targets import TARGETS

TARGET = TARGETS["conversion_7d"]
EVENTS_PER_CUSTOMER = 100
PARTITIONS = 8
"""The partitions of the small shop."""
SEED = 1


@dataclass(frozen=True)
class Run:
    """The results for one size of the shop. Memory is in bytes, times are in seconds."""

    customers: int
    events: int
    partitions: int
    rows: int
    mismatches: int
    memory: float
    replay_memory: float
    export_s: float
    replay_s: float
    grow_s: float
    against_one_machine: dict[str, Figure]


def main() -> None:
    """Measure, print, claim."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--customers", type=int, default=2_000)
    parser.add_argument("--growth", type=int, default=10)
    parser.add_argument("--workers", type=int, default=2)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as place:
        small = measured(Path(place) / "small", asked.customers, PARTITIONS, asked.workers, None)
        times = asked.growth
        large = measured(Path(place) / "large", asked.customers * times, PARTITIONS * times, asked.workers, small.rows)
    show(small, large)
    print_claims("cluster", claims_of(small, large))


def measured(place: Path, customers: int, partitions: int, workers: int, most: int | None) -> Run:
    """Export, replay and grow one shop, with at most so many rows (all, when None)."""
    exported, past, export_s = shop(place, customers, partitions)
    with cluster(exported, workers) as client:
        begun = time.perf_counter()
        rows = replayed(client, exported, TARGET, seed=SEED, most=most)
        replay_s, begun = time.perf_counter() - begun, time.perf_counter()
        trees = grown(rows, SEED)
        gathered_rows = rows.gathered()
        known = joined([gathered_rows.dataset.fit, gathered_rows.dataset.stop, gathered_rows.dataset.calibrate])
        against = compared(trees, known, gathered_rows)
        grow_s, memory = time.perf_counter() - begun, most_memory(client)
    with cluster(exported, workers) as client:
        replay_memory = memory_of_everyone(client, rows.question, partitions)
    manifest = exported.manifest
    return Run(
        customers, manifest.events, partitions, len(rows), mismatches(gathered_rows, exported, past, rows),
        memory, replay_memory, export_s, replay_s, grow_s, against,
    )  # fmt: skip


def shop(place: Path, customers: int, partitions: int) -> tuple[ExportedLog, Past, float]:
    """A synthetic shop, exported and in memory, and the seconds of the export."""
    place.mkdir()
    with closing(open_log(place / "waypost.db")) as log:
        records = events_of(customers * EVENTS_PER_CUSTOMER, customers, SEED)
        for start in range(0, len(records), IMPORT_BATCH):
            batch = records[start : start + IMPORT_BATCH]
            log.append([row(start + place, record) for place, record in enumerate(batch)], history=True)
        begun = time.perf_counter()
        export(log, place / "export", partitions=partitions)
        seconds, exported = time.perf_counter() - begun, ExportedLog(place / "export")
        return exported, willing(JOURNEY, read_past(log), exported.manifest.end), seconds


@contextmanager
def cluster(exported: ExportedLog, workers: int) -> Iterator[Client]:
    """New worker processes of one thread each, with everything loaded."""
    with (
        LocalCluster(
            n_workers=workers, threads_per_worker=1, host="127.0.0.1", dashboard_address="127.0.0.1:0"
        ) as local,
        connected(local.scheduler_address, exported, seconds=120.0) as client,
    ):
        yield client


def mismatches(gathered_rows: Gathered, exported: ExportedLog, past: Past, rows: ClusterRows) -> int:
    """The number of values in the rows that differ from those of one process in any bit; missing rows count whole."""
    share, heads = rows.question.share, exported.partitioning.heads
    apart, both = (part[drawn(heads(part["customer"]), share, SEED)] for part in past.parts)
    some = Past(histories([apart]), both, past.merges) if share < 1.0 else past
    end = exported.manifest.end
    data = gathered(TARGET, JOURNEY, some, exported.manifest.start, end, seed=SEED).dataset
    own = by_person(joined([data.fit, data.stop, data.calibrate, data.test]))
    columns = ("features", "labels", "customer", "cutoff")
    if len(own) != len(gathered_rows.rows):
        return abs(len(own) - len(gathered_rows.rows)) * (len(JOURNEY.names) + 3)
    return sum(differing(getattr(own, name), getattr(gathered_rows.rows, name)) for name in columns)


def differing(one: np.ndarray, other: np.ndarray) -> int:
    """The number of values of two arrays that differ in any bit."""
    bits = f"u{one.dtype.itemsize}"
    return int((np.ascontiguousarray(one).view(bits) != np.ascontiguousarray(other).view(bits)).sum())


def compared(trees: GrownTrees, known: Slice, gathered_rows: Gathered) -> dict[str, Figure]:
    """Trees of the cluster minus as many trees grown here on the same rows, on the test, with intervals."""
    test = gathered_rows.dataset.test
    here = lightgbm.train(trees.parameters, lightgbm.Dataset(known.features, known.labels), trees.rounds)
    predictions = {"cluster": trees.fit(known).raw_many(test.features), "here": np.asarray(here.predict(test.features))}
    over = evaluate(predictions, test.labels, test.customer, SEED).over["here"]
    return {name: over[name] for name in ("log_loss", "roc_auc")}


def everyone_counted(question: Question, partition: int) -> int:
    """The number of rows of all customers of a partition; the rows are not kept."""
    return len(rows_of(replace(question, share=1.0), partition).labels)


def memory_of_everyone(client: Client, question: Question, partitions: int) -> float:
    """The most memory of a worker that replays every customer and keeps no rows."""
    futures = client.map(everyone_counted, [question] * partitions, range(partitions), pure=False)
    for future in as_completed(futures):
        future.result()
    return most_memory(client)


def peak() -> int:
    """The most memory that this process ever had resident, in bytes."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in lines if line.startswith("VmHWM"))


def most_memory(client: Client) -> float:
    """The most memory that any worker ever had resident, in bytes."""
    return float(max(client.run(peak).values()))


def show(*runs: Run) -> None:
    """A table of the sizes."""
    rows = [
        ("customers", *(f"{run.customers:,}" for run in runs)),
        ("events", *(f"{run.events:,}" for run in runs)),
        ("partitions", *(f"{run.partitions}" for run in runs)),
        ("rows that the workers keep", *(f"{run.rows:,}" for run in runs)),
        ("numbers that differ from one process", *(f"{run.mismatches:,}" for run in runs)),
        ("most memory of a worker, training", *(f"{run.memory / 2**20:,.0f} MiB" for run in runs)),
        ("most memory of a worker, all replayed", *(f"{run.replay_memory / 2**20:,.0f} MiB" for run in runs)),
        ("export", *(f"{run.export_s:.1f} s" for run in runs)),
        ("replay, labels", *(f"{run.replay_s:.1f} s" for run in runs)),
        ("trees, three times", *(f"{run.grow_s:.1f} s" for run in runs)),
        ("log loss over one process", *(str(run.against_one_machine["log_loss"]) for run in runs)),
        ("ROC-AUC over one process", *(str(run.against_one_machine["roc_auc"]) for run in runs)),
    ]
    print_table("A shop on a cluster", ("", *(f"{run.customers:,} customers" for run in runs)), rows)


def claims_of(small: Run, large: Run) -> dict[str, float]:
    """The claims of this benchmark."""
    loss = large.against_one_machine["log_loss"]
    return {
        "feature_mismatches": small.mismatches + large.mismatches,
        "memory_growth_ratio": max(large.memory / small.memory, large.replay_memory / small.replay_memory),
        "log_loss_over_one_process": loss.value,
        "log_loss_over_one_process_low": loss.low,
        "log_loss_over_one_process_high": loss.high,
        "export_events_per_second": large.events / large.export_s,
    }


if __name__ == "__main__":
    main()
