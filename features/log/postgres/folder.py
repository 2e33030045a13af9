"""Where the history of a PostgreSQL log lies: a folder that all servers of the database share.

The folder holds the identity of its log, so that no other log's files are taken for it, or swept away in it.
"""

from __future__ import annotations

import os
from pathlib import Path
from urllib.parse import quote

from features import files
from features.log.contract import LogDenied, LogError

VARIABLE = "WAYPOST_SEGMENTS"
"""Names the folder of the histories of all PostgreSQL logs; `data` when it is not set."""

_MARK = "log"


def is_named() -> bool:
    """Whether the environment names the folder. Without a name, events stay in the database: a folder of one machine
    would keep all others from opening the log."""
    return bool(os.environ.get(VARIABLE))


def history_folder(database: str, schema: str) -> Path:
    """The folder of the log in a schema of a database: `history-of-DATABASE`, or `history-of-DATABASE.SCHEMA`."""
    name = database if schema == "public" else f"{database}.{schema}"
    return Path(os.environ.get(VARIABLE) or "data").absolute() / f"history-of-{quote(name, safe='')}"


def is_of(folder: Path, identity: str) -> bool:
    """Whether a folder is that of the log of an identity."""
    return _mark(folder) == identity


def claim(folder: Path, identity: str) -> None:
    """Make the folder that of the log of an identity. Raises LogError when it is another one's."""
    try:
        if not folder.is_dir():
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            files.synchronise(folder.parent)
        if _mark(folder) is None:
            with files.alone(folder / "lock"):
                if _mark(folder) is None:
                    files.replace(folder / _MARK, identity)
    except OSError as error:
        raise LogDenied(
            f"the folder of the history {folder} cannot be used: {error}; name another with {VARIABLE}"
        ) from error
    if not is_of(folder, identity):
        raise LogError(f"the folder {folder} holds the history of another log; name another with {VARIABLE}")


def check(folder: Path, identity: str, listed: str) -> None:
    """Raise LogError unless a folder is that of the log of an identity, whose segments were written at `listed`."""
    if not is_of(folder, identity):
        what = "is not there" if _mark(folder) is None else "is that of another log"
        raise LogError(
            f"the history of the log {what} at {folder}; it was written at {listed}. All servers of a database share "
            f"one folder: mount it here, and name the folder around it with {VARIABLE}"
        )


def _mark(folder: Path) -> str | None:
    try:
        return (folder / _MARK).read_text()
    except (FileNotFoundError, NotADirectoryError):
        return None
