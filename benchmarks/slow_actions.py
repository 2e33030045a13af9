"""Do decisions delay ingestion when the actions of a shop take long to judge?

    python -m benchmarks.slow_actions [--seconds 10] [--rounds 3]

One worker of the server runs on SQLite in this process, without HTTP, with the engine, group commit and threads of the
server. Events come one at a time at an even rate and are timed from when they were due until they are on disk. Every
round has three parts: without decisions; with decisions as the server makes them, judged outside the write lock; and
with the same decisions judged while the lock is held. Each of the twenty actions takes 2 ms to judge, by waiting, as
for an answer over a network: a waiting thread releases the interpreter, so that only the lock is measured.
"""

from __future__ import annotations

import argparse
import asyncio
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from statistics import median
from typing import Any
from unittest import mock

from benchmarks.report import median_range, percentile, print_claims, print_table
from benchmarks.shops import write_shop
from benchmarks.synthetic import END
from features.events import Event, Kind
from features.journey import JOURNEY
from models.decisions.policy import Decision, Policy
from serving.engine.batch import Batch
from serving.process.worker import Worker
from serving.settings import read_settings

CUSTOMERS, EVENTS = 2_000, 100_000
EVENTS_PER_SECOND, DECISIONS_PER_SECOND = 100.0, 10.0
ACTIONS, ACTION_SECONDS = 20, 0.002

Decide = Callable[[Worker, str, str], Awaitable[Any]]
DECISIONS: dict[str, Decide | None] = {
    "none": None,
    "judged beside the lock": lambda worker, who, name: worker.decide(who, name, worker.clock()),
    "judged under the lock": lambda worker, who, name: worker.write(
        lambda engine: engine.decide(who, name, worker.clock()), alone=False
    ),
}
"""How decisions are made while events come, by name."""


class SlowPolicy(Policy):
    """A policy with additional actions that take long to judge."""

    def decide(self, *arguments: Any) -> Decision:
        """The decision of `Policy`, after the time of the slow actions."""
        for _ in range(ACTIONS):
            time.sleep(ACTION_SECONDS)
        return super().decide(*arguments)


def main() -> None:
    """Measure, print, claim."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, mock.patch("models.bundle.loaded.Policy", SlowPolicy):
        names = write_shop(Path(folder), CUSTOMERS, EVENTS)
        report(asyncio.run(_measure(Path(folder), names, asked.seconds, asked.rounds)))


async def _measure(folder: Path, names: list[str], seconds: float, rounds: int) -> list[dict[str, list[float]]]:
    """The milliseconds of each event, by round and kind of decisions."""
    environment = {
        "WAYPOST_STORE": f"sqlite:///{folder / 'waypost.db'}", "WAYPOST_BUNDLE": str(folder / "champion"),
        "WAYPOST_SCOREBOARD": str(folder / "scoreboard"), "WAYPOST_SWEEP_SECONDS": "0", "WAYPOST_KEYS": "none",
    }  # fmt: skip
    worker = Worker(read_settings(environment), JOURNEY, lambda: END)
    await worker.open()
    await worker.decide(names[0], "first", END)
    results = []
    for number in range(rounds):
        label = f"r{number}"
        results.append(
            {kind: await _load(worker, names, f"{label}-{kind}", seconds, DECISIONS[kind]) for kind in DECISIONS}
        )
    await worker.close()
    return results


async def _load(worker: Worker, names: list[str], label: str, seconds: float, decide: Decide | None) -> list[float]:
    """The milliseconds of each event while decisions are made."""
    milliseconds: list[float] = []

    async def record(number: int, due: float) -> None:
        event = Event(f"{label}-{number}", names[number * 7919 % len(names)], Kind.ITEM_VIEW, END, END, item="1")
        await worker.record(Batch([event]))
        milliseconds.append((time.perf_counter() - due) * 1000)

    async def choose(number: int, due: float) -> None:
        if decide is not None:
            await decide(worker, names[number * 104_729 % len(names)], f"{label}-d-{number}")

    await asyncio.gather(
        _at_rate(record, EVENTS_PER_SECOND, seconds),
        _at_rate(choose, DECISIONS_PER_SECOND, seconds),
    )
    return milliseconds


async def _at_rate(work: Callable[[int, float], Awaitable[None]], per_second: float, seconds: float) -> None:
    """Begin work at an even rate, without waiting for earlier work; return when all work has ended."""
    begun = time.perf_counter()
    tasks = []
    for number in range(int(per_second * seconds)):
        due = begun + number / per_second
        await asyncio.sleep(max(0.0, due - time.perf_counter()))
        tasks.append(asyncio.ensure_future(work(number, due)))
    await asyncio.gather(*tasks)


def report(rounds: list[dict[str, list[float]]]) -> None:
    """Print the table and the claims: the 99th percentiles, and their ratios within a round."""
    none, beside, under = DECISIONS
    tops = {kind: [percentile(times[kind], 0.99) for times in rounds] for kind in DECISIONS}
    ratios = {
        kind: [top / without for top, without in zip(tops[kind], tops[none], strict=True)] for kind in (beside, under)
    }
    rows = [
        (
            kind,
            median_range([median(times[kind]) for times in rounds], " ms"),
            median_range(tops[kind], " ms"),
        )
        + ((median_range(ratios[kind]),) if kind in ratios else ("",))
        for kind in DECISIONS
    ]
    columns = ("decisions", "an event: median", "p99", "p99 to that without")
    print_table(f"{EVENTS_PER_SECOND:.0f} events and {DECISIONS_PER_SECOND:.0f} decisions a second", columns, rows)
    claims = {"ingest_p99_ratio": median(ratios[beside]), "ingest_p99_ratio_under_the_lock": median(ratios[under])}
    print_claims("slow_actions", claims)


if __name__ == "__main__":
    main()
