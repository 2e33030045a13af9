"""Small files that last: replaced at once, held by one process at a time, told from what takes their place."""

from __future__ import annotations

import glob
import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from filelock import FileLock

Identity = tuple[int, ...]

ABANDONED_SECONDS = 3600.0
"""A draft that is so much older than another of the same file is nobody's any more: to write one takes moments."""

_DRAFT_BYTES = 4
"""Random bytes in the name of a draft, each two digits of it."""


def identity(path: Path) -> Identity | None:
    """Which file or folder is at `path`, the same while it is only written to; None when there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def version(path: Path) -> Identity | None:
    """Which file or folder is at `path`, and in which state: another once it is written to; None when there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def replace(path: Path, content: str | bytes, *, mode: int = 0o666, durable: bool = True) -> None:
    """Put `content` in the place of a file: whoever reads it sees the old one or the new one, whole.

    It is on the disk when this returns, unless it need not be `durable` because it can be made again. A new file has
    the permissions `mode`, less those that the umask takes.
    """
    draft = path.with_name(f"{draft_prefix(path.name)}{secrets.token_hex(_DRAFT_BYTES)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
    try:
        with os.fdopen(descriptor, "wb") as file:
            file.write(content.encode() if isinstance(content, str) else content)
        _remove_abandoned(path, draft)
        settle(draft, path, durable=durable)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def _remove_abandoned(path: Path, draft: Path) -> None:
    """Remove what processes left that were killed while they replaced a file: drafts that are hours older than ours."""
    made = draft.stat().st_mtime
    for other in path.parent.glob(f"{glob.escape(draft_prefix(path.name))}{'?' * 2 * _DRAFT_BYTES}"):
        with suppress(FileNotFoundError):  # another process was faster
            if made - other.stat().st_mtime > ABANDONED_SECONDS:
                other.unlink()


def draft_prefix(name: str) -> str:
    """How the names of files begin that are to replace one of this name, and that a process left that was killed."""
    return f".{name}."


def settle(written: Path, path: Path, *, durable: bool = True) -> None:
    """Give a file that was written in full its name, and have both on the disk before returning."""
    if durable:
        synchronise(written)
    written.replace(path)
    if durable:
        synchronise(path.parent)


def synchronise(path: Path) -> None:
    """Return when a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def alone(lock: Path, seconds: float = -1.0) -> Iterator[None]:
    """Hold the file `lock`, which one thread of one process holds at a time: the system takes it from one that ends.

    Raises TimeoutError when another holds it for `seconds`; by default it waits as long as it takes.
    """
    with FileLock(lock, timeout=seconds).acquire():
        yield
