"""The dead letters of a PostgreSQL log: each record once, by its source, its position and the digest of its bytes."""

from __future__ import annotations

from collections.abc import Sequence

from features.log import rows
from features.log.contract import DeadLetter
from features.log.postgres.session import Session

_COLUMNS = "source, position, field, reason, raw, received, customer"

_KEEP = f"""
INSERT INTO dead_letters ({_COLUMNS})
SELECT * FROM unnest(%b::text[], %b::int8[], %b::text[], %b::text[], %b::bytea[], %b::int8[], %b::text[])
ON CONFLICT DO NOTHING RETURNING number
"""

_READ_AT_ONCE = 1000


def keep(session: Session, dead_letters: Sequence[DeadLetter]) -> int:
    """Add the dead letters that the log does not have yet. Returns how many were added."""
    columns = [
        [letter.source for letter in dead_letters],
        [letter.position for letter in dead_letters],
        [_storable(letter.field) for letter in dead_letters],
        [_storable(letter.reason) for letter in dead_letters],
        [letter.raw for letter in dead_letters],
        [letter.received for letter in dead_letters],
        [letter.customer and _storable(letter.customer) for letter in dead_letters],
    ]
    return len(session.run(_KEEP, columns)) if dead_letters else 0


def kept(session: Session, limit: int, after: int, source: str | None) -> list[DeadLetter]:
    """The oldest dead letters numbered above `after`, of one source when it is named."""
    fetched = session.run(
        f"SELECT {_COLUMNS}, number FROM dead_letters WHERE number > %b::int8 "
        "AND (%b::text IS NULL OR source = %b::text) ORDER BY number LIMIT %b::int8",
        (after, source, source, limit),
    )
    return [DeadLetter(*row) for row in fetched]


def remove(session: Session, numbers: Sequence[int]) -> int:
    """Remove dead letters by their numbers. Returns how many there were."""
    if not numbers:
        return 0
    return len(
        session.run("DELETE FROM dead_letters WHERE number = ANY(%b::int8[]) RETURNING number", (list(numbers),))
    )


def erase(session: Session, names: Sequence[str]) -> int:
    """Remove the dead letters about a customer of these names. Returns how many there were."""
    concerned: list[int] = []
    after = 0
    while fetched := session.run(
        f"SELECT {_COLUMNS}, number FROM dead_letters WHERE number > %b::int8 "
        f"AND (customer IS NULL OR customer = ANY(%b::text[])) ORDER BY number LIMIT {_READ_AT_ONCE}",
        (after, list(names)),
    ):
        dead_letters = [DeadLetter(*row) for row in fetched]
        concerned += [letter.number for letter in dead_letters if any(rows.concerns(letter, name) for name in names)]
        after = dead_letters[-1].number
    return remove(session, concerned)


def _storable(text: str) -> str:
    """The text without what PostgreSQL cannot store; the raw bytes of the record are kept as they came."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")
