"""Removing what was erased from the database's files too.

A deleted row stays in its page until PostgreSQL needs the space, even after a plain `VACUUM`. So the tables that held a
name are written anew (`VACUUM FULL`): the table of names always, the events only when a message id, an order id or a
property of the customer contains the name, of events too that have left the table for the history. While a table is
rewritten nobody can use it, for some ten seconds a gigabyte; a writer that waits too long raises LogBusy. The table
`remnants` lists the tables that are still to be rewritten, so that the next erasure completes an interrupted one.

PostgreSQL promises no more: the write-ahead log, its archive, replicas and backups hold the old bytes until they are
recycled in their own time (see docs/howto/postgresql.md).
"""

from __future__ import annotations

import time
from collections.abc import Sequence

from features.log import rows
from features.log.contract import LogBusy
from features.log.postgres.session import Session

_POLL_SECONDS = 0.05

_SPELT = """
SELECT EXISTS (
    SELECT FROM events, unnest(%b::text[]) AS spelling WHERE customer = ANY(%b::int4[])
    AND position(spelling IN concat_ws(' ', message_id, order_id, properties)) > 0
)
"""

# A transaction that began before the rows were deleted can still see them, and PostgreSQL keeps them for it.
_READERS = """
SELECT count(*) FROM pg_stat_activity, (SELECT pg_snapshot_xmax(pg_current_snapshot())::xid AS next) AS now
WHERE datname = current_database() AND pid != pg_backend_pid() AND backend_type = 'client backend'
    AND age(backend_xmin) > age(next)
"""


def note_remnants(session: Session, tables: Sequence[str]) -> None:
    """Record that the files of these tables still hold what was erased. Inside a transaction, as a part of it."""
    session.run("INSERT INTO remnants SELECT unnest(%b::text[]) ON CONFLICT DO NOTHING", (list(tables),))


def events_spell(session: Session, names: Sequence[str], codes: Sequence[int]) -> bool:
    """Whether the texts of these customers' events contain one of the names."""
    spellings = [spelling.decode() for name in names for spelling in rows.spellings(name)]
    return bool(session.run(_SPELT, (spellings, list(codes)))[0][0])


def rewrite_remnants(session: Session) -> None:
    """Rewrite the tables whose files hold what was erased. Outside of a transaction.

    Raises LogBusy when a scan or another writer blocks it for too long: then the customer is gone from the log, and
    erasing it again completes the work.
    """
    tables = [name for (name,) in session.run("SELECT name FROM remnants ORDER BY name")]
    if not tables:
        return
    try:
        _wait_for_readers(session)
        with session.unhurried():
            for table in tables:
                session.run(f"VACUUM FULL {table}")
    except LogBusy as error:
        raise LogBusy(
            f"the log {session.place}: the customer is erased, but a scan (a training run, an export) or a writer "
            "keeps its old rows on the disk; erase the same customer again when it is over"
        ) from error
    session.run("DELETE FROM remnants WHERE name = ANY(%b::text[])", (tables,))


def _wait_for_readers(session: Session) -> None:
    for patience in range(round(session.busy_seconds / _POLL_SECONDS), -1, -1):
        if session.run(_READERS)[0][0] == 0:
            return
        if patience:
            time.sleep(_POLL_SECONDS)
    raise LogBusy("a scan began before the erasure")
