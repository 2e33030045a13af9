"""How a SQLite database becomes a log: opening, the schema and its version, and what SQLite's errors mean.

The tables are plain and meant to be looked at: `sqlite3 data/waypost.db .schema`. Absent values are NULL, times are
microseconds UTC, `kind` and `channel` hold the numbers of `features.events`, and `customer`, `item` and `category`
the codes of the tables of those names.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

from features.log.contract import LogBusy, LogCorrupt, LogDenied, LogError, LogFull, LogMissing, LogVersion
from features.log.rows import identified
from features.log.sqlite.dead_letters import raw_digest

APPLICATION = 0x57617970
"""`PRAGMA application_id` of a log: the letters "Wayp"."""

SCHEMAS = (
    """
    CREATE TABLE customers (code INTEGER PRIMARY KEY, name TEXT UNIQUE);
    CREATE TABLE items (code INTEGER PRIMARY KEY, name TEXT UNIQUE);
    CREATE TABLE categories (code INTEGER PRIMARY KEY, name TEXT UNIQUE);
    CREATE TABLE events (
        "offset" INTEGER PRIMARY KEY,
        message_id TEXT NOT NULL UNIQUE,
        customer INTEGER NOT NULL,
        kind INTEGER NOT NULL,
        at INTEGER NOT NULL,
        received INTEGER NOT NULL,
        channel INTEGER NOT NULL,
        item INTEGER,
        category INTEGER,
        quantity REAL,
        amount REAL,
        order_id TEXT,
        score REAL,
        properties TEXT
    );
    CREATE INDEX events_by_received ON events (received);
    CREATE INDEX events_by_customer ON events (customer, received);
    CREATE TABLE dead_letters (
        number INTEGER PRIMARY KEY,
        source TEXT NOT NULL,
        position INTEGER NOT NULL,
        field TEXT NOT NULL,
        reason TEXT NOT NULL,
        raw BLOB NOT NULL,
        received INTEGER NOT NULL,
        customer TEXT
    );
    CREATE TABLE log ("offset" INTEGER NOT NULL, received INTEGER NOT NULL, erasures INTEGER NOT NULL);
    INSERT INTO log VALUES (0, 0, 0);
    """,
    """
    CREATE TABLE merges (
        "offset" INTEGER PRIMARY KEY,
        received INTEGER NOT NULL,
        member INTEGER NOT NULL,
        profile INTEGER NOT NULL,
        undone INTEGER NOT NULL
    );
    CREATE INDEX merges_by_member ON merges (member);
    CREATE INDEX merges_by_profile ON merges (profile);
    CREATE TABLE members (member INTEGER PRIMARY KEY, profile INTEGER NOT NULL);
    CREATE INDEX members_by_profile ON members (profile);
    CREATE TABLE users (customer INTEGER PRIMARY KEY);
    CREATE INDEX events_about_people ON events (kind) WHERE kind BETWEEN 90 AND 93;
    INSERT INTO users SELECT DISTINCT customer FROM events WHERE kind = 90 AND identified(properties);
    ALTER TABLE dead_letters RENAME TO earlier_letters;
    CREATE TABLE dead_letters (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        source TEXT NOT NULL,
        position INTEGER NOT NULL,
        field TEXT NOT NULL,
        reason TEXT NOT NULL,
        raw BLOB NOT NULL,
        received INTEGER NOT NULL,
        customer TEXT,
        digest BLOB NOT NULL,
        UNIQUE (source, position, digest)
    );
    INSERT OR IGNORE INTO dead_letters
        SELECT number, source, position, field, reason, raw, received, customer, raw_digest(raw)
        FROM earlier_letters ORDER BY number;
    DROP TABLE earlier_letters;
    CREATE TABLE tombstones (digest BLOB PRIMARY KEY, at INTEGER NOT NULL) WITHOUT ROWID;
    CREATE TABLE trainings (version TEXT PRIMARY KEY, until INTEGER NOT NULL, at INTEGER NOT NULL) WITHOUT ROWID;
    ALTER TABLE log ADD COLUMN erased INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE log ADD COLUMN salt BLOB;
    UPDATE log SET salt = randomblob(16);
    """,
    """
    CREATE TABLE segments (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        events INTEGER NOT NULL,
        base INTEGER NOT NULL,
        last_offset INTEGER NOT NULL,
        first_received INTEGER NOT NULL,
        last_received INTEGER NOT NULL
    );
    CREATE TABLE erased_from_database (customer INTEGER PRIMARY KEY);
    CREATE TABLE imported (customer INTEGER PRIMARY KEY);
    ALTER TABLE log ADD COLUMN segments INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE log ADD COLUMN sealed INTEGER NOT NULL DEFAULT 0;
    """,
)
"""The statements that bring a database from version 0 to 1, from 1 to 2 and so on. Add at the end, never change one.

The indexes of the events end in the offset, as every index of SQLite does, so they hold their events in log order.
`log.erased` is the newest moment at which a customer was erased. `segments` is the manifest of the history
(`features.log.history`), and `log.segments` counts its changes; events up to the offset `log.sealed` are in the
history, or stay. `erased_from_database` are the customers whom the files of the history must still lose. `imported`
takes the customers whose past an import changes, for triggers of those who keep something of them.
"""

ABOUT_PEOPLE = "kind BETWEEN 90 AND 93"
"""Events that have an index by their kind: the rare ones about identity and consent. SQLite uses the index for a query
only if this very condition stands beside the kind."""

VERSION = len(SCHEMAS)
"""`PRAGMA user_version` of the newest schema."""

_CACHE_KIB = 65_536
_POLL_SECONDS = 0.02
_TURN_SECONDS = 0.0005


@contextmanager
def explained(path: Path) -> Iterator[None]:
    """Raise what SQLite reports about its file as a `LogError` that says what to do.

    Errors of the caller's own making (a wrong statement, a wrong thread) pass as they are.
    """
    try:
        yield
    except sqlite3.Error as error:
        primary = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        meaning = _MEANINGS.get(primary)
        if meaning is None:
            raise
        kind, advice = meaning
        raise kind(f"the log {path}: {error}; {advice.format(path=path, folder=path.parent)}") from error


_MEANINGS: dict[int, tuple[type[LogError], str]] = {
    sqlite3.SQLITE_BUSY: (
        LogBusy,
        "another process was writing for too long, and nothing was written here; try again, "
        "and if it persists see who holds the log with: fuser {path}",
    ),
    sqlite3.SQLITE_LOCKED: (LogBusy, "another statement holds the log, and nothing was written here; try again"),
    sqlite3.SQLITE_FULL: (
        LogFull,
        "nothing was written and nothing is lost; free some space (df -h {folder}), then try again",
    ),
    sqlite3.SQLITE_IOERR: (
        LogError,
        "the disk could not be read or written and nothing was half done; "
        "check its space (df -h {folder}) and its health (dmesg), then try again",
    ),
    sqlite3.SQLITE_READONLY: (
        LogDenied,
        "the log and its folder must be writable for this user; see: ls -la {folder}",
    ),
    sqlite3.SQLITE_PERM: (LogDenied, "the log must be readable and writable for this user; see: ls -la {folder}"),
    sqlite3.SQLITE_CANTOPEN: (
        LogDenied,
        "the log must be a file that this user can read and write; see: ls -la {folder}",
    ),
    sqlite3.SQLITE_CORRUPT: (
        LogCorrupt,
        "the file is damaged; restore a backup, or save what can be read with: "
        "sqlite3 {path} .recover | sqlite3 {path}.recovered",
    ),
    sqlite3.SQLITE_NOTADB: (
        LogCorrupt,
        "the file is not a SQLite database; name another file, or move this one away: mv {path} {path}.away",
    ),
}


def connect(path: Path, *, create: bool, busy_seconds: float) -> sqlite3.Connection:
    """Open the log at `path` for reading and writing, making or upgrading its schema as needed.

    Raises LogMissing when it does not exist and `create` is false, and the other LogErrors.
    """
    try:
        if not path.exists():
            if not create:
                raise LogMissing(f"there is no event log at {path}; make one with: waypost import FILE --source NAME")
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        raise LogDenied(f"the folder of the log {path} cannot be used: {error}; name another with --store") from error
    with explained(path):
        connection = sqlite3.connect(path, timeout=busy_seconds, isolation_level=None)
        try:
            _prepare(connection, path, busy_seconds)
        except BaseException:
            connection.close()
            raise
    return connection


def connect_reader(path: Path) -> sqlite3.Connection:
    """A second connection to an open log, for one long read that sees the log as it is now. Any thread may use it."""
    with explained(path):
        location = f"file:{quote(str(path))}?mode=ro"
        connection = sqlite3.connect(location, uri=True, isolation_level=None, check_same_thread=False)
        connection.execute(f"PRAGMA cache_size = {-_CACHE_KIB}")
    return connection


def _prepare(connection: sqlite3.Connection, path: Path, busy_seconds: float) -> None:
    _check(connection, path)
    _write_ahead(connection, busy_seconds)
    # FULL: a commit is on the disk before it is acknowledged. secure_delete: what is deleted is overwritten with zeros.
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA secure_delete = ON")
    connection.execute(f"PRAGMA cache_size = {-_CACHE_KIB}")
    if _version(connection) == VERSION:
        return
    connection.create_function("identified", 1, identified, deterministic=True)
    connection.create_function("raw_digest", 1, raw_digest, deterministic=True)
    connection.execute("BEGIN IMMEDIATE")
    try:
        # Another process may have upgraded the schema meanwhile; only the missing steps run here.
        for schema in SCHEMAS[_version(connection) :]:
            for statement in schema.split(";"):
                connection.execute(statement)
        connection.execute(f"PRAGMA application_id = {APPLICATION}")
        connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def _write_ahead(connection: sqlite3.Connection, busy_seconds: float) -> None:
    """Switch to write-ahead mode, waiting for another process that opens the new file at the same time.

    Here, unlike elsewhere, SQLite does not wait by itself.
    """
    for patience in range(round(busy_seconds / _POLL_SECONDS), -1, -1):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
            return
        except sqlite3.OperationalError as error:
            if not patience or error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY:
                raise
            time.sleep(_POLL_SECONDS)


def take_turn(connection: sqlite3.Connection, busy_seconds: float) -> None:
    """Begin a transaction that writes, as soon as no other one does; SQLITE_BUSY after `busy_seconds`.

    SQLite's own wait checks the lock ever more rarely, in the end every tenth of a second. Writers that take turns
    every few milliseconds would be idle for most of the time.
    """
    deadline = time.monotonic() + busy_seconds
    connection.execute("PRAGMA busy_timeout = 0")
    try:
        while True:
            try:
                connection.execute("BEGIN IMMEDIATE")
                return
            except sqlite3.OperationalError as error:
                if error.sqlite_errorcode & 0xFF != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
            time.sleep(_TURN_SECONDS)
    finally:
        connection.execute(f"PRAGMA busy_timeout = {round(busy_seconds * 1000)}")


def _version(connection: sqlite3.Connection) -> int:
    return int(connection.execute("PRAGMA user_version").fetchone()[0])


def _check(connection: sqlite3.Connection, path: Path) -> None:
    """Refuse a database that is not a log, or not one that this release can read, before anything in it is touched."""
    # Tables first: a log that another process makes meanwhile gets its tables and its application_id in one commit.
    tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    application = connection.execute("PRAGMA application_id").fetchone()[0]
    if application != APPLICATION:
        if tables:
            raise LogVersion(
                f"{path} is a SQLite database of another program (application_id {application:#x}); "
                "name a file that does not exist yet, or an event log, with --store"
            )
    elif _version(connection) > VERSION:
        raise LogVersion(
            f"the log {path} has schema version {_version(connection)}, and this release of Waypost knows versions "
            f"up to {VERSION}; install the newer release that wrote it: pip install --upgrade waypost"
        )
