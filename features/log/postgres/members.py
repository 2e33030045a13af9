"""Profiles in a PostgreSQL log: the table of the merges, and who is a member of which profile just now."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import NDArray

from features.events import Event
from features.identity import identifies
from features.log.contract import MERGE, Records
from features.log.membership import JOINS, NO_MERGES, Membership, declared, merges
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


class PostgresMembers:
    """Who is whose member, in the tables `merges`, `members` and `users`. Writes belong in a transaction."""

    def __init__(self, session: Session, customers: PostgresVocabulary) -> None:
        self._session = session
        self._customers = customers

    def profile(self, customer: str) -> list[tuple[int, str]]:
        """Codes and names of a customer's profile, the profile's own first; none of an unknown customer."""
        return [(code, name) for code, name in self._session.run(_ORDERED, (customer,))]

    def merges(self) -> NDArray[np.void]:
        """Every merge and its undoing, in log order."""
        found = self._session.run(
            'SELECT received, "offset", member, profile, undone FROM merges ORDER BY received, "offset"'
        )
        records = np.zeros(len(found), MERGE)
        records[:] = found
        return records

    def join(self, events: Sequence[Event], records: Records, offset: int) -> NDArray[np.void]:
        """Do what accepted events of kind IDENTIFY, and their records, say of ids. The merges, behind `offset`."""
        codes = records["customer"].tolist()
        others = [declared(event) for event in events]
        (members,) = intern(self._session, [(self._customers, others)])
        joining = [(code, member) for code, member in zip(codes, members, strict=True) if member >= 0]
        membership = self._membership({code for pair in joining for code in pair}) if joining else Membership()
        received = records["received"].tolist()
        found, users = [], set()
        for event, code, member, moment in zip(events, codes, members, received, strict=True):
            if identifies(event):
                membership.users.add(code)
                users.add(code)
            profile = membership.join(code, member) if member >= 0 else None
            if profile is not None:
                found.append((moment, member, profile))
                users.add(profile)
        merged = merges(found, offset, undone=False)
        self._session.later("INSERT INTO users SELECT unnest(%b::int4[]) ON CONFLICT DO NOTHING", (sorted(users),))
        self._session.later(
            "INSERT INTO members SELECT * FROM unnest(%b::int4[], %b::int4[])",
            ([row[1] for row in found], [row[2] for row in found]),
        )
        self._session.later(_WRITE, _columns(merged))
        return merged

    def unmerge(self, customer: str, received: int, offset: int) -> tuple[list[str], NDArray[np.void]]:
        """Take a member, or all members of a profile, out of it: their names, and the entries behind `offset`."""
        profile = self.profile(customer)
        if len(profile) < 2:
            return [], NO_MERGES
        (own, name), *members = profile
        out = members if customer == name else [each for each in members if each[1] == customer]
        undone = merges([(received, member, own) for member, _ in out], offset, undone=True)
        self._session.later("DELETE FROM members WHERE member = ANY(%b::int4[])", ([member for member, _ in out],))
        self._session.later(_WRITE, _columns(undone))
        return [name for _, name in out], undone

    def erase(self, codes: Sequence[int]) -> int:
        """Remove what is known of these customers' ids. How many merges and undoings the log had of them."""
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

    def unname(self, names: Iterable[str]) -> bool:
        """Take erased names out of the events in which they joined, or were to join, another. Whether any did."""
        gone = set(names)
        changed: list[tuple[int, int, str | None]] = []
        found = self._session.run(
            'SELECT received, "offset", properties FROM events WHERE kind = 90 AND kind BETWEEN 90 AND 93 AND EXISTS '
            "(SELECT FROM unnest(%b::text[]) AS said (part) WHERE position(part IN properties) > 0)",
            ([f'"{key}":{json.dumps(name)}' for key in JOINS for name in gone],),
        )
        for received, offset, properties in found:
            said = json.loads(properties)
            kept = {key: value for key, value in said.items() if not (key in JOINS and value in gone)}
            if len(kept) < len(said):
                changed.append((received, offset, json.dumps(kept, separators=(",", ":")) if kept else None))
        if changed:
            self._session.run(
                "UPDATE events SET properties = changed.properties FROM unnest(%b::int8[], %b::int8[], %b::text[]) "
                'AS changed (received, "offset", properties) '
                'WHERE (events.received, events."offset") = (changed.received, changed."offset")',
                tuple(map(list, zip(*changed, strict=True))),
            )
        return bool(changed)

    def _membership(self, codes: Iterable[int]) -> Membership:
        """What the log knows of some ids."""
        asked = sorted(codes)
        profiles, users, apart, sizes = self._session.run_many([(statement, (asked,)) for statement in _KNOWN])
        return Membership(
            profiles={member: profile for member, profile in profiles},
            sizes={profile: size for profile, size in sizes},
            users={user for (user,) in users},
            apart={(member, profile) for member, profile in apart},
        )


def _columns(found: NDArray[np.void]) -> list[list[object]]:
    return [found[name].tolist() for name in ("offset", "received", "member", "profile")] + [
        found["undone"].astype(bool).tolist()
    ]
