"""The tables of a log in PostgreSQL, their versions, and how a schema becomes a log.

The tables are plain and meant to be looked at: `psql URL -c '\\d'`. They lie in the first schema of the search path,
so that `?options=-csearch_path%3Dshop` in a URL gives each of several shops a log of its own. Absent values are NULL,
times are microseconds UTC, `kind` and `channel` hold the numbers of `features.events`, and `customer`, `item` and
`category` the codes of the tables of those names.
"""

from __future__ import annotations

from typing import Any

import psycopg

from features.log.contract import LogMissing, LogVersion

Connection = psycopg.Connection[tuple[Any, ...]]

SCHEMAS = (
    """
    CREATE TABLE customers (code integer PRIMARY KEY, name text COLLATE "C" UNIQUE);
    CREATE TABLE items (LIKE customers INCLUDING ALL);
    CREATE TABLE categories (LIKE customers INCLUDING ALL);
    CREATE TABLE events (
        "offset" bigint NOT NULL,
        message_id text COLLATE "C" NOT NULL UNIQUE,
        customer integer NOT NULL,
        kind smallint NOT NULL,
        at bigint NOT NULL,
        received bigint NOT NULL,
        channel smallint NOT NULL,
        item integer,
        category integer,
        quantity double precision,
        amount double precision,
        order_id text,
        score double precision,
        properties text,
        PRIMARY KEY (received, "offset")
    );
    CREATE INDEX events_by_customer ON events (customer, received, "offset");
    CREATE INDEX events_about_who_it_is ON events ("offset") WHERE kind BETWEEN 90 AND 93;
    CREATE TABLE merges (
        "offset" bigint PRIMARY KEY,
        received bigint NOT NULL,
        member integer NOT NULL,
        profile integer NOT NULL,
        undone boolean NOT NULL
    );
    CREATE INDEX merges_by_member ON merges (member);
    CREATE INDEX merges_by_profile ON merges (profile);
    CREATE TABLE members (member integer PRIMARY KEY, profile integer NOT NULL);
    CREATE INDEX members_by_profile ON members (profile, member);
    CREATE TABLE users (customer integer PRIMARY KEY);
    CREATE TABLE dead_letters (
        number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        source text NOT NULL,
        position bigint NOT NULL,
        field text NOT NULL,
        reason text NOT NULL,
        raw bytea NOT NULL,
        received bigint NOT NULL,
        customer text,
        digest bytea GENERATED ALWAYS AS (sha256(raw)) STORED,
        UNIQUE (source, position, digest)
    );
    CREATE TABLE tombstones (digest bytea PRIMARY KEY, at bigint NOT NULL);
    CREATE TABLE remnants (name text PRIMARY KEY);
    CREATE TABLE trainings (version text PRIMARY KEY, until bigint NOT NULL, at bigint NOT NULL);
    CREATE TABLE log (
        "offset" bigint NOT NULL,
        received bigint NOT NULL,
        erasures bigint NOT NULL,
        erased bigint NOT NULL,
        salt bytea NOT NULL,
        identity uuid NOT NULL
    );
    INSERT INTO log VALUES (0, 0, 0, 0, uuid_send(gen_random_uuid()), gen_random_uuid());
    ALTER TABLE customers ALTER name SET STATISTICS 0;
    ALTER TABLE events ALTER message_id SET STATISTICS 0, ALTER order_id SET STATISTICS 0,
        ALTER properties SET STATISTICS 0;
    ALTER TABLE dead_letters ALTER reason SET STATISTICS 0, ALTER raw SET STATISTICS 0,
        ALTER customer SET STATISTICS 0;
    """,
    """
    ALTER TABLE log ADD COLUMN people bigint NOT NULL DEFAULT 0;
    UPDATE log SET people = coalesce((SELECT max("offset") FROM events WHERE kind BETWEEN 90 AND 93), 0);
    """,
    """
    CREATE TABLE segments (
        number bigint PRIMARY KEY,
        events bigint NOT NULL,
        base bigint NOT NULL,
        last_offset bigint NOT NULL,
        first_received bigint NOT NULL,
        last_received bigint NOT NULL
    );
    CREATE TABLE erased_from_database (customer integer PRIMARY KEY);
    CREATE UNLOGGED TABLE imported (customer integer NOT NULL);
    CREATE INDEX events_by_offset ON events ("offset");
    ALTER TABLE log ADD COLUMN segments bigint NOT NULL DEFAULT 0, ADD COLUMN sealed bigint NOT NULL DEFAULT 0,
        ADD COLUMN newest_segment bigint NOT NULL DEFAULT 0, ADD COLUMN history text;
    """,
)
"""The statements that bring a schema from version 0 to 1, from 1 to 2 and so on. Add at the end, never change one.

PostgreSQL keeps no statistics of texts that may name a customer: its samples of them would outlive an erasure.
`remnants` names the tables whose files still hold what was erased; `log.erased` is the newest moment of an erasure,
`log.people` the newest offset of an event about identity or consent. `segments` is the manifest of the history
(`features.log.history`), which lies in the folder `log.history`; `log.segments` counts its changes, and
`log.newest_segment` is the highest number that one of its segments had. Events up to the offset `log.sealed` are in the
history, or stay. `erased_from_database` are the customers whom the files of the history must still lose. `imported`
takes the customers whose past an import changes, for triggers of those who keep something of them.
"""

VERSION = len(SCHEMAS)
"""The newest version."""

OLDEST_SERVER = 14
"""Oldest major version of PostgreSQL."""

_LOCK = 0x57617970
"""Key of the advisory lock under which a schema is made: the letters "Wayp"."""


def prepare(connection: Connection, place: str, *, create: bool) -> None:
    """Make or upgrade the tables as needed, once, however many processes start together.

    `place` is the URL without its password. Raises LogMissing when there is no log and none is to be made, LogVersion
    for tables of another program or a newer release, before anything is touched.
    """
    _check_server(connection, place)
    if _version(connection, place, create=create) == VERSION:
        return
    with connection.transaction():
        connection.execute("SET LOCAL statement_timeout = 0")
        connection.execute("SELECT pg_advisory_xact_lock(%s, 0)", (_LOCK,))
        # Another process may have upgraded the schema meanwhile; only the missing steps run here.
        version = _version(connection, place, create=create)
        if not version:
            connection.execute("CREATE TABLE IF NOT EXISTS waypost (version integer PRIMARY KEY)")
            connection.execute("INSERT INTO waypost VALUES (0) ON CONFLICT DO NOTHING")
        for schema in SCHEMAS[version:]:
            connection.execute(schema.encode())
        connection.execute("UPDATE waypost SET version = %s", (VERSION,))


def _check_server(connection: Connection, place: str) -> None:
    major = connection.info.server_version // 10_000
    if major < OLDEST_SERVER:
        raise LogVersion(f"{place} is PostgreSQL {major}; expected at least {OLDEST_SERVER}")
    encoding = connection.info.parameter_status("server_encoding")
    if encoding != "UTF8":
        raise LogVersion(
            f"the database {place} is encoded in {encoding}, which cannot hold every name; make another with: "
            "createdb --encoding=UTF8 --template=template0 NAME"
        )


def _version(connection: Connection, place: str, *, create: bool) -> int:
    """The version of the log in the schema; 0 where there is no table at all."""
    # Tables first: a log that another process makes meanwhile gets its tables in one commit.
    foreign = _first_table(connection)
    if connection.execute("SELECT to_regclass('waypost')").fetchone() == (None,):
        if foreign:
            raise LogVersion(
                f"the database {place} holds tables of another program, such as {foreign!r}; name a database or a "
                "schema of its own, as in docs/howto/postgresql.md"
            )
        if not create:
            raise LogMissing(f"there is no event log at {place}; make one with: waypost import FILE --source NAME")
        return 0
    (version,) = connection.execute("SELECT max(version) FROM waypost").fetchone() or (None,)
    if version is None or version > VERSION:
        raise LogVersion(
            f"the log {place} has schema version {version}, and this release of Waypost knows versions up to "
            f"{VERSION}; install the newer release that wrote it: pip install --upgrade waypost"
        )
    return int(version)


def _first_table(connection: Connection) -> str | None:
    """The name of a table in the schema that belongs to no extension; None when there is none."""
    row = connection.execute(
        "SELECT relname FROM pg_class WHERE relnamespace = current_schema()::regnamespace AND relkind IN ('r', 'p') "
        "AND NOT EXISTS (SELECT FROM pg_depend WHERE objid = pg_class.oid AND deptype = 'e') ORDER BY 1 LIMIT 1"
    ).fetchone()
    return str(row[0]) if row else None
