"""Replay of a shop's history to the features of every customer, beside Polars and DuckDB.

    python -m benchmarks.replay [--events 10_000_000] [--customers 100_000] [--rounds 3] [--threads N]

Waypost reads its default store, to which the events were appended in columns, as an import does it; the peers read one
Parquet file with the same events, sorted by customer like the store's. All have the same number of threads and take
turns. Waypost computes every feature of `Journey`, the peers those of its aggregates that a query can compute
(`benchmarks.peer_aggregates`): in a straightforward query, and regrouped by hand for speed. Before anything is timed,
all of them must agree on a smaller shop.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np

from benchmarks import fresh
from benchmarks.agreement import disagreements, own_answer
from benchmarks.report import median_range, print_claims, print_table
from benchmarks.shops import events_of, frames_of
from benchmarks.synthetic import END, parquet_file
from features.cores import thread_count
from features.events import EVENT, days
from features.histories import concatenated
from features.journey import JOURNEY
from features.log.contract import CHUNK
from features.log.sqlite import SqliteLog
from features.replay.replay import replay
from features.replay.snapshots import replay_log

CUTOFFS = [END - days(28) * back for back in range(8)]
"""The end of the shop's log and the times 4, 8... weeks before."""
WAYPOST, FOLD = "Waypost, all features", "Waypost, the fold alone (events in memory)"
PLAIN, REGROUPED = ("Polars", "DuckDB"), ("Polars, regrouped by hand", "DuckDB, regrouped by hand")

Contender = Callable[[Sequence[int]], Any]
Seconds = dict[tuple[str, int], list[float]]
"""Seconds by contender and number of cutoffs, one figure per round."""


def main() -> None:
    """Measure, print, claim."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--customers", type=int)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=thread_count(None))
    asked = parser.parse_args()
    os.environ["POLARS_MAX_THREADS"] = str(asked.threads)  # read when Polars is imported, below
    customers = asked.customers or max(asked.events // 100, 1)
    path = parquet_file(asked.events, customers)
    _check_agreement(min(asked.events, 200_000), asked.threads)
    starts = _starts(asked.rounds)
    JOURNEY.compile()
    with tempfile.TemporaryDirectory() as folder:
        place = Path(folder) / "waypost.db"
        with closing(SqliteLog(place)) as log:
            for frame in frames_of(events_of(asked.events, customers)):
                log.append_columns(frame)
            seconds = _timed(log, path, asked.rounds, asked.threads)
        peak = _peak_memory_ratio(place, asked.events)
    title = (
        f"{asked.events:,} events of {customers:,} customers, {asked.threads} threads, median of {asked.rounds} rounds"
    )
    _print(title, seconds, asked.events)
    print_claims("replay", {**_claims(seconds, asked.events), **starts, "peak_memory_ratio": peak})


def _peers(path: Path, threads: int) -> dict[str, Contender]:
    from benchmarks import duckdb_peer, polars_peer

    database = duckdb_peer.connect(threads)
    return {
        PLAIN[0]: lambda cutoffs: polars_peer.plain(path, cutoffs).to_arrow(),
        PLAIN[1]: lambda cutoffs: duckdb_peer.plain(database, path, cutoffs),
        REGROUPED[0]: lambda cutoffs: polars_peer.regrouped(path, cutoffs).to_arrow(),
        REGROUPED[1]: lambda cutoffs: duckdb_peer.regrouped(database, path, cutoffs),
    }


def _check_agreement(events: int, threads: int) -> None:
    customers = max(events // 100, 1)
    path = parquet_file(events, customers)
    own = own_answer(events, customers, CUTOFFS)
    for name, peer in _peers(path, threads).items():
        differences = disagreements(own, peer(CUTOFFS))
        if differences:
            sys.exit(
                f"{name} computes other numbers than Waypost, so its times do not count:\n" + "\n".join(differences)
            )


def _timed(log: SqliteLog, path: Path, rounds: int, threads: int) -> Seconds:
    histories = concatenated(log.by_customer())
    contenders: dict[str, Contender] = {
        WAYPOST: lambda cutoffs: list(replay_log(JOURNEY, log, cutoffs, most=CHUNK)),
        FOLD: lambda cutoffs: replay(JOURNEY, histories, cutoffs, threads=threads),
        **_peers(path, threads),
    }
    seconds: Seconds = {}
    for _ in range(rounds):
        for name, contender in contenders.items():
            for cutoffs in (CUTOFFS[:1], CUTOFFS):
                _claim_memory(len(histories.events))
                begun = time.perf_counter()
                contender(cutoffs)
                seconds.setdefault((name, len(cutoffs)), []).append(time.perf_counter() - begun)
    return seconds


def _claim_memory(events: int) -> None:
    """Allocate and free as much memory as a contender needs, untimed.

    A virtual machine may return freed memory to its host after seconds. Getting it back takes a second for half a
    gigabyte, which would be counted against the first contender.
    """
    np.ones(200 * events, np.uint8)


def _starts(rounds: int) -> dict[str, float]:
    """Seconds until the fold is ready in a new process: with an empty cache, and with a filled one."""
    with tempfile.TemporaryDirectory() as cache:
        environment = {"WAYPOST_CACHE": cache}
        cold = fresh.run("start", environment=environment)
        warm = [fresh.run("start", environment=environment) for _ in range(max(rounds, 1))]
    names = {"start_numba_s": "numba itself", "declare_s": "the declarations", "compile_s": "the fold"}
    rows = [(names[key], f"{cold[key]:.2f} s", median_range([times[key] for times in warm], " s")) for key in names]
    print_table("A new process, until it can fold", ("ready", "empty cache", "filled cache"), rows)
    return {"compile_cold_s": cold["compile_s"], "compile_warm_s": median(times["compile_s"] for times in warm)}


def _peak_memory_ratio(place: Path, events: int) -> float:
    """The memory of a replay with one cutoff, divided by the bytes of the events' columns."""
    columns = events * sum(EVENT[name].itemsize for name in EVENT.names or () if not name.startswith("_"))
    used = fresh.run("memory", str(place), str(CUTOFFS[0]))
    return (used["peak"] - used["before"]) / columns


def _ratio(seconds: Seconds, name: str, cutoffs: int) -> list[float]:
    return [peer / own for peer, own in zip(seconds[name, cutoffs], seconds[WAYPOST, cutoffs], strict=True)]


def _print(title: str, seconds: Seconds, events: int) -> None:
    rows = []
    for name in dict.fromkeys(name for name, _ in seconds):
        row = [name]
        for cutoffs in (1, len(CUTOFFS)):
            row += [median_range(seconds[name, cutoffs], " s"), f"{median(_ratio(seconds, name, cutoffs)):.1f}x"]
        rows.append([*row[:3], f"{events / median(seconds[name, 1]) / 1e6:.2f}", *row[3:]])
    columns = ("from files to features", "1 cutoff", "time", "M events/s", f"{len(CUTOFFS)} cutoffs", "time")
    print_table(title, columns, rows)


def _claims(seconds: Seconds, events: int) -> dict[str, float]:
    number = len(CUTOFFS)
    return {
        "events_per_second_1_cutoff": events / median(seconds[WAYPOST, 1]),
        "fold_events_per_second_1_cutoff": events / median(seconds[FOLD, 1]),
        "ratio_to_best_peer_8_cutoffs": min(median(_ratio(seconds, name, number)) for name in PLAIN),
        "ratio_to_best_regrouped_peer_8_cutoffs": min(median(_ratio(seconds, name, number)) for name in REGROUPED),
    }


if __name__ == "__main__":
    main()
