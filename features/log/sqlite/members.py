"""Profiles in a SQLite log: the table of the merges, and which ids are members of which profile now."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.events import Event, Kind
from features.identity.rules import identifies
from features.log.contract import MERGE, Records
from features.log.membership import NO_MERGES, Join, Membership, declared, mentions, merges, unmentioned
from features.log.sqlite.schema import ABOUT_PEOPLE
from features.log.sqlite.vocabulary import SqliteVocabulary

_ASKED_AT_ONCE = 500

_OWN = "SELECT coalesce(profile, code) FROM customers LEFT JOIN members ON member = code WHERE name = ?"


class SqliteMembers:
    """The members of each profile, in the tables `merges`, `members` and `users`. Writes belong in a transaction."""

    def __init__(self, connection: sqlite3.Connection, customers: SqliteVocabulary) -> None:
        self._connection = connection
        self._customers = customers

    def codes(self, customer: str) -> list[int]:
        """All codes of a customer's profile, the profile's own first; none when the log does not know the customer."""
        row = self._connection.execute(_OWN, (customer,)).fetchone()
        if row is None:
            return []
        members = self._connection.execute("SELECT member FROM members WHERE profile = ? ORDER BY member", row)
        return [row[0], *(member for (member,) in members)]

    def merges(self) -> NDArray[np.void]:
        """Every merge and its undoing, in log order."""
        cursor = self._connection.execute(
            'SELECT received, "offset", member, profile, undone FROM merges ORDER BY received, "offset"'
        )
        return np.array(cursor.fetchall(), MERGE)

    def join(self, events: Sequence[Event], records: Records, offset: int) -> NDArray[np.void]:
        """Apply what accepted events of kind IDENTIFY, and their records, say of ids.

        Returns the merges, with the offsets that follow `offset`.
        """
        codes = records["customer"].tolist()
        users = [code for code, event in zip(codes, events, strict=True) if identifies(event)]
        joins = self._joins(events, codes)
        membership = self._membership(joins) if joins else Membership()
        applied = membership.apply(events, records, joins)
        merged = merges(applied, offset, undone=False)
        self._connection.executemany("INSERT OR IGNORE INTO users VALUES (?)", ((code,) for code in users))
        self._connection.executemany("INSERT OR IGNORE INTO users VALUES (?)", ((row[2],) for row in applied))
        self._connection.executemany("INSERT INTO members VALUES (?, ?)", (row[1:] for row in applied))
        self._write(merged)
        return merged

    def unmerge(self, customer: str, received: int, offset: int) -> NDArray[np.void]:
        """Take a member, or all members of a profile, out of it. Returns the entries, with offsets after `offset`."""
        codes = self.codes(customer)
        if len(codes) < 2:
            return NO_MERGES
        profile, *members = codes
        own = self._customers.find(customer)
        out = members if own == profile else [own]
        undone = merges([(received, member, profile) for member in out if member is not None], offset, undone=True)
        self._connection.executemany("DELETE FROM members WHERE member = ?", ((member,) for member in out))
        self._write(undone)
        return undone

    def erase(self, codes: Sequence[int]) -> int:
        """Remove what is known of these customers' ids. Returns how many merges and undoings of them there were."""
        marks = ",".join("?" * len(codes))
        either = f"WHERE member IN ({marks}) OR profile IN ({marks})"
        removed = self._connection.execute(f"DELETE FROM merges {either}", [*codes, *codes]).rowcount
        self._connection.execute(f"DELETE FROM members {either}", [*codes, *codes])
        self._connection.execute(f"DELETE FROM users WHERE customer IN ({marks})", codes)
        return removed

    def unname(self, names: Sequence[str], *, everywhere: bool = False) -> None:
        """Remove erased names from the events by which other customers joined them; `everywhere` reads all events."""
        among = "" if everywhere else f"{ABOUT_PEOPLE} AND kind = {int(Kind.IDENTIFY)} AND"
        for mention in (mention for name in names for mention in mentions(name)):
            mentioning = self._connection.execute(
                f'SELECT properties, "offset" FROM events WHERE {among} instr(properties, ?)', (mention,)
            ).fetchall()
            self._connection.executemany(
                'UPDATE events SET properties = ? WHERE "offset" = ?',
                ((unmentioned(properties, names), offset) for properties, offset in mentioning),
            )

    def _joins(self, events: Sequence[Event], codes: Sequence[int]) -> list[Join]:
        others = declared(events)
        members = self._customers.intern(list(others.values()))
        return [Join(place, codes[place], member) for place, member in zip(others, members, strict=True)]

    def _membership(self, joins: Sequence[Join]) -> Membership:
        """What the log knows of the ids of `joins`."""
        asked = sorted({code for join in joins for code in (join.customer, join.member)})
        membership = Membership(profiles=dict(self._rows("SELECT member, profile FROM members WHERE member IN", asked)))
        membership.users = {row[0] for row in self._rows("SELECT customer FROM users WHERE customer IN", asked)}
        membership.apart = set(self._rows("SELECT member, profile FROM merges WHERE undone AND member IN", asked))
        profiles = sorted({membership.profiles.get(join.customer, join.customer) for join in joins})
        for (profile,) in self._rows("SELECT profile FROM members WHERE profile IN", profiles):
            membership.sizes[profile] = membership.sizes.get(profile, 0) + 1
        return membership

    def _rows(self, query: str, asked: Sequence[int]) -> Iterator[Any]:
        for start in range(0, len(asked), _ASKED_AT_ONCE):
            part = asked[start : start + _ASKED_AT_ONCE]
            yield from self._connection.execute(f"{query} ({','.join('?' * len(part))})", part)

    def _write(self, records: NDArray[np.void]) -> None:
        self._connection.executemany(
            'INSERT INTO merges (received, "offset", member, profile, undone) VALUES (?, ?, ?, ?, ?)', records.tolist()
        )
