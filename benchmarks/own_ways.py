"""Solutions that Waypost implements itself although a library or a simpler one exists: the gain of each, in one run.

    python -m benchmarks.own_ways [--parts settings conditions pages filter connections] [--rounds 5]

settings: the time that pydantic-settings would add to the start of a command, of the server's supervisor and a worker.
conditions: the grammar evaluated for arrays (numpy) and compiled (for one customer); each at the other's task.
pages: the search of SQLite's pages for remnants after an erasure; beside VACUUM every time and a search of all bytes.
filter: the clients cut off that connect while a server stops, with the socket's filter and without.
connections: a pool of 16 opened at once, with two workers: shared evenly, and as the framework accepts.

The first two measure processor time, so that a busy machine matters less.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from statistics import median

import numpy as np

from benchmarks.clients import Connection
from benchmarks.report import print_claims, print_table
from benchmarks.servers import free_port, most_connections, port_of, start_waypost, stop, wait_for
from benchmarks.shops import write_shop
from benchmarks.shutdown import cut_off
from benchmarks.synthetic import END
from features.events import Event, Kind, Stage
from features.journey import JOURNEY
from features.log.sqlite import SqliteLog, scrub
from models.decisions.actions import ACTIONS
from models.decisions.eligibility import compile_judge
from models.prediction.scope import compile_scope
from training.targets.catalogue import TARGETS

Claims = dict[str, float]
EVENTS, CUSTOMERS, ERASED = 300_000, 20_000, 40
CONNECTIONS, AT_ONCE = 16, 30
"""The connections of a pool, and the number of times that a request is sent on all of them at once."""

_ADDED = """
import time
import {first}
from pathlib import Path
begun = time.process_time()
from pydantic import Field
from pydantic_settings import BaseSettings
class Settings(BaseSettings, env_prefix="WAYPOST_"):
    store: str = "sqlite:///data/waypost.db"
    bundle: Path = Path("data/champion")
    workers: int = Field(2, ge=1)
    shadow_share: float = Field(0.05, ge=0, le=1)
Settings()
print((time.process_time() - begun) * 1000)
"""


def settings(rounds: int) -> Claims:
    """Milliseconds of processor time that pydantic-settings adds to the imports of each program, once compiled.

    A server starts its workers after its supervisor, so that both times add up. A command does not need pydantic
    otherwise.
    """
    claims = {}
    for name, first in {"command": "waypost", "supervisor": "serving.service", "worker": "serving.http.routes"}.items():
        command = [sys.executable, "-c", _ADDED.format(first=first)]
        added = [float(subprocess.run(command, check=True, capture_output=True).stdout) for _ in range(3 * rounds + 1)]
        claims[f"pydantic_settings_{name}_ms"] = median(added[1:])
        claims[f"pydantic_settings_{name}_least_ms"] = min(added[1:])
    return claims


def conditions(rounds: int) -> Claims:
    """The times of both evaluators for each of the two tasks."""
    random = np.random.default_rng(1)
    rows = random.uniform(0, 100, (20_000, len(JOURNEY.names)))
    columns = dict(zip(JOURNEY.names, rows.T, strict=True))
    scope = TARGETS["churn_rhythm"].scope
    holds = compile_scope(scope, JOURNEY.index)
    asked = [(target.scope, compile_scope(target.scope, JOURNEY.index)) for target in TARGETS.values()]
    row = rows[0].tolist()
    one = dict(zip(JOURNEY.names, row, strict=True))
    listed = rows.tolist()
    judge = compile_judge(ACTIONS)
    known = {name: 0.5 for name in set[str]().union(*(action.columns() for action in ACTIONS))} | one

    def walked() -> None:
        for action in ACTIONS:
            action.value.evaluate(known)
            for condition in action.conditions:
                condition.evaluate(known)

    return {
        "scopes_of_a_customer_us": _time(lambda: [compiled(row) for _, compiled in asked], rounds) * 1e6,
        "scopes_of_a_customer_by_arrays_us": _time(lambda: [condition.evaluate(one) for condition, _ in asked], rounds)
        * 1e6,
        "scope_of_20000_rows_ratio": _time(lambda: [holds(listed_row) for listed_row in listed], rounds)
        / _time(lambda: scope.evaluate(columns), rounds),
        "actions_of_a_customer_us": _time(lambda: judge(known, Stage.PURCHASE, {}, END), rounds) * 1e6,
        "actions_of_a_customer_by_arrays_us": _time(walked, rounds) * 1e6,
    }


def _time(work: Callable[[], object], rounds: int) -> float:
    """Seconds of processor time for one call, the least of some rounds of at least 50 ms."""
    begun = time.process_time()
    work()
    calls = 1 + int(0.05 / max(time.process_time() - begun, 1e-6))
    seconds = []
    for _ in range(rounds):
        begun = time.process_time()
        for _ in range(calls):
            work()
        seconds.append((time.process_time() - begun) / calls)
    return min(seconds)


def pages(rounds: int) -> Claims:
    """The cost of making sure that an erasure leaves nothing on a page, in a database of `EVENTS` events.

    Customers have numbers of six digits, as in many shops, and messages have numbers, too.
    """
    random = np.random.default_rng(1)
    codes = random.integers(100_000, 100_000 + CUSTOMERS, EVENTS).tolist()
    numbers = random.integers(10**11, 10**12, EVENTS).tolist()
    with tempfile.TemporaryDirectory() as folder, closing(SqliteLog(Path(folder) / "log.db")) as log:
        log.append([
            Event(str(number), str(code), Kind.ITEM_VIEW, END, END) for number, code in zip(numbers, codes, strict=True)
        ])  # fmt: skip
        cures: list[str] = []
        log.connection.set_trace_callback(lambda text: cures.append(text) if text == "VACUUM" else None)
        anywhere, searches = 0, []
        for name in {str(code) for code in codes[:ERASED]}:
            log.erase(name, END)
            anywhere += scrub.holds(log.path, [name.encode()])
            begun = time.perf_counter()
            scrub.has_remnants(log.path, [name.encode()])
            searches.append(time.perf_counter() - begun)
        needed = len(cures)
        begun = time.perf_counter()
        log.connection.execute("VACUUM")
        vacuum = time.perf_counter() - begun
    return {
        "page_search_ms": median(searches) * 1000,
        "vacuum_ms": vacuum * 1000,
        "vacuums_share": needed / len(searches),
        "vacuums_share_of_a_search_of_all_bytes": anywhere / len(searches),
    }


def filter_of_the_socket(rounds: int) -> Claims:
    """Clients cut off when a server stops, over all rounds."""
    return {
        "cut_off_with_filter": sum(cut_off(filtered=True) for _ in range(rounds)),
        "cut_off_without_filter": sum(cut_off(filtered=False) for _ in range(rounds)),
    }


def connections(rounds: int) -> Claims:
    """The distribution of a pool of 16 connections over two workers, and the time of 16 requests at once."""
    services = {"even": "serving.service:Waypost", "as they come": "benchmarks.uneven:Waypost"}
    pools: dict[str, list[tuple[int, float]]] = {name: [] for name in services}
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        body = json.dumps({"customers": write_shop(folder, 2_000, 60_000)[:20]}).encode()
        servers = {}
        try:
            for name, service in services.items():
                servers[name] = _start(folder, free_port(), service)
            for _ in range(4 * rounds + 1):
                for name, server in servers.items():
                    pools[name].append(asyncio.run(_pool(server, body)))
        finally:
            for server in servers.values():
                stop(server)
    even, other = (rows[1:] for rows in pools.values())
    ratios = [b / a for (_, a), (_, b) in zip(even, other, strict=True)]
    return {
        "most_connections_of_a_worker": median(held for held, _ in even),
        "most_connections_of_a_worker_as_they_come": median(held for held, _ in other),
        "requests_at_once_ms": median(seconds for _, seconds in even) * 1000,
        "requests_at_once_as_they_come_ratio": median(ratios),
        "requests_at_once_as_they_come_ratio_least": min(ratios),
        "requests_at_once_as_they_come_ratio_most": max(ratios),
    }


async def _pool(server: subprocess.Popen[bytes], body: bytes) -> tuple[int, float]:
    """The most connections of a new pool that one worker holds, and the median seconds of a request on all of them."""
    pool = [Connection(port_of(server)) for _ in range(CONNECTIONS)]
    seconds = []
    for _ in range(AT_ONCE + 1):
        begun = time.perf_counter()
        for status, answer in await asyncio.gather(*(connection.post("/v1/scores", body) for connection in pool)):
            if status != 200:
                raise ConnectionError(answer.decode())
        seconds.append(time.perf_counter() - begun)
    held = most_connections(server)
    for connection in pool:
        connection.close()
    # The first requests open the connections.
    return held, median(seconds[1:])


def _start(folder: Path, port: int, service: str) -> subprocess.Popen[bytes]:
    """A server of two workers that is ready."""
    quiet = {"WAYPOST_SWEEP_SECONDS": "0", "WAYPOST_SCOREBOARD": str(folder / f"scoreboard-{port}")}
    store = f"sqlite:///{folder}/waypost.db"
    server = start_waypost(folder, port, store, workers=2, environment=quiet, service=service)
    wait_for(f"http://127.0.0.1:{port}/readyz")
    return server


PARTS: dict[str, Callable[[int], Claims]] = {
    "settings": settings, "conditions": conditions, "pages": pages, "filter": filter_of_the_socket,
    "connections": connections,
}  # fmt: skip


def main() -> None:
    """Measure, print, claim."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=list(PARTS))
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    claims: Claims = {}
    for part in asked.parts:
        claims |= PARTS[part](asked.rounds)
    print_table(
        "what Waypost implements itself",
        ("figure", "value"),
        [(name, f"{value:,.4g}") for name, value in claims.items()],
    )
    print_claims("own_ways", claims)


if __name__ == "__main__":
    main()
