"""The leader lock: of several processes, the one that holds it does what only one of them should."""

from __future__ import annotations

from pathlib import Path

from filelock import FileLock, Timeout


class LeaderLock:
    """A lock at `path`, acquired when it is free and held until it is released or its process ends."""

    def __init__(self, path: Path) -> None:
        self._lock = FileLock(path, blocking=False, thread_local=False)

    def held(self) -> bool:
        """Whether this process leads; it becomes the leader if there is none."""
        if not self._lock.is_locked:
            try:
                self._lock.acquire()
            except Timeout:
                return False
        return True

    def release(self) -> None:
        """Let another process lead."""
        self._lock.release(force=True)
