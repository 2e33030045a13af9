"""Reading the live events of a PostgreSQL log: all in log order, those of a customer, and those of message ids.

Where events have left the database, `features.log.postgres.keeping` reads the rest.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from features.events import EVENT, NO_CODE, Event
from features.log import rows
from features.log.contract import Records
from features.log.postgres.arrays import texts
from features.log.postgres.members import CODES
from features.log.postgres.schema import Connection
from features.log.postgres.session import Row, Session

RECORD = (
    f"at, received, coalesce(amount, 'NaN'), customer, coalesce(item, {NO_CODE}), coalesce(category, {NO_CODE}), "
    "coalesce(quantity, 'NaN'), coalesce(score, 'NaN'), kind, channel, 0"
)
"""The columns of `EVENT`, in its order."""

_SEGMENTS = "(SELECT segments FROM log)"
"""Is 0 while all events are in the database. In the statement that reads events, it is of the same moment."""

_NAMED = (
    "customers.name, message_id, kind, at, received, channel, items.name, categories.name, quantity, amount, order_id, "
    "score, properties"
)
"""Events with names, as `rows.event` takes them."""

_EVENTS = (
    "FROM events JOIN customers ON customers.code = customer "
    "LEFT JOIN items ON items.code = item LEFT JOIN categories ON categories.code = category"
)

_HAS_UNSEALED = """
SELECT count(*) = %b::int8 FROM (
    SELECT received FROM events WHERE "offset" > (SELECT sealed FROM log) ORDER BY "offset" LIMIT %b::int8
) AS oldest WHERE received < %b::int8
"""

_OF_CUSTOMER = f'SELECT {RECORD}, {_SEGMENTS} FROM events WHERE customer IN ({CODES}) ORDER BY received, "offset"'


def has_unsealed(session: Session, before: int, least: int) -> bool:
    """Whether the oldest `least` events that were never sealed were `received` before `before`."""
    ((enough,),) = session.run(_HAS_UNSEALED, (least, least, before))
    return bool(enough)


def selected(connection: Connection, columns: str, selection: rows.Selection, size: int) -> Iterator[list[Row]]:
    """Some columns of the selected live events, in log order, at most `size` at a time. Within a transaction."""
    kinds = [] if selection.kinds is None else [selection.numbers]
    of_kinds = "AND kind = ANY(%s)" if kinds else ""
    with connection.cursor("scan", binary=True) as cursor:
        cursor.execute(
            f"SELECT {columns} FROM events WHERE received <= %s AND customer %% %s = %s {of_kinds} "
            'ORDER BY received, "offset"',
            (selection.last, selection.shards, selection.shard, *kinds),
        )
        while chunk := cursor.fetchmany(size):
            yield chunk


def history(session: Session, customer: str) -> Records | None:
    """All events of a customer's profile, in log order; None when they may not all be in the database."""
    fetched = _live(session, _OF_CUSTOMER, (customer,))
    return None if fetched is None else np.array(fetched, EVENT)


def newest(session: Session, customer: str, limit: int) -> list[Event] | None:
    """The newest `limit` events of a customer's profile, newest first; None when others may be in the history."""
    query = f"""
        SELECT {_NAMED}, {_SEGMENTS} {_EVENTS} WHERE customer IN ({CODES})
        ORDER BY received DESC, "offset" DESC LIMIT %b::int8
    """
    fetched = _live(session, query, (customer, limit))
    return None if fetched is None else [rows.event(*row) for row in fetched]


def _live(session: Session, statement: str, parameters: Sequence[object]) -> list[Row] | None:
    """What a statement reads of the events; None when some have left the database.

    The last column of the statement is `_SEGMENTS`. Where it returns no row, the log is asked afterwards.
    """
    fetched = session.run(statement, parameters)
    segments = fetched[0][-1] if fetched else session.head().segments
    return None if segments else [row[:-1] for row in fetched]


def find(session: Session, message_id: str) -> Event | None:
    """The live event of a message id; None when there is none."""
    fetched = session.run(f"SELECT {_NAMED} {_EVENTS} WHERE message_id = %b::text", (message_id,))
    return rows.event(*fetched[0]) if fetched else None


def known(session: Session, message_ids: Sequence[str]) -> list[str]:
    """Those of the message ids that a live event has."""
    query = "SELECT message_id FROM events WHERE message_id = ANY(%b::text[])"
    return [message_id for (message_id,) in session.run(query, (texts(message_ids),))]
