"""The dead letters of a SQLite log: each record once, by its source, its position and the digest of its bytes."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Sequence
from hashlib import blake2b

from features.log import rows
from features.log.contract import DeadLetter

_COLUMNS = "source, position, field, reason, raw, received, customer"


def raw_digest(raw: bytes) -> bytes:
    """The digest by which equal records are recognised: 16 bytes."""
    return blake2b(raw, digest_size=16).digest()


def keep(connection: sqlite3.Connection, dead_letters: Sequence[DeadLetter]) -> int:
    """Add the dead letters that the log does not have yet. Returns how many were added."""
    before = connection.total_changes
    connection.executemany(
        f"INSERT INTO dead_letters ({_COLUMNS}, digest) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
        (
            (letter.source, letter.position, letter.field, letter.reason, letter.raw, letter.received, letter.customer,
             raw_digest(letter.raw))
            for letter in dead_letters
        ),
    )  # fmt: skip
    return connection.total_changes - before


def kept(connection: sqlite3.Connection, limit: int, after: int, source: str | None) -> list[DeadLetter]:
    """The oldest dead letters numbered above `after`, of one source when it is named."""
    cursor = connection.execute(
        f"SELECT {_COLUMNS}, number FROM dead_letters WHERE number > ? AND (? IS NULL OR source = ?) "
        "ORDER BY number LIMIT ?",
        (after, source, source, limit),
    )
    return [DeadLetter(*row) for row in cursor]


def remove(connection: sqlite3.Connection, numbers: Iterable[int]) -> int:
    """Remove dead letters by their numbers. Returns how many there were."""
    asked = [(number,) for number in numbers]
    return connection.executemany("DELETE FROM dead_letters WHERE number = ?", asked).rowcount if asked else 0


def erase(connection: sqlite3.Connection, names: Sequence[str]) -> int:
    """Remove the dead letters about a customer of these names. Returns how many there were."""
    marks = ",".join("?" * len(names))
    query = f"SELECT {_COLUMNS}, number FROM dead_letters WHERE customer IS NULL OR customer IN ({marks})"
    dead_letters = (DeadLetter(*row) for row in connection.execute(query, names))
    concerned = [letter.number for letter in dead_letters if any(rows.concerns(letter, name) for name in names)]
    return remove(connection, concerned)
