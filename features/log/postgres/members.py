"""Profiles in a PostgreSQL log: the table of the merges, and which ids are members of which profile now."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from features.events import Event, Kind
from features.identity.rules import identifies
from features.log.contract import MERGE, Records
from features.log.membership import NO_MERGES, Join, Membership, declared, mentions, merges, unmentioned
from features.log.postgres.session import Session
from features.log.postgres.vocabulary import PostgresVocabulary, intern

OWN = "SELECT coalesce(profile, code) AS code FROM customers LEFT JOIN members ON member = code WHERE name = %b::text"
"""The code of the profile of the customer of a name: one row, none for an unknown name."""

CODES = f"WITH own AS ({OWN}) SELECT code FROM own UNION ALL SELECT member FROM members JOIN own ON profile = own.code"
"""All codes of the profile of the customer of a name."""

_ORDERED = f"""
WITH codes AS ({CODES})
SELECT codes.code, name FROM codes JOIN customers USING (code) LEFT JOIN members ON member = codes.code
ORDER BY member NULLS FIRST
"""

_KNOWN = (
    "SELECT member, profile FROM members WHERE member = ANY(%b::int4[])",
    "SELECT customer FROM users WHERE customer = ANY(%b::int4[])",
    "SELECT member, profile FROM merges WHERE undone AND member = ANY(%b::int4[])",
    """
    SELECT profile, count(*) FROM members WHERE profile IN (
        SELECT coalesce(profile, code) FROM unnest(%b::int4[]) AS asked (code) LEFT JOIN members ON member = code
    ) GROUP BY profile
    """,
)

_WRITE = """
INSERT INTO merges ("offset", received, member, profile, undone)
SELECT * FROM unnest(%b::int8[], %b::int8[], %b::int4[], %b::int4[], %b::bool[])
"""

_MENTIONING = """
SELECT received, "offset", properties FROM events
WHERE EXISTS (SELECT FROM unnest(%b::text[]) AS said (part) WHERE position(part IN properties) > 0)
"""

_AT = '(received, "offset") IN (SELECT * FROM unnest(%b::int8[], %b::int8[]))'

_UPDATE = """
UPDATE events SET properties = changed.properties
FROM unnest(%b::int8[], %b::int8[], %b::text[]) AS changed (received, "offset", properties)
WHERE (events.received, events."offset") = (changed.received, changed."offset")
"""

Place: TypeAlias = tuple[int, int]
"""Where an event lies: its `received` and its offset, which are the key of the table."""


class PostgresMembers:
    """The members of each profile, in the tables `merges`, `members` and `users`. Writes belong in a transaction."""

    def __init__(self, session: Session, customers: PostgresVocabulary) -> None:
        self._session = session
        self._customers = customers

    def profile(self, customer: str) -> list[tuple[int, str]]:
        """Codes and names of a customer's profile, the profile's own first; none of an unknown customer."""
        return [(code, name) for code, name in self._session.run(_ORDERED, (customer,))]

    def merges(self) -> NDArray[np.void]:
        """Every merge and its undoing, in log order."""
        rows = self._session.run(
            'SELECT received, "offset", member, profile, undone FROM merges ORDER BY received, "offset"'
        )
        records = np.zeros(len(rows), MERGE)
        records[:] = rows
        return records

    def join(self, events: Sequence[Event], records: Records, offset: int) -> NDArray[np.void]:
        """Apply what accepted events, and their records, say of ids. Those of kind IDENTIFY do.

        Returns the merges, with the offsets that follow `offset`.
        """
        places = np.flatnonzero(records["kind"] == Kind.IDENTIFY)
        if not len(places):
            return NO_MERGES
        events, records = [events[place] for place in places.tolist()], records[places]
        codes = records["customer"].tolist()
        others = declared(events)
        (members,) = intern(self._session, [(self._customers, list(others.values()))])
        joins = [Join(place, codes[place], member) for place, member in zip(others, members, strict=True)]
        membership = self._membership(joins) if joins else Membership()
        applied = membership.apply(events, records, joins)
        merged = merges(applied, offset, undone=False)
        users = {code for code, event in zip(codes, events, strict=True) if identifies(event)}
        users.update(profile for _, _, profile in applied)
        self._session.later("INSERT INTO users SELECT unnest(%b::int4[]) ON CONFLICT DO NOTHING", (sorted(users),))
        self._session.later(
            "INSERT INTO members SELECT * FROM unnest(%b::int4[], %b::int4[])",
            ([row[1] for row in applied], [row[2] for row in applied]),
        )
        self._session.later(_WRITE, _columns(merged))
        return merged

    def unmerge(self, customer: str, received: int, offset: int) -> tuple[list[str], NDArray[np.void]]:
        """Take a member, or all members of a profile, out of it.

        Returns their names, and the entries in the log, with the offsets that follow `offset`.
        """
        profile = self.profile(customer)
        if len(profile) < 2:
            return [], NO_MERGES
        (own, name), *members = profile
        out = members if customer == name else [pair for pair in members if pair[1] == customer]
        undone = merges([(received, member, own) for member, _ in out], offset, undone=True)
        self._session.later("DELETE FROM members WHERE member = ANY(%b::int4[])", ([member for member, _ in out],))
        self._session.later(_WRITE, _columns(undone))
        return [name for _, name in out], undone

    def erase(self, codes: Sequence[int]) -> int:
        """Remove what is known of these customers' ids. Returns how many merges and undoings of them there were."""
        asked = list(codes)
        either = "WHERE member = ANY(%b::int4[]) OR profile = ANY(%b::int4[])"
        removed, *_ = self._session.run_many(
            [
                (f"DELETE FROM merges {either} RETURNING 1", (asked, asked)),
                (f"DELETE FROM members {either}", (asked, asked)),
                ("DELETE FROM users WHERE customer = ANY(%b::int4[])", (asked,)),
            ]
        )
        return len(removed)

    def mentioned(self, names: Sequence[str]) -> list[Place]:
        """The places of events of any kind that mention a name as another id of their customer. Reads all events."""
        return [(received, offset) for received, offset, _ in self._session.run(_MENTIONING, (_mentions(names),))]

    def unname(self, names: Sequence[str], places: Sequence[Place] | None = None) -> bool:
        """Remove erased names from the events by which other customers joined them, or from the events at `places`.

        Returns whether any event changed.
        """
        if places is None:
            mentioning = self._session.run(
                f"{_MENTIONING} AND kind = 90 AND kind BETWEEN 90 AND 93", (_mentions(names),)
            )
        else:
            mentioning = self._session.run(f"{_MENTIONING} AND {_AT}", (_mentions(names), *_transposed(places, 2)))
        kept = [(*place, unmentioned(properties, names)) for *place, properties in mentioning]
        changed = [row for row, (*_, before) in zip(kept, mentioning, strict=True) if row[-1] != before]
        if changed:
            self._session.run(_UPDATE, _transposed(changed, 3))
        return bool(changed)

    def _membership(self, joins: Sequence[Join]) -> Membership:
        """What the log knows of the ids of `joins`."""
        asked = sorted({code for join in joins for code in (join.customer, join.member)})
        profiles, users, apart, sizes = self._session.run_many([(statement, (asked,)) for statement in _KNOWN])
        return Membership(
            profiles={member: profile for member, profile in profiles},
            sizes={profile: size for profile, size in sizes},
            users={user for (user,) in users},
            apart={(member, profile) for member, profile in apart},
        )


def _columns(records: NDArray[np.void]) -> list[list[object]]:
    return [records[name].tolist() for name in ("offset", "received", "member", "profile")] + [
        records["undone"].astype(bool).tolist()
    ]


def _mentions(names: Sequence[str]) -> list[str]:
    return [mention for name in names for mention in mentions(name)]


def _transposed(rows: Iterable[Sequence[object]], columns: int) -> list[list[object]]:
    return [list(column) for column in zip(*rows, strict=True)] or [[]] * columns
