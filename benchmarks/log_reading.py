"""Reading a log: decisions and rewards with their properties in bulk, and one event by its message id.

    python -m benchmarks.log_reading [--events 1_000_000] [--stores sqlite postgresql parquet] [--rounds 3]

Each kind of store has two logs, one with a tenth of the events. Every scan runs in a process of its own, so that the
most memory of the process is that of the scan; ids are looked up in both logs in turns. PostgreSQL is the server at
`--postgres URL`, else one started for the run.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks import fresh
from benchmarks.report import median_range, print_claims, print_table
from benchmarks.stores import places
from features.events import SECOND, Channel, Event, Kind
from features.log import open_log
from features.log.contract import IMPORT_BATCH

STORES = ("sqlite", "postgresql", "parquet")
SHRUNK = 10
"""The size of the large log relative to the small one."""
LOOKS = {"sqlite": 2_000, "postgresql": 2_000, "parquet": 20}
"""The number of ids looked up per round: Parquet has no index."""
START = 1_700_000_000_000_000
ACTIONS = ("cart_reminder", "do_nothing", "free_shipping", "reorder_reminder", "show_recommendations", "win_back")


@dataclass
class Measured:
    """The measurements of one log."""

    scans: list[dict[str, float]] = field(default_factory=list)
    """The results of `fresh`, one per round."""
    looks: list[float] = field(default_factory=list)
    """Median seconds to find a message id, one figure per round."""


def main() -> None:
    """Measure, print, claim."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--stores", nargs="+", choices=STORES, default=STORES)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--postgres")
    asked = parser.parse_args()
    sizes = (max(asked.events // SHRUNK, 2), asked.events)
    results: dict[str, tuple[Measured, Measured]] = {}
    with tempfile.TemporaryDirectory() as folder, places(Path(folder), asked.postgres, asked.stores) as stores:
        for store in asked.stores:
            urls = [stores[store].new() for _ in sizes]
            for url, events in zip(urls, sizes, strict=True):
                _fill(url, events)
            results[store] = (Measured(), Measured())
            for number in range(asked.rounds):
                for url, events, run in zip(urls, sizes, results[store], strict=True):
                    run.scans.append(_scan(url, events))
                    run.looks.append(_look(url, events, LOOKS[store], number))
    _report(results, sizes)


def learning(events: int) -> Iterator[Event]:
    """Decisions as the policy writes them, with all probabilities, each followed by its reward."""
    draw = np.random.default_rng(7)
    for number in range(events // 2):
        shares = draw.dirichlet(np.ones(len(ACTIONS))).tolist()
        chosen, moment = number % len(ACTIONS), START + number * SECOND
        who = f"customer-{number * 7919 % max(events // 20, 1)}"
        said = {
            "stage": "consideration", "mode": "explore", "probability": shares[chosen],
            "propensities": dict(zip(ACTIONS, shares, strict=True)), "model_version": "20261129-1",
        }  # fmt: skip
        yield Event(
            _decision(number), who, Kind.DECISION, moment, moment, Channel.EMAIL, category=ACTIONS[chosen],
            properties=said,
        )  # fmt: skip
        yield Event(
            f"{_decision(number)}:reward", who, Kind.REWARD, moment, moment, category=ACTIONS[chosen], amount=19.9,
            properties={"decision_id": _decision(number), "value": 19.9},
        )  # fmt: skip


def _decision(number: int) -> str:
    """An id of a decision, without any order, as in a server."""
    return f"{(number + 1) * 0x9E3779B97F4A7C15 % 2**64:016x}-decision"  # the multiplier is odd, so no id repeats


def _fill(url: str, events: int) -> None:
    coming = learning(events)
    with closing(open_log(url)) as log:
        while batch := list(islice(coming, IMPORT_BATCH)):
            log.append(batch, history=True)


def _scan(url: str, events: int) -> dict[str, float]:
    answer = fresh.run("scan", url)
    if answer["read"] != events // 2 * 2:
        sys.exit(f"a scan gave {answer['read']:,.0f} events of {events:,}, so its time does not count")
    return answer


def _look(url: str, events: int, looks: int, seed: int) -> float:
    """Median seconds to find the message id of an event in the log."""
    numbers = np.random.default_rng(seed).integers(0, events // 2, looks)
    seconds = []
    with closing(open_log(url, create=False)) as log:
        log.find(_decision(0))  # Parquet reads the ids on the first search
        for number in numbers.tolist():
            begun = time.perf_counter()
            event = log.find(_decision(number))
            seconds.append(time.perf_counter() - begun)
            if event is None or event.at != START + number * SECOND:
                sys.exit(f"{_decision(number)} was looked up and {event} found")
    return median(seconds)


def _report(results: dict[str, tuple[Measured, Measured]], sizes: Sequence[int]) -> None:
    rows = []
    for store, runs in results.items():
        for events, run in zip(sizes, runs, strict=True):
            rates = [scan["read"] / scan["seconds"] for scan in run.scans]
            peak = max(scan["peak"] for scan in run.scans) / 2**20
            more = max(scan["peak"] - scan["before"] for scan in run.scans) / 2**20
            looks = median_range([look * 1e6 for look in run.looks], " us")
            rows.append((store, f"{events:,}", median_range(rates), f"{peak:,.0f} MiB", f"{more:,.0f} MiB", looks))
    columns = ("store", "events", "events a second", "most memory", "more than before", "to find an id")
    print_table("Decisions and rewards with their properties", columns, rows)
    print_claims(
        "log_reading", {name: value for store, runs in results.items() for name, value in _claims(store, *runs)}
    )


def _claims(store: str, small: Measured, large: Measured) -> Iterator[tuple[str, float]]:
    yield f"{store}_events_per_second", median(scan["read"] / scan["seconds"] for scan in large.scans)
    peaks = [max(scan["peak"] for scan in run.scans) for run in (small, large)]
    yield f"{store}_peak_memory_mib", peaks[1] / 2**20
    yield f"{store}_peak_memory_ratio", peaks[1] / peaks[0]
    yield f"{store}_find_us", median(large.looks) * 1e6
    yield f"{store}_find_ratio", median(large.looks) / median(small.looks)


if __name__ == "__main__":
    main()
