"""Files of a history on the disk: written all or nothing; and what a disk that is full or may not be written means."""

from __future__ import annotations

import errno
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import polars as pl

from features.files import draft_prefix, settle
from features.log.contract import LogDenied, LogFull

FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_DENIED = (errno.EACCES, errno.EPERM, errno.EROFS)
_NUMBER = re.compile(r"\(os error (\d+)\)")


def write_parquet(path: Path, frame: pl.DataFrame, group: int | None = None) -> None:
    """Write a frame as a Parquet file, in row groups of so many rows; it is on the disk when this returns."""
    draft = path.with_name(f"{draft_prefix(path.name)}{secrets.token_hex(4)}")
    try:
        frame.write_parquet(draft, compression="zstd", compression_level=1, row_group_size=group)
        settle(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


@contextmanager
def explained(folder: Path) -> Iterator[None]:
    """Raise what the file system reports about a full disk, or one that may not be written, as a `LogError`.

    Polars reports it as an error of its own kind, with the system's number in the text.
    """
    try:
        yield
    except (OSError, pl.exceptions.PolarsError) as error:
        match = _NUMBER.search(str(error))
        number = int(match[1]) if match else getattr(error, "errno", None)
        if number in FULL:
            raise LogFull(
                f"the history {folder}: {error}; nothing was written and nothing is lost; free some space "
                f"(df -h {folder}), then try again"
            ) from error
        if number in _DENIED:
            raise LogDenied(
                f"the history {folder}: {error}; the folder and all in it must be writable for this user; "
                f"see: ls -la {folder}"
            ) from error
        raise
