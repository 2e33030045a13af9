"""Features from the history of the default store, beside the fold over the same events in memory.

    python -m benchmarks.history [--events 10_000_000] [--customers 100_000] [--rounds 3] [--live 200_000]

A synthetic shop's events are appended to a new SQLite log in columns, as an import does it. Then all features at one
cutoff are computed from the log, as `waypost features` (a part at a time) and as a training (all in memory) read it,
and from histories that lie in memory already. All three give the same bytes, or nothing is measured.

Besides: how fast the first `--live` of the events, appended as a server appends them, are sealed; and the first answer
of a new process, one customer's history.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from statistics import median

import numpy as np
from numpy.typing import NDArray

from benchmarks import fresh
from benchmarks.report import median_range, print_claims, print_table
from benchmarks.shops import coded_as_logged, events_of, frames_of, row
from benchmarks.synthetic import END
from features.events import days
from features.grouping import histories
from features.journey import JOURNEY
from features.log.contract import CHUNK, IMPORT_BATCH
from features.log.sqlite import SqliteLog
from features.replay.replay import Snapshots, replay
from features.replay.snapshots import read_past, replay_log, replay_profiles

Records = NDArray[np.void]

CUTOFF = END - days(28)
FEATURES, TRAINING, FOLD = "the store, a part at a time", "the store, all in memory", "the fold alone (in memory)"


def main() -> None:
    """Compare, measure, print, claim."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--events", type=int, default=10_000_000)
    parser.add_argument("--customers", type=int)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--live", type=int, default=200_000)
    asked = parser.parse_args()
    events = coded_as_logged(events_of(asked.events, asked.customers or max(asked.events // 100, 1)))
    with tempfile.TemporaryDirectory() as folder:
        sealed = _sealed(Path(folder) / "live.db", events[: asked.live])
        place = Path(folder) / "waypost.db"
        with closing(SqliteLog(place)) as log:
            appended = _appended(log, events)
            seconds = _timed(log, events, asked.rounds)
        looks = [fresh.run("look", str(place), "customer-0") for _ in range(asked.rounds)]
    _report(len(events), seconds, looks, {"append": appended, "seal": sealed})


def _appended(log: SqliteLog, events: Records) -> float:
    """Events appended a second; making the frames is not counted."""
    seconds = 0.0
    for frame in frames_of(events):
        begun = time.perf_counter()
        log.append_columns(frame)
        seconds += time.perf_counter() - begun
    return len(events) / seconds


def _sealed(place: Path, events: Records) -> float:
    """Events sealed a second, of those that a server appended."""
    with closing(SqliteLog(place)) as log:
        for first in range(0, len(events), IMPORT_BATCH):
            log.append(
                [row(first + number, event) for number, event in enumerate(events[first : first + IMPORT_BATCH])]
            )
        number, begun = 0, time.perf_counter()
        while moved := log.keeping.seal(2 * END):
            number += moved
        return number / (time.perf_counter() - begun)


def _timed(log: SqliteLog, events: Records, rounds: int) -> dict[str, list[float]]:
    """Seconds of every round from each place, asked in turn; the features are compared first."""
    prepared = histories([events])
    contenders: dict[str, Callable[[], Sequence[Snapshots]]] = {
        FEATURES: lambda: list(replay_log(JOURNEY, log, [CUTOFF], most=CHUNK)),
        TRAINING: lambda: [replay_profiles(JOURNEY, read_past(log, CUTOFF), [CUTOFF])],
        FOLD: lambda: [replay(JOURNEY, prepared, [CUTOFF])],
    }
    answers = {name: _bytes(contender()) for name, contender in contenders.items()}
    for first, second in pairwise(answers):
        if answers[first] != answers[second]:
            sys.exit(f"{first}, and {second} give other features, so their times do not count")
    del answers
    seconds: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, contender in contenders.items():
            begun = time.perf_counter()
            contender()
            seconds[name].append(time.perf_counter() - begun)
    return seconds


def _bytes(snapshots: Sequence[Snapshots]) -> tuple[bytes, bytes]:
    """The customers of all rows, and their features."""
    return (
        np.concatenate([part.customer for part in snapshots]).tobytes(),
        np.concatenate([part.features for part in snapshots]).tobytes(),
    )


def _report(
    events: int, seconds: dict[str, list[float]], looks: Sequence[dict[str, float]], rates: dict[str, float]
) -> None:
    alone = median(seconds[FOLD])
    rows = [
        (name, median_range(times, " s"), f"{events / median(times) / 1e6:.2f}", f"{median(times) / alone:.2f}")
        for name, times in seconds.items()
    ]
    print_table(
        f"All features at one cutoff, {events:,} events", ("from", "seconds", "M events/s", "to the fold"), rows
    )
    answers = [look["import_s"] + look["answer_s"] for look in looks]
    print_table(
        "The store",
        ("what", "figure"),
        [
            ("appended in columns, events a second", f"{rates['append']:,.0f}"),
            ("sealed, events a second", f"{rates['seal']:,.0f}"),
            ("a new process, until its first answer", median_range(answers, " s")),
            ("of it opening and reading", median_range([look["answer_s"] for look in looks], " s")),
        ],
    )
    print_claims(
        "history",
        {
            "events_per_second_from_store": events / median(seconds[FEATURES]),
            "time_to_fold_in_memory": median(seconds[FEATURES]) / alone,
            "training_events_per_second": events / median(seconds[TRAINING]),
            "append_events_per_second": rates["append"],
            "seal_events_per_second": rates["seal"],
            "cold_start_s": median(answers),
        },
    )


if __name__ == "__main__":
    main()
