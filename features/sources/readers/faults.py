"""Faults of a file as a whole: it cannot be read, or it lacks columns that are needed."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import NoReturn

from features.sources.contract import FileUnreadable


def unreadable(path: Path, error: Exception, where: str = "") -> NoReturn:
    """Raise FileUnreadable for an error of the file system, gzip or a table reader about `path`."""
    if isinstance(error, FileNotFoundError):
        raise FileUnreadable(f"{path} does not exist") from None
    if isinstance(error, IsADirectoryError):
        raise FileUnreadable(f"{path} is a folder; expected a file") from None
    reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
    kept = (
        "; the records before it are imported, and importing the repaired file again adds only the rest"
        if where
        else ""
    )
    raise FileUnreadable(f"{path} cannot be read{where}: {reason}{kept}") from error


def require(path: Path, columns: Collection[str], required: Collection[str]) -> None:
    """Check the columns of a table. Raises FileUnreadable with the missing columns and those that the table has."""
    missing = [column for column in required if column not in columns and column.split(".")[0] not in columns]
    if missing:
        raise FileUnreadable(
            f"{path} has no column {', '.join(missing)}; it has {', '.join(columns)}."
            " Choose the --source that fits, or write a mapping (docs/howto/import.md)"
        )
    repeated = sorted({column for column in columns if column and list(columns).count(column) > 1})
    if repeated:
        raise FileUnreadable(f"{path} names a column twice: {', '.join(repeated)}")
