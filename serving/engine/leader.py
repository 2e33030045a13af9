"""Which of several processes does what only one of them should: the one that holds a lock on a file."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock, Timeout


class LeaderLock:
    """A lock at `path`, taken when it is free and kept until it is released, or its process ends."""

    def __init__(self, path: Path) -> None:
        self._lock = FileLock(path, blocking=False, thread_local=False)

    def held(self) -> bool:
        """Whether this process leads, from now on if nobody did."""
        if not self._lock.is_locked:
            try:
                self._lock.acquire()
            except Timeout:
                return False
        return True

    def release(self) -> None:
        """Let another process lead."""
        self._lock.release(force=True)
