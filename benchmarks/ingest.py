"""Events per second into the log over HTTP, with all states folded, and every answer sent after its commit.

    python -m benchmarks.ingest [--seconds 5] [--rounds 2] [--stores sqlite postgresql] [--postgres URL]

Needs wrk (Debian and Ubuntu: apt install wrk). Batches of 1, 10 and 100 Segment messages are sent over 16 connections
into SQLite and PostgreSQL, with one worker process and with two. Beside each run with batches of 100, the same rows
(events with their indexes, and the states) are written into a bare store by as many processes, one transaction per
batch, without HTTP, JSON or fold. PostgreSQL is the server at `--postgres`, else one started for the run.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks.ceilings import ceiling
from benchmarks.messages import wrk_script
from benchmarks.report import median_range, print_claims, print_table
from benchmarks.servers import free_port, require_wrk, start_waypost, stop, wait_for, wrk
from benchmarks.stores import Places, places
from features.journey import JOURNEY

BATCHES = (1, 10, 100)
WORKERS = (1, 2)
CONNECTIONS = 16


class Case(NamedTuple):
    """One thing measured: a store, a number of worker processes, a size of batches."""

    store: str
    workers: int
    batch: int


class Run(NamedTuple):
    """The result of one run."""

    events_per_second: float
    p99_ms: float
    ceiling: float
    """Events a second of the bare store; 0 where it was not measured."""


def main() -> None:
    """Measure, print, claim."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--stores", nargs="+", choices=("sqlite", "postgresql"), default=["sqlite", "postgresql"])
    parser.add_argument("--postgres")
    asked = parser.parse_args()
    require_wrk()
    JOURNEY.compile()
    runs: dict[Case, list[Run]] = {}
    with tempfile.TemporaryDirectory() as folder, places(Path(folder), asked.postgres, asked.stores) as stores:
        for number in range(asked.rounds):
            for store in asked.stores:
                for workers in WORKERS:
                    place = Path(folder) / f"{store}-{workers}-{number}"
                    place.mkdir()
                    for batch, run in _measure(place, stores[store], workers, asked.seconds):
                        runs.setdefault(Case(store, workers, batch), []).append(run)
    _report(runs)


def _measure(folder: Path, store: Places, workers: int, seconds: int) -> Iterator[tuple[int, Run]]:
    """The runs of all sizes of batches, into one new store behind one server."""
    url, port = store.new(), free_port()
    environment = {"WAYPOST_SWEEP_SECONDS": "0", "WAYPOST_REQUESTS_PER_SECOND": "0"}
    server = start_waypost(folder, port, url, workers=workers, environment=environment)
    try:
        wait_for(f"http://127.0.0.1:{port}/livez")
        _record_one(port)
        for batch in BATCHES:
            script = folder / f"batch-{batch}.lua"
            script.write_text(wrk_script(batch, f"{folder.name}-{batch}"))
            load = wrk(f"http://127.0.0.1:{port}/v1/batch", script, seconds, CONNECTIONS)
            if load.failures:
                sys.exit(f"{load.failures} batches were refused; see {folder}/server.log")
            bare = 0.0
            if batch == BATCHES[-1]:
                bare = ceiling(url, store.new(), batch, seconds, workers)
            yield batch, Run(load.throughput * batch, load.p99, bare)
    finally:
        stop(server)


def _record_one(port: int) -> None:
    """Send one event before the timing, so that first-time work is not timed; the answer must be a success."""
    body = json.dumps({"batch": [{"type": "page", "userId": "first", "messageId": "first"}]}).encode()
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/v1/batch", body, {"content-type": "application/json"}, method="POST"
    )
    with contextlib.closing(urllib.request.urlopen(request, timeout=30)) as answer:
        if json.load(answer).get("success") is not True:
            sys.exit("the server did not take a first event")


def _report(runs: dict[Case, list[Run]]) -> None:
    rows = []
    for case, measured in runs.items():
        share = (
            [f"{median(run.events_per_second / run.ceiling for run in measured):.2f}"] if measured[0].ceiling else ["-"]
        )
        rows.append(
            (
                case.store, str(case.workers), str(case.batch),
                median_range([run.events_per_second for run in measured]),
                median_range([run.p99_ms for run in measured], " ms"), *share,
            )
        )  # fmt: skip
    columns = ("store", "workers", "batch", "events a second", "p99", "of the bare store")
    print_table(f"{CONNECTIONS} connections; every answer after its commit", columns, rows)
    print_claims("ingest", _claims(runs))


def _claims(runs: dict[Case, list[Run]]) -> dict[str, float]:
    """The figures of the better number of workers for each store, and the worst of all stores."""
    full = {case: measured for case, measured in runs.items() if case.batch == BATCHES[-1]}
    single = {case: measured for case, measured in runs.items() if case.batch == 1}
    claims: dict[str, float] = {}
    best: dict[str, tuple[float, float, float]] = {}
    for case, measured in full.items():
        rate = median(run.events_per_second for run in measured)
        share = median(run.events_per_second / run.ceiling for run in measured)
        best[case.store] = max(best.get(case.store, (0.0, 0.0, 0.0)), (rate, share, median(r.p99_ms for r in measured)))
    for store, (rate, share, p99) in best.items():
        claims[f"{store}_events_per_second_batch_100"] = rate
        claims[f"{store}_share_of_store_ceiling"] = share
        claims[f"{store}_p99_ms"] = p99
    for store in best:
        rates = [
            median(run.events_per_second for run in measured)
            for case, measured in single.items()
            if case.store == store
        ]
        claims[f"{store}_requests_per_second_batch_1"] = max(rates)
    claims["events_per_second_batch_100"] = min(rate for rate, _, _ in best.values())
    claims["share_of_store_ceiling"] = min(share for _, share, _ in best.values())
    claims["p99_ms"] = max(p99 for _, _, p99 in best.values())
    return claims


if __name__ == "__main__":
    main()
