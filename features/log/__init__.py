"""The event log: what it promises (`contract`), in SQLite (`sqlite`) and as Parquet files (`parquet`)."""

from __future__ import annotations

from pathlib import Path

from features.log.contract import EventLog, LogError
from features.log.sqlite import SqliteLog

__all__ = ["open_log"]

_SQLITE = "sqlite:///"
_PARQUET = "parquet:"


def open_log(place: str | Path, *, create: bool = True) -> EventLog:
    """Open the log at `place`, and make it when it is missing unless `create` is false.

    `place` is `sqlite:///data/waypost.db` (four slashes for an absolute path), `parquet:data/history`, or only the
    path of either: a path that ends in `.db` or `.sqlite` is a SQLite file, an existing folder is a Parquet log.
    Raises LogError for any other place, LogMissing when there is no log and none is to be made.
    """
    text = str(place)
    path = Path(text.removeprefix(_SQLITE).removeprefix(_PARQUET))
    if text.startswith(_SQLITE) or path.suffix in (".db", ".sqlite") or path.is_file():
        return SqliteLog(path, create=create)
    if text.startswith(_PARQUET) or path.is_dir():
        from features.log.parquet import ParquetLog

        return ParquetLog(path, create=create)
    raise LogError(
        f"{text!r} does not say what kind of log it is; expected sqlite:///FILE.db, a path that ends in .db, "
        "parquet:FOLDER, or a folder that holds a log"
    )
