"""How many things this process may do at once."""

from __future__ import annotations

import os


def thread_count(threads: int | None) -> int:
    """`threads`, or as many as this process may run at once."""
    if threads:
        return threads
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
