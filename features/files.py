"""Small files on disk: replaced atomically, locked by one process at a time, and recognised when they are replaced."""

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
"""A draft that is so much older than another of the same file is abandoned: writing one takes moments."""

_DRAFT_BYTES = 4
"""Random bytes in the name of a draft, two digits each."""


def identity(path: Path) -> Identity | None:
    """The identity of the file or folder at `path`, unchanged by writing to it; None when there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino


def version(path: Path) -> Identity | None:
    """The identity and state of the file or folder at `path`, changed by writing to it; None when there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def replace(path: Path, content: str | bytes, *, mode: int = 0o666, durable: bool = True) -> None:
    """Replace a file by `content` atomically: a reader sees the whole old file or the whole new one.

    With `durable` it is on the disk when this returns; a file that can be made again need not be. A new file has the
    permissions `mode`, less those that the umask removes.
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
    """Remove drafts that processes left when they were killed: those that are over an hour older than this draft."""
    made = draft.stat().st_mtime
    for other in path.parent.glob(f"{glob.escape(draft_prefix(path.name))}{'?' * 2 * _DRAFT_BYTES}"):
        with suppress(FileNotFoundError):  # another process was faster
            if made - other.stat().st_mtime > ABANDONED_SECONDS:
                other.unlink()


def draft_prefix(name: str) -> str:
    """How the names of the drafts of a file of this name begin; a process that is killed leaves its draft."""
    return f".{name}."


def settle(written: Path, path: Path, *, durable: bool = True) -> None:
    """Give a completely written file its name; with `durable`, both are on the disk when this returns."""
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
    """Hold the file `lock`, which one thread of one process holds at a time; the system releases it when that ends.

    Raises TimeoutError when another holds it for `seconds`; by default it waits as long as it takes.
    """
    with FileLock(lock, timeout=seconds).acquire():
        yield
