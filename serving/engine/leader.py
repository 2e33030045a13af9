"""Which of several processes does what only one of them should: the one that holds a lock on a file."""

from __future__ import annotations

import fcntl
from pathlib import Path
from typing import IO


class Leading:
    """A lock at `path`, taken when it is free and kept until it is released, or its process ends."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock: IO[str] | None = None

    def taken(self) -> bool:
        """Whether this process leads, from now on if nobody did."""
        if self._lock is not None:
            return True
        self._path.parent.mkdir(parents=True, exist_ok=True)
        lock = self._path.open("w")
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            lock.close()
            return False
        self._lock = lock
        return True

    def release(self) -> None:
        """Let another process lead."""
        if self._lock is not None:
            self._lock.close()
            self._lock = None
