"""The vocabularies of a log in PostgreSQL: tables of names and codes, with the names in use kept in memory."""

from __future__ import annotations

from collections.abc import Sequence

from features.events import NO_CODE
from features.log.postgres.arrays import texts
from features.log.postgres.session import Row, Session

CACHED = 1_000_000
"""Most names one vocabulary keeps in memory (some 150 MB of short names); beyond, it starts afresh."""

# Under the log's write lock nobody else gives out codes.
_INTERN = """
WITH given AS (
    SELECT given.name, place, code FROM unnest(%b::text[]) WITH ORDINALITY AS given (name, place)
    LEFT JOIN {table} AS known ON known.name = given.name
), added AS (
    INSERT INTO {table} (code, name)
    SELECT (SELECT coalesce(max(code), -1) FROM {table}) + row_number() OVER (ORDER BY place), name
    FROM given WHERE code IS NULL
    RETURNING name, code
)
SELECT name, code, false FROM given WHERE code IS NOT NULL UNION ALL SELECT name, code, true FROM added
"""


class PostgresVocabulary:
    """Names and codes of one table `(code, name)`. See `features.log.contract.Vocabulary`.

    A name in memory costs a dictionary look-up, any other one an indexed SELECT. What is in memory stays true as long
    as no name is erased, no transaction rolled back and no connection replaced; the log calls `forget` after each.
    """

    def __init__(self, session: Session, table: str) -> None:
        self._session = session
        self._table = table
        self._intern = _INTERN.format(table=table)
        self._codes: dict[str, int] = {}
        self._names: dict[int, str] = {}
        self._added: list[int] = []

    def code(self, name: str) -> int | None:
        """The code of `name`, None when the log has never seen it.

        After an erasure by another connection, the old code is given until this one's next transaction or
        `PostgresLog.refresh`; nothing is stored under it any more.
        """
        code = self._codes.get(name)
        return self.find(name) if code is None else code

    def name(self, code: int) -> str:
        """The name behind `code`. Raises LookupError when no name has this code, or when it was erased."""
        name = self._names.get(code)
        if name is None:
            rows = self._session.run(f"SELECT name FROM {self._table} WHERE code = %b::int8", (code,))
            if not rows or rows[0][0] is None:
                raise LookupError(f"no name in {self._table} has the code {code}")
            name = str(rows[0][0])
            self.learn([(name, code)])
        return name

    def names(self) -> list[str]:
        """Every name, at the index of its code; an empty string where a name was erased."""
        return [row[0] or "" for row in self._session.run(f"SELECT name FROM {self._table} ORDER BY code")]

    def find(self, name: str) -> int | None:
        """The code of `name` as the table has it now, whatever is kept in memory."""
        rows = self._session.run(f"SELECT code FROM {self._table} WHERE name = %b::text", (name,))
        if not rows:
            return None
        self.learn([(name, rows[0][0])])
        return int(rows[0][0])

    def erase(self, codes: Sequence[int]) -> None:
        """Remove the names behind `codes`, which stay unused for ever. To be called inside a transaction."""
        self._session.run(f"UPDATE {self._table} SET name = NULL WHERE code = ANY(%b::int4[])", (list(codes),))
        self.forget()

    def take_back(self) -> None:
        """Remove the names that the last `intern` added, since no event was new. Inside the same transaction."""
        if self._added:
            self._session.later(f"DELETE FROM {self._table} WHERE code = ANY(%b::int4[])", (self._added,))
            for code in self._added:
                self._codes.pop(self._names.pop(code, ""), None)
            self._added = []

    def forget(self) -> None:
        """Drop what is kept in memory."""
        self._codes.clear()
        self._names.clear()

    def learn(self, pairs: Sequence[Row]) -> None:
        """Keep names and codes in memory."""
        if len(self._codes) + len(pairs) > CACHED:
            self.forget()
        self._codes.update(pairs)
        self._names.update((code, name) for name, code in pairs)


def intern(session: Session, wanted: Sequence[tuple[PostgresVocabulary, Sequence[str | None]]]) -> list[list[int]]:
    """The codes of names in several vocabularies, `NO_CODE` for None, in one round trip; in none if all are in memory.

    Unknown names get the next codes, in the order given. To be called inside a transaction.
    """
    known = [
        {name: vocabulary._codes[name] for name in names if name in vocabulary._codes} for vocabulary, names in wanted
    ]
    asked = []
    for (vocabulary, names), codes in zip(wanted, known, strict=True):
        vocabulary._added = []
        missing = [name for name in dict.fromkeys(names) if name is not None and name not in codes]
        if missing:
            asked.append((vocabulary, codes, missing))
    if asked:
        answers = session.run_many([(vocabulary._intern, (texts(missing),)) for vocabulary, _, missing in asked])
        for (vocabulary, codes, _), rows in zip(asked, answers, strict=True):
            pairs = [(name, code) for name, code, _ in rows]
            codes.update(pairs)
            vocabulary.learn(pairs)
            vocabulary._added = [code for _, code, added in rows if added]
    return [
        [NO_CODE if name is None else codes[name] for name in names]
        for (_, names), codes in zip(wanted, known, strict=True)
    ]
