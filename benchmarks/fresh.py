"""Measurements that need a new process: the time until the fold is ready, and the memory that work needs.

    python -m benchmarks.fresh start
    python -m benchmarks.fresh memory STORE CUTOFF [CUTOFF...]
    python -m benchmarks.fresh scan STORE
    python -m benchmarks.fresh look STORE CUSTOMER
    python -m benchmarks.fresh import STORE FILE SOURCE [MAPPING]
    python -m benchmarks.fresh duckdb SQL

Prints one JSON object. `run` starts it and returns the object.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

IMPORTED = 1_800_000_000_000_000
"""When files are imported, microseconds UTC: later than all that they hold."""


def run(*arguments: str, environment: Mapping[str, str] | None = None) -> dict[str, float]:
    """The result of this module in a new process."""
    command = [sys.executable, "-m", "benchmarks.fresh", *arguments]
    ran = subprocess.run(
        command, check=True, stdout=subprocess.PIPE, text=True, env={**os.environ, **(environment or {})}
    )
    answer: dict[str, float] = json.loads(ran.stdout)
    return answer


def _start() -> dict[str, float]:
    """Seconds until numba is ready, then until the fold is declared, then until all its entry points are compiled."""
    begun = time.perf_counter()
    from numba.core.registry import cpu_target

    # The imports that numba defers until its first function runs: SciPy, CFFI and its own registries.
    cpu_target.typing_context.refresh()
    cpu_target.target_context.refresh()
    ready = time.perf_counter()
    from features.journey import JOURNEY

    declared = time.perf_counter()
    JOURNEY.compile()
    return {
        "start_numba_s": ready - begun,
        "declare_s": declared - ready,
        "compile_s": time.perf_counter() - declared,
    }


def _memory(place: str, cutoffs: list[int]) -> dict[str, float]:
    """Bytes in use before a replay of a log, and the most in use during it."""
    from features.journey import JOURNEY
    from features.log import open_log
    from features.log.contract import CHUNK
    from features.replay.snapshots import replay_log

    JOURNEY.compile()
    log = open_log(place, create=False)
    before = _bytes("VmRSS")
    rows = sum(len(snapshots.customer) for snapshots in replay_log(JOURNEY, log, cutoffs, most=CHUNK))
    log.close()
    return {"before": before, "peak": _bytes("VmHWM"), "rows": rows}


def _scan(place: str) -> dict[str, float]:
    """Seconds of a scan of a log's decisions and rewards with their properties, and bytes in use before and at most."""
    from features.events import Kind
    from features.log import open_log

    log = open_log(place, create=False)
    before = _bytes("VmRSS")
    begun = time.perf_counter()
    read = sum(len(batch.properties) for batch in log.scan_with_properties(kinds=(Kind.DECISION, Kind.REWARD)))
    seconds = time.perf_counter() - begun
    log.close()
    return {"read": read, "seconds": seconds, "before": before, "peak": _bytes("VmHWM")}


def _look(place: str, customer: str) -> dict[str, float]:
    """Seconds until the log's code is imported, then until a log is open and one customer's history is read."""
    begun = time.perf_counter()
    from features.log import open_log

    imported = time.perf_counter()
    log = open_log(place, create=False)
    events = len(log.history(customer))
    answered = time.perf_counter()
    log.close()
    return {"import_s": imported - begun, "answer_s": answered - imported, "events": events}


def _import(place: str, file: str, source: str, mapping: str | None = None) -> dict[str, float]:
    """Seconds to import a file into a log, and the most memory of this process and of the largest of its workers."""
    from features.log import open_log
    from features.sources import import_file

    begun = time.perf_counter()
    log = open_log(place)
    report = import_file(log, file, source, mapping, received=IMPORTED)
    log.close()
    return {
        "seconds": time.perf_counter() - begun,
        "peak": _bytes("VmHWM"),
        "worker_peak": resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024,
        "records": report.records,
        "accepted": report.accepted,
    }


def _duckdb(query: str) -> dict[str, float]:
    """Seconds of a query of DuckDB with as many threads as this process may run at once, and the most memory."""
    from benchmarks.duckdb_peer import connect
    from features.cores import thread_count

    begun = time.perf_counter()
    connect(thread_count(None)).execute(query)
    return {"seconds": time.perf_counter() - begun, "peak": _bytes("VmHWM")}


def _bytes(field: str) -> int:
    """A field of /proc/self/status; VmHWM is the most memory that this process ever had resident."""
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024
    raise LookupError(f"/proc/self/status has no {field}")


if __name__ == "__main__":
    task, *rest = sys.argv[1:]
    if task == "start":
        answer = _start()
    elif task == "scan":
        answer = _scan(rest[0])
    elif task == "look":
        answer = _look(*rest)
    elif task == "import":
        answer = _import(*rest)
    elif task == "duckdb":
        answer = _duckdb(*rest)
    else:
        answer = _memory(rest[0], [int(cutoff) for cutoff in rest[1:]])
    print(json.dumps(answer))
