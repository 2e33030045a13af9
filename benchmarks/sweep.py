"""A million customers on the scoreboard: swept, listed, filtered, and updated after an event of one customer.

    python -m benchmarks.sweep [--customers 1000000] [--rounds 200]

The store is SQLite. One customer in five is the fold of about ten synthetic events, and is copied five times; the log
has only the newest event of each customer, because a sweep reads no others. Three targets are scored by models of the
usual size. A server of two workers sweeps as in a shop, and gets requests over HTTP. Memory is a worker's private
memory, without shared pages of files: how much more a worker has, at its largest and at the end, than in a server that
does not sweep.
"""

from __future__ import annotations

import argparse
import http.client
import json
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from benchmarks.report import median_range, percentile, print_claims, print_table
from benchmarks.servers import free_port, processes, start_waypost, stop, wait_for
from benchmarks.shops import EVERYONE, benchmark_model, events_of, write_bundle
from benchmarks.synthetic import END
from features.events import DAY
from features.grouping import histories
from features.journey import JOURNEY
from features.log.sqlite.insert import insert_many
from features.replay.replay import final_states
from insights.segments import SEGMENTS, members
from models.prediction.forest import Forest
from models.prediction.lightgbm_library import Booster
from serving.engine.scoreboard import Generation, Scoreboard
from serving.engine.state.sqlite import SqliteStateStore, open_states
from serving.engine.state.sqlite_statements import PUT

TARGETS = dict.fromkeys(("conversion_7d", "conversion_30d", "churn_28d"), EVERYONE)
COPIES, EVENTS_PER_CUSTOMER = 5, 10
COMPARED = 50_000
"""The number of rows for timing both methods of batch prediction."""
LIGHTGBM, FOREST = ("LightGBM, one thread", "LightGBM, two threads"), "forest, one thread"
PAGE = 100
CHANGES = 10
"""The number of events for which the time until their segment has the customer is measured."""
LONGEST = 900.0
"""Seconds after which the benchmark stops waiting for a sweep."""


class Seen(NamedTuple):
    """The results of the server."""

    swept: float
    """Seconds of the sweep."""
    pages: list[float]
    """Milliseconds of each page of the largest segment."""
    shown: list[float]
    """Seconds from an acknowledged event until its segment has the customer."""
    grown: float
    peak: float
    """Megabytes by which the largest worker grew, at the end and at its largest."""


def main() -> None:
    """Measure, print, claim."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--customers", type=int, default=1_000_000)
    parser.add_argument("--rounds", type=int, default=200)
    asked = parser.parse_args()
    JOURNEY.compile()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        features = write_store(folder, asked.customers)
        write_bundle(folder, features, TARGETS)
        predicted = compared(features)
        seen = served(folder, asked.rounds)
        generation = Scoreboard(folder / "scoreboard", JOURNEY.fingerprint).current()
        assert generation is not None
        report(seen, filtered(generation), predicted, generation)


def write_store(folder: Path, customers: int) -> NDArray[np.float32]:
    """Write a store `waypost.db` of so many customers and their states; returns the features of some of them."""
    folded = max(customers // COPIES, 100)
    replayed = histories([events_of(folded * EVENTS_PER_CUSTOMER, folded)])
    states = final_states(JOURNEY, replayed)
    features = JOURNEY.sweep(states, END)
    known = np.flatnonzero(~np.isnan(features[:, JOURNEY.index["days_since_first"]]))
    chosen = known[np.arange(customers) % len(known)]
    newest = replayed.events[replayed.starts[1:] - 1][chosen]
    with closing(open_states(f"sqlite:///{folder / 'waypost.db'}", JOURNEY, 30.0)) as store:
        _insert(store, newest, states, chosen)
    return features[:COMPARED]


def _insert(
    store: SqliteStateStore, newest: NDArray[np.void], states: NDArray[np.void], chosen: NDArray[np.int64]
) -> None:
    """Write customers with their newest event in the log, and the state of the customer of whom they are a copy."""
    learnt, kinds = newest["received"].tolist(), newest["kind"].tolist()
    with store.transaction():
        run = store.log.connection.executemany
        run("INSERT INTO customers VALUES (?, ?)", ((code, f"customer-{code}") for code in range(len(newest))))
        run(
            'INSERT INTO events ("offset", message_id, customer, kind, at, received, channel) VALUES (?,?,?,?,?,?,1)',
            (
                (code + 1, f"m{code}", code, kind, at, at)
                for code, (kind, at) in enumerate(zip(kinds, learnt, strict=True))
            ),
        )
        run('UPDATE log SET "offset" = ?, received = ?', [(len(newest), max(learnt))])
        insert_many(
            store.log.connection,
            PUT,
            (
                (code, JOURNEY.fingerprint, code + 1, at, states[place].tobytes())
                for code, (place, at) in enumerate(zip(chosen.tolist(), learnt, strict=True))
            ),
        )


def compared(features: NDArray[np.float32]) -> dict[str, float]:
    """Microseconds per row of LightGBM on one thread and on two, and of the forest; exits when the answers differ."""
    text = benchmark_model(features).model_to_string()
    booster, forest = Booster(text), Forest(text)
    methods: dict[str, Callable[[], NDArray[np.float64]]] = {
        LIGHTGBM[0]: lambda: booster.predict_many(features, 1),
        LIGHTGBM[1]: lambda: booster.predict_many(features, 2),
        FOREST: lambda: forest.raw_many(features),
    }
    microseconds: dict[str, float] = {}
    answers: list[NDArray[np.float64]] = []
    for name, predict in methods.items():
        predict()
        times = []
        for _ in range(3):
            begun = time.perf_counter()
            answers.append(predict())
            times.append((time.perf_counter() - begun) / len(features) * 1e6)
        microseconds[name] = min(times)
    if not all(np.array_equal(answers[0], other) for other in answers):
        raise SystemExit("the forest's answers are not those of LightGBM, bit for bit")
    return microseconds


def served(folder: Path, rounds: int) -> Seen:
    """The results of a server over the store."""
    with _server(folder, "0") as (server, _):
        before = max(_own_memory(server))
    with _server(folder, "3600") as (server, port):
        peak = [0.0]
        deadline = time.monotonic() + LONGEST
        while not (folder / "scoreboard" / "CURRENT").exists():
            peak += _own_memory(server)
            if time.monotonic() > deadline:
                raise SystemExit(f"there was no sweep within {LONGEST:.0f} s; see {folder / 'server.log'}")
            time.sleep(0.1)
        time.sleep(2.0)
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        swept = _metric(connection, "waypost_scoreboard_sweep_seconds")
        pages = list(_pages(connection, rounds))
        shown = [_shown(connection, number) for number in range(CHANGES)]
        grown = max(_own_memory(server)) - before
        connection.close()
    return Seen(swept, pages, shown, grown, max(peak) - before)


@contextmanager
def _server(folder: Path, sweep_seconds: str) -> Iterator[tuple[Any, int]]:
    """A server over the store on the day after its last event, ready, and its port."""
    port, shift = free_port(), (END - time.time_ns() // 1000) / DAY
    more = {
        "WAYPOST_SWEEP_SECONDS": sweep_seconds,
        "WAYPOST_CLOCK_SHIFT_DAYS": str(shift),
        "WAYPOST_REQUESTS_PER_SECOND": "0",
        "WAYPOST_AUDIT_SECONDS": "0",
    }
    server = start_waypost(folder, port, f"sqlite:///{folder / 'waypost.db'}", workers=2, environment=more)
    try:
        wait_for(f"http://127.0.0.1:{port}/readyz")
        yield server, port
    finally:
        stop(server)


def _own_memory(server: Any) -> list[float]:
    """The anonymous memory of each process in megabytes."""
    megabytes = []
    for process in processes(server):
        try:
            lines = Path(f"/proc/{process}/status").read_text().splitlines()
        except FileNotFoundError:
            continue
        megabytes += [int(line.split()[1]) / 1024 for line in lines if line.startswith("RssAnon")]
    return megabytes


def _asked(connection: http.client.HTTPConnection, path: str, body: Mapping[str, Any] | None = None) -> bytes:
    connection.request(
        "POST" if body else "GET", path, json.dumps(body) if body else None, {"content-type": "application/json"}
    )
    answer = connection.getresponse()
    content = answer.read()
    if answer.status >= 300:
        raise SystemExit(f"{path} answered {answer.status}: {content[:500]!r}")
    return content


def _metric(connection: http.client.HTTPConnection, name: str) -> float:
    lines = _asked(connection, "/metrics").decode().splitlines()
    return max(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name))


def _pages(connection: http.client.HTTPConnection, rounds: int) -> Iterator[float]:
    """Milliseconds of consecutive pages of the largest segment."""
    segments = json.loads(_asked(connection, "/v1/segments"))["segments"]
    largest = max(segments, key=lambda segment: segment["customers"])["name"]
    cursor = None
    for _ in range(rounds):
        begun = time.perf_counter()
        path = f"/v1/segments/{largest}?limit={PAGE}" + (f"&cursor={cursor}" if cursor else "")
        page = _asked(connection, path)
        yield (time.perf_counter() - begun) * 1e3
        cursor = json.loads(page)["next_cursor"]


def _shown(connection: http.client.HTTPConnection, number: int) -> float:
    """Seconds until a new customer with an NPS answer of 10 is in the segment of promoters."""
    path = f"/v1/segments/promoters?limit={PAGE}"
    before = json.loads(_asked(connection, path))["customers"]
    event = {"customer": f"new-{number}", "kind": "SURVEY_NPS", "score": 10, "message_id": f"new-{number}"}
    _asked(connection, "/v1/events", event)
    begun = time.perf_counter()
    while json.loads(_asked(connection, path))["customers"] == before:
        if time.perf_counter() - begun > 60:
            raise SystemExit("an event did not reach its segment within 60 s")
        time.sleep(0.01)
    return time.perf_counter() - begun


def filtered(generation: Generation) -> dict[str, float]:
    """Milliseconds to find and order the members of each segment among all customers, without a cache."""
    milliseconds = {}
    for segment in SEGMENTS.values():
        times = []
        for _ in range(5):
            begun = time.perf_counter()
            members(segment, generation.columns)
            times.append((time.perf_counter() - begun) * 1e3)
        milliseconds[segment.name] = median(times)
    return milliseconds


def report(
    seen: Seen, milliseconds: Mapping[str, float], predicted: Mapping[str, float], generation: Generation
) -> None:
    """Print everything, the claims last."""
    rows = [
        ("a sweep with three targets", f"{seen.swept:.1f} s"),
        (f"a page of {PAGE} of a segment, over HTTP", median_range(seen.pages, " ms")),
        ("the same, 99th percentile", f"{percentile(seen.pages, 0.99):.2f} ms"),
        ("an event until its segment has it", median_range(seen.shown, " s")),
        ("growth of a worker, at the end", f"{seen.grown:.0f} MB"),
        ("growth of a worker, at its largest", f"{seen.peak:.0f} MB"),
        *((f"{name}, a row", f"{number:.2f} us") for name, number in predicted.items()),
        *((f"{name}, filtered anew", f"{number:.1f} ms") for name, number in milliseconds.items()),
    ]
    print_table(f"A scoreboard of {generation.count:,} customers", ("what", "figure"), rows)
    claims = {
        "sweep_s": seen.swept,
        "segment_ms": median(seen.pages),
        "fresh_s": median(seen.shown),
        "worker_growth_mb": max(seen.grown, seen.peak),
        "forest_speedup": min(predicted[name] for name in LIGHTGBM) / predicted[FOREST],
    }
    print_claims("sweep", claims)


if __name__ == "__main__":
    main()
