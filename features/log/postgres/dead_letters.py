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


def keep(session: Session, letters: Sequence[DeadLetter]) -> int:
    """Add the letters that are not there yet. How many there were."""
    columns = [
        [each.source for each in letters],
        [each.position for each in letters],
        [_storable(each.field) for each in letters],
        [_storable(each.reason) for each in letters],
        [each.raw for each in letters],
        [each.received for each in letters],
        [each.customer and _storable(each.customer) for each in letters],
    ]
    return len(session.run(_KEEP, columns)) if letters else 0


def kept(session: Session, limit: int, after: int, source: str | None) -> list[DeadLetter]:
    """The oldest letters numbered above `after`, of one source when it is named."""
    found = session.run(
        f"SELECT {_COLUMNS}, number FROM dead_letters WHERE number > %b::int8 "
        "AND (%b::text IS NULL OR source = %b::text) ORDER BY number LIMIT %b::int8",
        (after, source, source, limit),
    )
    return [DeadLetter(*row) for row in found]


def remove(session: Session, numbers: Sequence[int]) -> int:
    """Remove letters by their numbers. How many there were."""
    if not numbers:
        return 0
    return len(
        session.run("DELETE FROM dead_letters WHERE number = ANY(%b::int8[]) RETURNING number", (list(numbers),))
    )


def erase(session: Session, names: Sequence[str]) -> int:
    """Remove the letters that speak of a customer of these names. How many there were."""
    concerned: list[int] = []
    after = 0
    while found := session.run(
        f"SELECT {_COLUMNS}, number FROM dead_letters WHERE number > %b::int8 "
        f"AND (customer IS NULL OR customer = ANY(%b::text[])) ORDER BY number LIMIT {_READ_AT_ONCE}",
        (after, list(names)),
    ):
        letters = [DeadLetter(*row) for row in found]
        concerned += [letter.number for letter in letters if any(rows.concerns(letter, name) for name in names)]
        after = letters[-1].number
    return remove(session, concerned)


def _storable(text: str) -> str:
    """The text without what PostgreSQL cannot store; the raw bytes of the record are kept as they came."""
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}")
