"""The event log: what it promises (`contract`), in SQLite (`sqlite`), PostgreSQL (`postgres`) and as Parquet files
(`parquet`)."""

from __future__ import annotations

from pathlib import Path

from features.log.contract import EventLog, LogError
from features.log.sqlite import SqliteLog

__all__ = ["is_postgres", "open_log", "shown"]

_POSTGRES = ("postgresql://", "postgres://")
_SQLITE = "sqlite:///"
_PARQUET = "parquet:"


def is_postgres(place: str | Path) -> bool:
    """Whether `place` is the URL of a PostgreSQL database."""
    return str(place).startswith(_POSTGRES)


def shown(place: str | Path) -> str:
    """The place as it may be shown: a URL without its password. Raises LogError for a URL that cannot be read."""
    if is_postgres(place):
        from features.log.postgres.errors import shown as without_password

        return without_password(str(place))
    return str(place)


def open_log(place: str | Path, *, create: bool = True) -> EventLog:
    """Open the log at `place`, and make it when it is missing unless `create` is false.

    `place` is `sqlite:///data/waypost.db` (four slashes for an absolute path), `postgresql://user:password@host/name`,
    `parquet:data/history`, or only the path of a file or folder: a path that ends in `.db` or `.sqlite` is a SQLite
    file, an existing folder is a Parquet log.
    Raises LogError for any other place, LogMissing when there is no log and none is to be made.
    """
    text = str(place)
    if is_postgres(text):
        from features.log.postgres import PostgresLog

        return PostgresLog(text, create=create)
    path = Path(text.removeprefix(_SQLITE).removeprefix(_PARQUET))
    if text.startswith(_SQLITE) or path.suffix in (".db", ".sqlite") or path.is_file():
        return SqliteLog(path, create=create)
    if text.startswith(_PARQUET) or path.is_dir():
        from features.log.parquet import ParquetLog

        return ParquetLog(path, create=create)
    raise LogError(
        f"{text!r} does not say what kind of log it is; expected sqlite:///FILE.db, a path that ends in .db, "
        "postgresql://USER:PASSWORD@HOST/DATABASE, parquet:FOLDER, or a folder that holds a log"
    )
