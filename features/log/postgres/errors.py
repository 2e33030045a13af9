"""What PostgreSQL's errors mean for a log, and what to do about each."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg.conninfo import conninfo_to_dict

from features.log.contract import LogBusy, LogCorrupt, LogDenied, LogError, LogFull, LogMissing, LogVersion


class LogUnavailable(LogError):
    """The database server does not answer. An unfinished write may or may not have happened: trying again is safe.

    The next call connects again.
    """


# By SQLSTATE, or its class of two letters: https://www.postgresql.org/docs/current/errcodes-appendix.html
_MEANINGS: dict[str, tuple[type[LogError], str]] = {
    "08": (LogUnavailable, "see whether the server runs: pg_isready -d '{place}'"),
    "57P": (LogUnavailable, "the server is stopping or starting; see: pg_isready -d '{place}'"),
    "25P": (LogUnavailable, "the server ended a transaction that took too long, and nothing was written; try again"),
    "53100": (
        LogFull,
        "nothing was written and nothing is lost; free some space on the disk of the server (df -h), then try again",
    ),
    "53": (
        LogUnavailable,
        "the server is out of connections or memory; see: psql '{place}' -c 'SELECT count(*) FROM pg_stat_activity'",
    ),
    "58": (LogError, "the server could not read or write its disk; see its log, and the space with: df -h"),
    "55P03": (
        LogBusy,
        "another process was writing for too long, and nothing was written here; try again, and if it persists see who "
        "holds the log with: psql '{place}' -c 'SELECT * FROM pg_stat_activity'",
    ),
    "40": (LogBusy, "nothing was written; try again"),
    "57014": (LogBusy, "the server took too long, and nothing was written; try again"),
    "42501": (LogDenied, "the role needs rights to the schema; see docs/howto/postgresql.md"),
    "28": (LogDenied, "the role or its password is not accepted; try them with: psql '{place}'"),
    "25006": (LogDenied, "the server only reads; name the one that is written to"),
    "3D000": (LogMissing, "make the database with: createdb NAME"),
    "3F000": (LogMissing, "make the schema with: psql '{place}' -c 'CREATE SCHEMA NAME'"),
    "42P01": (LogMissing, "tables of the log are gone; restore a backup with: pg_restore -d '{place}' FILE"),
    "42703": (LogVersion, "the tables are not those of a log; name another database or schema"),
    "XX": (LogCorrupt, "the database is damaged; see the log of the server, and restore a backup with: pg_restore"),
}

# libpq gives no SQLSTATE for a connection that was never made, only the server's message.
_REFUSALS = (
    ("password authentication failed", "28"),
    ("no password supplied", "28"),
    ("no pg_hba.conf entry", "28"),
    ('role "', "28"),
    ('database "', "3D000"),
    ("permission denied", "42501"),
    ("too many", "53"),
    ("remaining connection slots", "53"),
)


def shown(url: str) -> str:
    """A URL without its password, for messages. Raises LogError for a URL that libpq cannot read.

    The message does not quote libpq, whose own message may hold a password with a special character.
    """
    try:
        parts = conninfo_to_dict(url)
    except psycopg.Error:
        parts = {}
    host, database = str(parts.get("host") or ""), str(parts.get("dbname") or "")
    port = str(parts.get("port") or "")
    if not parts or "@" in host + database or not re.fullmatch(r"[\d,]*", port):
        raise LogError(
            "the URL of the log is not one of PostgreSQL; expected postgresql://USER:PASSWORD@HOST:PORT/DATABASE, with "
            "characters other than letters and digits in the password written as in %40 for @"
        ) from None
    user = f"{parts['user']}@" if parts.get("user") else ""
    local = host.startswith("/")
    address = "" if local else host + (f":{port}" if port else "")
    return f"postgresql://{user}{address}/{database}{f'?host={host}' if local else ''}"


@contextmanager
def explained(place: str) -> Iterator[None]:
    """Raise what PostgreSQL reports as a `LogError` that says what to do. `place` is the URL without its password.

    Errors of the caller's own making (a wrong statement, a value of a wrong type) pass as they are.
    """
    try:
        yield
    except psycopg.Error as error:
        meaning = _meaning(error)
        if meaning is None:
            raise
        kind, advice = meaning
        message = " ".join((error.diag.message_primary or str(error)).split())
        raise kind(f"the log {place}: {message}; {advice.format(place=place)}") from error


def _meaning(error: psycopg.Error) -> tuple[type[LogError], str] | None:
    state = error.sqlstate or next((state for words, state in _REFUSALS if words in str(error)), "")
    for length in (5, 3, 2):
        if state[:length] in _MEANINGS:
            return _MEANINGS[state[:length]]
    return _MEANINGS["08"] if isinstance(error, psycopg.OperationalError) else None
