"""All tasks of a shop at once: events, scores and next best actions together, while models are trained beside them.

    python -m benchmarks.mixed [--seconds 60] [--stores sqlite postgresql] [--postgres URL]

Requests are sent at an even rate, without waiting for earlier answers, and are timed from when they were due. Training
runs on the same store follow one another meanwhile; the server's clock goes on from the end of the shop's year, so that
there are recent events. Memory is that of all processes of the server, from when the load has run for a fifth of the
time to its end.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from benchmarks.clients import Seen, ask_at_rate
from benchmarks.messages import templates
from benchmarks.report import percentile, print_claims, print_table
from benchmarks.servers import free_port, private_memory, start_waypost, stop, wait_for
from benchmarks.shops import write_shop
from benchmarks.stores import places
from benchmarks.synthetic import END
from features.events import DAY
from features.journey import JOURNEY

CUSTOMERS, EVENTS = 2_000, 200_000
BATCH = 20
RATES = {"scores": 150.0, "next best actions": 30.0, "events": 30.0}
"""Requests a second; a request of events has a batch of 20."""
PATHS = {"scores": "/v1/scores", "next best actions": "/v1/next-best-action", "events": "/v1/batch"}
CONNECTIONS = 8


class Day(NamedTuple):
    """The results of one store."""

    seen: dict[str, Seen]
    memory_ratio: float
    training_runs: int
    """The number of training runs that ended meanwhile."""


def main() -> None:
    """Measure, print, claim."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--stores", nargs="+", choices=("sqlite", "postgresql"), default=["sqlite", "postgresql"])
    parser.add_argument("--postgres")
    asked = parser.parse_args()
    JOURNEY.compile()
    days: dict[str, Day] = {}
    with tempfile.TemporaryDirectory() as folder, places(Path(folder), asked.postgres, asked.stores) as stores:
        for store in asked.stores:
            place = Path(folder) / store
            place.mkdir()
            days[store] = _measure(place, stores[store].new(), asked.seconds)
    _report(days)


def _measure(folder: Path, url: str, seconds: float) -> Day:
    names = write_shop(folder, CUSTOMERS, EVENTS, store=url)
    port = free_port()
    rebuild = [sys.executable, "-m", "waypost", "rebuild", "--store", url, "--json"]
    subprocess.run(rebuild, check=True, stdout=subprocess.DEVNULL)
    shift = (END - time.time_ns() // 1000) / DAY
    server = start_waypost(folder, port, url, workers=2, environment={"WAYPOST_CLOCK_SHIFT_DAYS": str(shift)})
    try:
        wait_for(f"http://127.0.0.1:{port}/readyz")
        with _training(folder, url) as ended:
            seen, memory = asyncio.run(_load(port, server, names, seconds))
            runs = len(ended)
    finally:
        stop(server)
    return Day(seen, memory, runs)


async def _load(
    port: int, server: subprocess.Popen[bytes], names: list[str], seconds: float
) -> tuple[dict[str, Seen], float]:
    messages = [text.split("@ID@") for text in templates(600)]

    def events(number: int) -> bytes:
        first = number * BATCH
        chosen = (messages[(first + k) % len(messages)] for k in range(BATCH))
        batch = ",".join(f"{before}mixed-{first + k}{after}" for k, (before, after) in enumerate(chosen))
        return f'{{"batch":[{batch}]}}'.encode()

    def customer(number: int) -> bytes:
        return json.dumps({"customer": names[number * 7919 % len(names)]}).encode()

    bodies = {"scores": customer, "next best actions": customer, "events": events}
    asking = [
        asyncio.create_task(ask_at_rate(port, PATHS[kind], bodies[kind], RATES[kind], seconds, CONNECTIONS))
        for kind in RATES
    ]
    await asyncio.sleep(seconds / 5)
    before = private_memory(server)
    seen = dict(zip(RATES, await asyncio.gather(*asking), strict=True))
    return seen, private_memory(server) / before


@contextmanager
def _training(folder: Path, url: str) -> Iterator[list[int]]:
    """Train again and again while the context is open. The list grows by one item per run."""
    ended: list[int] = []
    stopping = threading.Event()
    environment = {**os.environ, "WAYPOST_BUNDLE": str(folder / "trained"), "MLFLOW_DISABLE_TELEMETRY": "true"}
    command = [sys.executable, "-m", "waypost", "train", "--store", url, "--json"]
    running: list[subprocess.Popen[bytes]] = []
    failed: list[str] = []

    def train() -> None:
        while not stopping.is_set():
            with (folder / "training.log").open("ab") as log:
                process = subprocess.Popen(
                    command, cwd=folder, env=environment, stdout=log, stderr=log, start_new_session=True
                )
            running[:] = [process]
            if process.wait() == 0:
                ended.append(1)
            elif not stopping.is_set():
                failed.append((folder / "training.log").read_text()[-2000:])
                return

    thread = threading.Thread(target=train)
    thread.start()
    try:
        yield ended
    finally:
        stopping.set()
        for process in running:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
        thread.join()
    if failed:
        sys.exit(f"a training run failed, so that the figures would mean nothing:\n{failed[0]}")


def _report(days: dict[str, Day]) -> None:
    rows = []
    for store, day in days.items():
        for kind, seen in day.seen.items():
            times = [f"{percentile(seen.milliseconds, share):.2f} ms" for share in (0.5, 0.99)]
            rows.append((store, kind, f"{len(seen.milliseconds):,}", *times, str(len(seen.errors))))
        rows.append(
            (store, f"memory grew to {day.memory_ratio:.3f} times; {day.training_runs} training runs", *[""] * 4)
        )
    print_table("Everything at once", ("store", "what", "answers", "median", "p99", "errors"), rows)
    claims: dict[str, float] = {}
    for store, day in days.items():
        claims[f"{store}_p99_score_ms"] = percentile(day.seen["scores"].milliseconds, 0.99)
    claims["p99_score_ms"] = max(claims.values())
    claims["errors"] = sum(len(seen.errors) for day in days.values() for seen in day.seen.values())
    claims["rss_growth_ratio"] = max(day.memory_ratio for day in days.values())
    claims["training_runs"] = sum(day.training_runs for day in days.values())
    print_claims("mixed", claims)


if __name__ == "__main__":
    main()
