"""A PostgreSQL log as a connection of its own sees it at one moment."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import TYPE_CHECKING

from psycopg import IsolationLevel

from features.log.postgres.arrays import numbers
from features.log.postgres.errors import explained
from features.log.postgres.folder import history_store
from features.log.postgres.reading import RECORD, selected
from features.log.postgres.schema import Connection
from features.log.postgres.session import Identity, Session
from features.log.rows import Selection
from features.log.scans import Reader, Rows

if TYPE_CHECKING:
    from features.log.history.history import History


class PostgresReader(Reader):
    """Reads within one transaction of its connection, the rows through a cursor.

    The server sends one chunk at a time, and neither side holds more than one in memory.
    """

    record = RECORD

    def __init__(self, connection: Connection, identity: Identity) -> None:
        self._connection = connection
        self._identity = identity

    def history(self) -> History | None:
        """The history; None when no event ever left the database for one."""
        if self._connection.execute("SELECT segments FROM log").fetchone() == (0,):
            return None
        from features.log.postgres.manifest import STATEMENTS, read_manifest  # Polars, which else is not needed

        fetched = [self._connection.execute(statement.encode()).fetchall() for statement in STATEMENTS]
        return read_manifest(history_store(*self._identity), *fetched)

    def selected(self, columns: str, selection: Selection, size: int) -> Iterator[Rows]:
        """Some columns of the selected live events in log order, at most `size` at a time."""
        return selected(self._connection, columns, selection, size)

    def live_of(self, codes: list[int]) -> Rows:
        """The live events of some customers."""
        query = f'SELECT {RECORD}, "offset" FROM events WHERE customer = ANY(%b::int4[])'
        return self._connection.execute(query.encode(), (numbers(codes, "int4"),), binary=True).fetchall()


@contextmanager
def reader(session: Session) -> Iterator[PostgresReader]:
    """Read the log of a session as it is now, for as long as it takes."""
    with explained(session.place), closing(session.connect()) as connection:
        connection.execute("SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0")
        connection.isolation_level = IsolationLevel.REPEATABLE_READ
        with connection.transaction():
            yield PostgresReader(connection, session.identity)
