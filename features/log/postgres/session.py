"""A connection to a log's database that is reopened when it is lost, and transactions under the log's write lock."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import Any, NamedTuple, TypeVar

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from features.log.contract import LogBusy, LogMissing
from features.log.postgres import schema
from features.log.postgres.arrays import Column, ColumnDumper
from features.log.postgres.errors import LogUnavailable, explained, shown
from features.log.postgres.savepoints import OUTERMOST, Savepoints
from features.log.postgres.schema import Connection

STATEMENT_SECONDS = 60.0
"""Longest statement of the server's daily work. Scans, counts and rebuilds take the time they need."""

IDLE_SECONDS = 60
"""How long a writer may hold the log and do nothing before the server ends its transaction: the process has hung."""

# A server or a network that has gone silent is given up after about half a minute.
_ALIVE = {
    "keepalives_idle": "10",
    "keepalives_interval": "5",
    "keepalives_count": "3",
    "tcp_user_timeout": "30000",
    "connect_timeout": "5",
}

_SETTINGS = {
    "default_transaction_isolation": "'read committed'",
    "idle_in_transaction_session_timeout": f"'{IDLE_SECONDS}s'",
    "jit": "off",
}

# The daily work looks up keys. By default the planner reads whole tables while it thinks that they are small, and its
# statistics are a minute late.
_HURRIED: dict[str, object] = dict.fromkeys(("enable_seqscan", "enable_hashjoin", "enable_mergejoin"), "off")
_UNHURRIED: dict[str, object] = {**dict.fromkeys(_HURRIED, "on"), "statement_timeout": 0}

# An acknowledged commit is on the disk, whatever the server's default; a stricter setting is left alone.
_DURABLE = """
SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'
"""

_HEAD = 'SELECT "offset", received, erasures, erased, people, segments FROM log'

_BEGIN_READING = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

Row = tuple[Any, ...]
Cursor = psycopg.Cursor[Row]
Statement = tuple[str, Sequence[object]]
Result = TypeVar("Result")


class Head(NamedTuple):
    """The one row of the table `log`: how far the log has come."""

    offset: int
    """The newest offset given out."""
    received: int
    """The newest `received` ever given out."""
    erasures: int
    """How many customers were erased."""
    erased: int
    """When the newest erasure was."""
    people: int
    """The newest offset of an event about identity or consent; 0 when there was none."""
    segments: int
    """How often the manifest of the history has changed; 0 when no event ever left the database."""


NOTHING_YET = Head(0, 0, 0, 0, 0, 0)
"""The head of an empty log."""


class Identity(NamedTuple):
    """What tells a log from all others."""

    log: str
    database: str
    schema: str


class Session:
    """One connection, replaced by a new one when the server has dropped it.

    When the connection is lost, a statement outside of a transaction runs once more over a new connection; a
    transaction is undone, and raises `LogUnavailable`. A new connection must lead to the same log as the first.
    """

    def __init__(self, url: str, *, create: bool, busy_seconds: float) -> None:
        self.place = shown(url)
        self.busy_seconds = busy_seconds
        self.reconnections = 0
        self._savepoints = Savepoints()
        self._url = url
        self._said = conninfo_to_dict(url)
        self._hurried = {**_HURRIED, "statement_timeout": round((STATEMENT_SECONDS + busy_seconds) * 1000)}
        self._queue: list[Statement] = []
        with explained(self.place):
            self.connection = self.connect()
            try:
                schema.prepare(self.connection, self.place, create=create)
                self.identity = self._identity(self.connection)
            except BaseException:
                self.connection.close()
                raise

    @property
    def depth(self) -> int:
        """How many transactions are open, one in the other."""
        return self._savepoints.depth

    def connect(self) -> Connection:
        """Another connection to the same database."""
        defaults = {**_ALIVE, "application_name": "waypost", "client_encoding": "UTF8"}
        connection: Connection = psycopg.connect(
            make_conninfo(self._url, **{**defaults, **self._said}), autocommit=True
        )
        connection.adapters.register_dumper(Column, ColumnDumper)
        settings = {**_SETTINGS, "lock_timeout": max(1, round(self.busy_seconds * 1000)), **self._hurried}
        script = [*(f"SET {name} = {value}" for name, value in settings.items()), _DURABLE]
        try:
            connection.execute(";".join(script).encode())
        except BaseException:
            connection.close()
            raise
        return connection

    def run(self, statement: str, parameters: Sequence[object] = ()) -> list[Row]:
        """The rows that a statement returns. Parameters are sent and rows returned in binary."""
        return self.run_many([(statement, parameters)])[0]

    def run_many(self, statements: Sequence[Statement]) -> list[list[Row]]:
        """The rows of several statements, in one round trip to the server."""
        if not all(map(_only_reads, statements)):
            self._savepoints.written()
        asked, self._queue = [*self._queue, *statements], []
        with explained(self.place):
            cursors = self._kept(lambda: self._send(asked))
            answered = cursors[len(cursors) - len(statements) :]
            return [cursor.fetchall() if cursor.description else [] for cursor in answered]

    def run_at_once(self, statements: Sequence[Statement]) -> list[list[Row]]:
        """The rows of several statements that only read and see the log at one moment, in one round trip."""
        if self.depth:
            return self.run_many(statements)
        try:
            return self.run_many([(_BEGIN_READING, ()), *statements, ("COMMIT", ())])[1:-1]
        except BaseException:
            self._undo()
            raise

    def run_script(self, statements: str) -> None:
        """Run several statements at once, without parameters."""
        self._savepoints.written()
        with explained(self.place):
            self._kept(lambda: self.connection.execute(statements.encode()))

    def later(self, statement: str, parameters: Sequence[object] = ()) -> None:
        """Send a statement along with the next one, or with the commit. Inside a transaction; the rows are lost."""
        self._savepoints.written()
        self._queue.append((statement, parameters))

    def _send(self, statements: Sequence[Statement]) -> list[Cursor]:
        if len(statements) == 1:
            return [self._execute(*statements[0])]
        with self.connection.pipeline():
            return [self._execute(*statement) for statement in statements]

    def _execute(self, statement: str, parameters: Sequence[object]) -> Cursor:
        return self.connection.execute(statement.encode(), parameters, binary=True)

    def _kept(self, ask: Callable[[], Result]) -> Result:
        """The answer of `ask`, over a new connection when the old one turns out to be lost."""
        if self.depth:
            return ask()
        if not self.connection.closed:
            try:
                return ask()
            except psycopg.OperationalError:
                if not self.connection.closed:
                    raise
        self._reconnect()
        return ask()

    def _reconnect(self) -> None:
        self.connection.close()
        connection = self.connect()
        try:
            schema.prepare(connection, self.place, create=False)
            if self._identity(connection) != self.identity:
                raise LogMissing(
                    f"the log {self.place} was removed or replaced while it was in use; nothing was written. Put the "
                    "right database in its place and start the server again"
                )
        except BaseException:
            connection.close()
            raise
        self.connection = connection
        self.reconnections += 1

    @staticmethod
    def _identity(connection: Connection) -> Identity:
        query = "SELECT identity::text, current_database()::text, current_schema()::text FROM log"
        return Identity(*connection.execute(query.encode()).fetchone() or ("", "", ""))

    def begin(self) -> Head | None:
        """Open a transaction and lock the log: nobody else writes until it ends. Returns the head of the log.

        Within a transaction this makes a savepoint, and returns None.
        """
        if self.depth:
            name = self._savepoints.begin()
            if name:
                self._queue.append((f"SAVEPOINT {name}", ()))
            return None
        with explained(self.place):
            try:
                head = self._kept(self._begin)
            except BaseException:
                self._undo()
                raise
        self._savepoints.begin_outermost()
        return head

    def _begin(self) -> Head:
        # One message to the server: a writer waits for the lock, not for several round trips.
        cursor = self.connection.execute(f"BEGIN; {_HEAD} FOR UPDATE; SAVEPOINT {OUTERMOST}".encode())
        cursor.nextset()
        return Head(*cursor.fetchone() or NOTHING_YET)

    def head(self) -> Head:
        """The head of the log now."""
        return Head(*self.run(_HEAD)[0])

    def commit(self) -> None:
        """Commit the innermost transaction; the outermost is on the server's disk when this returns."""
        if self.depth == 1:
            asked, self._queue = [*self._queue, ("COMMIT", ())], []
            with explained(self.place):
                said = self._send(asked)[-1].statusmessage
            if said != "COMMIT":  # the server rolls back a transaction in which a statement has failed
                raise LogBusy(f"the log {self.place} answered {said} to COMMIT; nothing was written, try again")
        name = self._savepoints.end()
        if name:
            self._queue.append((f"RELEASE {name}", ()))

    def roll_back(self) -> None:
        """Undo the innermost transaction."""
        if self.depth == 1:
            self._savepoints.lose()
            self._undo()
            return
        name, own = self._savepoints.undo()
        made: Statement = (f"SAVEPOINT {name}", ())
        if made in self._queue:
            # The last of them: an earlier one belongs to a committed transaction of the same depth.
            while self._queue.pop() != made:
                pass
            if not own:
                self._queue.append(made)
            return
        self._queue.clear()
        # If even this fails, the connection is lost, and the outermost transaction raises.
        with suppress(psycopg.Error):
            released = f"; RELEASE {name}" if own else ""
            self.connection.execute(f"ROLLBACK TO {name}{released}".encode())

    def _undo(self) -> None:
        """Undo everything; the server itself rolls back a lost connection."""
        self._queue.clear()
        if not self.connection.closed and self.connection.info.transaction_status:
            with suppress(psycopg.Error):
                self.connection.execute(b"ROLLBACK")

    @contextmanager
    def unhurried(self) -> Iterator[None]:
        """Within it, statements may read whole tables and take as long as they need. Outside of a transaction."""
        self.run_many([(f"SET {name} = {value}", ()) for name, value in _UNHURRIED.items()])
        try:
            yield
        finally:
            with suppress(LogUnavailable):
                self.run_many([(f"SET {name} = {value}", ()) for name, value in self._hurried.items()])

    def close(self) -> None:
        """Close the connection; closing twice is harmless."""
        self.connection.close()


def _only_reads(statement: Statement) -> bool:
    return statement[0].lstrip().startswith("SELECT")
