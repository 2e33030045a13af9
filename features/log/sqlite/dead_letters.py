"""The dead letters of a SQLite log: each record once, by its source, its position and the digest of its bytes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from hashlib import blake2b

from features.log import rows
from features.log.contract import DeadLetter

_COLUMNS = "source, position, field, reason, raw, received, customer"


def raw_digest(raw: bytes) -> bytes:
    """The digest by which two records are the same: 16 bytes."""
    return blake2b(raw, digest_size=16).digest()


def keep(connection: sqlite3.Connection, letters: Sequence[DeadLetter]) -> int:
    """Add the letters that are not there yet. How many there were."""
    before = connection.total_changes
    connection.executemany(
        f"INSERT INTO dead_letters ({_COLUMNS}, digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (
            (each.source, each.position, each.field, each.reason, each.raw, each.received, each.customer,
             raw_digest(each.raw))
            for each in letters
        ),
    )  # fmt: skip
    return connection.total_changes - before


def kept(connection: sqlite3.Connection, limit: int, after: int, source: str | None) -> list[DeadLetter]:
    """The oldest letters numbered above `after`, of one source when it is named."""
    found = connection.execute(
        f"SELECT {_COLUMNS}, number FROM dead_letters WHERE number > ? AND (? IS NULL OR source = ?) "
        "ORDER BY number LIMIT ?",
        (after, source, source, limit),
    )
    return [DeadLetter(*row) for row in found]


def remove(connection: sqlite3.Connection, numbers: Iterable[int]) -> int:
    """Remove letters by their numbers. How many there were."""
    asked = [(number,) for number in numbers]
    return connection.executemany("DELETE FROM dead_letters WHERE number = ?", asked).rowcount if asked else 0


def erase(connection: sqlite3.Connection, names: Sequence[str]) -> int:
    """Remove the letters that speak of a customer of these names. How many there were."""
    marks = ",".join("?" * len(names))
    query = f"SELECT {_COLUMNS}, number FROM dead_letters WHERE customer IS NULL OR customer IN ({marks})"
    letters = (DeadLetter(*row) for row in connection.execute(query, names))
    concerned = [letter.number for letter in letters if any(rows.concerns(letter, name) for name in names)]
    return remove(connection, concerned)
