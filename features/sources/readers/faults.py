"""What is wrong with a file as a whole: it cannot be read, or is no table with the columns that are needed."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import NoReturn

from features.sources.contract import FileUnreadable


def unreadable(path: Path, error: Exception, where: str = "") -> NoReturn:
    """Raise FileUnreadable for what the file system, gzip or a table reader said of `path`."""
    if isinstance(error, FileNotFoundError):
        raise FileUnreadable(f"{path} does not exist") from None
    if isinstance(error, IsADirectoryError):
        raise FileUnreadable(f"{path} is a folder; expected a file (import the files of a folder one by one)") from None
    said = getattr(error, "strerror", None) or str(error) or type(error).__name__
    kept = "; what stands before is imported, and importing the mended file again adds only the rest" if where else ""
    raise FileUnreadable(f"{path} cannot be read{where}: {said}{kept}") from error


def require(path: Path, found: Collection[str], required: Collection[str]) -> None:
    """Check the columns of a table. Raises FileUnreadable with what was found and what was expected."""
    missing = [column for column in required if column not in found and column.split(".")[0] not in found]
    if missing:
        raise FileUnreadable(
            f"{path} has no column {', '.join(missing)}; it has {', '.join(found)}."
            " Choose the --source that fits, or write a mapping (docs/howto/import.md)"
        )
    repeated = sorted({column for column in found if column and list(found).count(column) > 1})
    if repeated:
        raise FileUnreadable(f"{path} names a column twice: {', '.join(repeated)}")
