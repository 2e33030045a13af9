"""Measurements that need a new process: the time until the fold is ready, and the memory that work needs.

    python -m benchmarks.fresh start
    python -m benchmarks.fresh memory FILE.parquet CUTOFF [CUTOFF...]
    python -m benchmarks.fresh scan STORE
    python -m benchmarks.fresh look STORE CUSTOMER

Prints one JSON object. `run` starts it and returns the object.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path


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


def _memory(path: Path, cutoffs: list[int]) -> dict[str, float]:
    """Bytes in use before a replay from the file, and the most in use during it."""
    from features.journey import JOURNEY
    from features.replay.parquet import read_histories
    from features.replay.replay import replay

    JOURNEY.compile()
    before = _bytes("VmRSS")
    snapshots = replay(JOURNEY, read_histories(path), cutoffs)
    return {"before": before, "peak": _bytes("VmHWM"), "rows": len(snapshots.customer)}


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
    else:
        answer = _memory(Path(rest[0]), [int(cutoff) for cutoff in rest[1:]])
    print(json.dumps(answer))
