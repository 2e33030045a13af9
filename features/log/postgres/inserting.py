"""The statements that write the events of a PostgreSQL log."""

from __future__ import annotations

from collections.abc import Sequence

from features.events import NO_CODE, Event
from features.log import rows
from features.log.contract import Records
from features.log.postgres.arrays import Column, numbers, texts
from features.log.postgres.session import Session
from features.log.postgres.vocabulary import PostgresVocabulary, intern
from features.log.rows import Times

Vocabularies = tuple[PostgresVocabulary, PostgresVocabulary, PostgresVocabulary]
"""Those of the customers, the items and the categories."""

_QUOTED = [f'"{name}"' for name in rows.COLUMNS]

_INSERT = f"""
INSERT INTO events
SELECT "offset", message_id, customer, kind, at, received, channel,
    nullif(item, {NO_CODE}), nullif(category, {NO_CODE}),
    nullif(quantity, 'NaN'), nullif(amount, 'NaN'), order_id, nullif(score, 'NaN'), properties
FROM unnest(
    %b::int8[], %b::text[], %b::int4[], %b::int2[], %b::int8[], %b::int8[], %b::int2[],
    %b::int4[], %b::int4[], %b::float8[], %b::float8[], %b::text[], %b::float8[], %b::text[]
) AS given ({", ".join(_QUOTED)})
ON CONFLICT (message_id) DO NOTHING RETURNING "offset"
"""

_MOVE = """
UPDATE events SET at = moved.at, received = moved.received
FROM unnest(%b::int8[], %b::int8[], %b::int8[]) AS moved (place, at, received) WHERE "offset" = moved.place
"""


def coded(session: Session, vocabularies: Vocabularies, events: Sequence[Event], times: Times) -> Records:
    """The events as the fold reads them, with new codes for new names. Within a transaction."""
    customers, items, categories = vocabularies
    codes = intern(
        session,
        [
            (customers, [event.customer for event in events]),
            (items, [event.item for event in events]),
            (categories, [event.category for event in events]),
        ],
    )
    return rows.records(events, times, *codes)


def insert(session: Session, offsets: Sequence[int], events: Sequence[Event], records: Records) -> set[int]:
    """Insert the events whose message ids the database does not have. Returns their offsets."""
    return {offset for (offset,) in session.run(_INSERT, _columns(offsets, events, records))}


def move(session: Session, offsets: Sequence[int], times: Times) -> None:
    """Give events that were inserted other times."""
    session.run(_MOVE, [numbers(column, "int8") for column in (offsets, *times)])


def _columns(offsets: Sequence[int], events: Sequence[Event], records: Records) -> list[Column]:
    """The events as columns: `rows.COLUMNS`, with `NO_CODE` and NaN for absent values."""
    return [
        numbers(offsets, "int8"),
        texts([event.message_id for event in events]),
        numbers(records["customer"], "int4"),
        numbers(records["kind"], "int2"),
        numbers(records["at"], "int8"),
        numbers(records["received"], "int8"),
        numbers(records["channel"], "int2"),
        numbers(records["item"], "int4"),
        numbers(records["category"], "int4"),
        numbers([rows.plain(event.quantity) for event in events], "float8"),
        numbers(records["amount"], "float8"),
        texts([event.order_id for event in events]),
        numbers([rows.plain(event.score) for event in events], "float8"),
        texts([rows.quoted(event.properties) if event.properties else None for event in events]),
    ]
