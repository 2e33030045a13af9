"""Reading the events of a PostgreSQL log: all in log order, those of a customer, and those of message ids."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import closing

import numpy as np

from features.events import EVENT, NO_CODE, Event
from features.log import rows
from features.log.contract import EventBatch, Records
from features.log.postgres.arrays import texts
from features.log.postgres.errors import explained
from features.log.postgres.members import CODES
from features.log.postgres.session import Row, Session

RECORD = (
    f"at, received, coalesce(amount, 'NaN'), customer, coalesce(item, {NO_CODE}), coalesce(category, {NO_CODE}), "
    "coalesce(quantity, 'NaN'), coalesce(score, 'NaN'), kind, channel, 0"
)
"""The columns of `EVENT`, in its order."""

_EVENTS = (
    "SELECT customers.name, message_id, kind, at, received, channel, items.name, categories.name, quantity, "
    "amount, order_id, score, properties FROM events JOIN customers ON customers.code = customer "
    "LEFT JOIN items ON items.code = item LEFT JOIN categories ON categories.code = category"
)
"""Events with names, as `rows.event` takes them."""


def scan(session: Session, selection: rows.Selection, size: int) -> Iterator[Records]:
    """The selected events in log order, at most `size` at a time, read by a connection of its own."""
    for chunk in _selected(session, RECORD, selection, size):
        yield np.array(chunk, EVENT)


def scan_with_properties(session: Session, selection: rows.Selection, size: int) -> Iterator[EventBatch]:
    """The selected events with their texts, in log order, at most `size` at a time."""
    for chunk in _selected(session, f"{RECORD}, message_id, order_id, properties", selection, size):
        yield rows.batch(chunk)


def _selected(session: Session, columns: str, selection: rows.Selection, size: int) -> Iterator[list[Row]]:
    kinds = [] if selection.kinds is None else [selection.numbers]
    of_kinds = "AND kind = ANY(%s)" if kinds else ""
    with explained(session.place), closing(session.connect()) as reader:
        reader.execute("SET statement_timeout = 0; SET idle_in_transaction_session_timeout = 0")
        with reader.transaction(), reader.cursor("scan", binary=True) as cursor:
            cursor.execute(
                f"SELECT {columns} FROM events WHERE received <= %s AND customer %% %s = %s {of_kinds} "
                'ORDER BY received, "offset"',
                (selection.last, selection.shards, selection.shard, *kinds),
            )
            while chunk := cursor.fetchmany(size):
                yield chunk


def history(session: Session, customer: str) -> Records:
    """All events of a customer's profile, in log order."""
    fetched = session.run(
        f'SELECT {RECORD} FROM events WHERE customer IN ({CODES}) ORDER BY received, "offset"', (customer,)
    )
    return np.array(fetched, EVENT)


def newest(session: Session, customer: str, limit: int) -> list[Event]:
    """The newest `limit` events of a customer's profile, newest first."""
    fetched = session.run(
        f'{_EVENTS} WHERE customer IN ({CODES}) ORDER BY received DESC, "offset" DESC LIMIT %b::int8',
        (customer, limit),
    )
    return [rows.event(*row) for row in fetched]


def find(session: Session, message_id: str) -> Event | None:
    """The event of a message id; None when there is none."""
    fetched = session.run(f"{_EVENTS} WHERE message_id = %b::text", (message_id,))
    return rows.event(*fetched[0]) if fetched else None


def known(session: Session, message_ids: Sequence[str]) -> list[str]:
    """Those of the message ids that the log has."""
    query = "SELECT message_id FROM events WHERE message_id = ANY(%b::text[])"
    return [message_id for (message_id,) in session.run(query, (texts(message_ids),))]
