"""Which id joins which profile: the rules of `features.identity.rules`, in codes, the same for every store."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.events import EVENT, Event
from features.identity.rules import identifies, joined, names_nobody
from features.log.contract import MERGE, MOST_JOINED, Appended, Records
from features.log.rows import quoted

NO_MERGES = np.empty(0, MERGE)

NOTHING = Appended([], np.empty(0, EVENT), 0, 0, NO_MERGES)
"""The result of an append that adds nothing."""

JOINS = ("previous_id", "anonymous_id")
"""The properties of an event that may hold another id of its customer; in an `IDENTIFY` they join it to the profile."""


class Join(NamedTuple):
    """An event's declaration that `member` belongs to its customer's profile: its place in the batch, and the codes."""

    place: int
    customer: int
    member: int


@dataclass(slots=True)
class Membership:
    """What a log knows of some customers' ids, all by their codes."""

    profiles: dict[int, int] = field(default_factory=dict)
    """The profile of each member."""
    sizes: dict[int, int] = field(default_factory=dict)
    """How many members each profile has."""
    users: set[int] = field(default_factory=set)
    """Ids that an event identified, and ids that another id ever joined."""
    apart: set[tuple[int, int]] = field(default_factory=set)
    """Members and the profiles they were taken out of."""

    def join(self, customer: int, member: int) -> int | None:
        """Merge `member` into the profile of `customer`, which is returned; None when a rule forbids it."""
        profile = self.profiles.get(customer, customer)
        if (
            member in self.users
            or member in self.profiles
            or (member, profile) in self.apart
            or self.sizes.get(profile, 0) >= MOST_JOINED
        ):
            return None
        self.profiles[member] = profile
        self.sizes[profile] = self.sizes.get(profile, 0) + 1
        self.users.add(profile)
        return profile

    def apply(self, events: Sequence[Event], records: Records, joins: Iterable[Join]) -> list[tuple[int, int, int]]:
        """Apply what accepted events of kind IDENTIFY, in their order, say of ids.

        `records` are those of the events, and `joins` what they declare. Returns (received, member, profile) of each
        merge.
        """
        joining = {join.place: join for join in joins}
        applied = []
        for place, (event, record) in enumerate(zip(events, records, strict=True)):
            if identifies(event):
                self.users.add(int(record["customer"]))
            join = joining.get(place)
            profile = self.join(join.customer, join.member) if join else None
            if join and profile is not None:
                applied.append((int(record["received"]), join.member, profile))
        return applied


def declared(events: Sequence[Event]) -> dict[int, str]:
    """The other ids that events of kind IDENTIFY join to their customers' profiles, by their places."""
    others = {place: joined(event) for place, event in enumerate(events) if not names_nobody(event.customer)}
    return {place: other for place, other in others.items() if other is not None}


def merges(applied: Iterable[tuple[int, int, int]], offset: int, *, undone: bool) -> NDArray[np.void]:
    """`MERGE` records of (received, member, profile), with the offsets that follow `offset`."""
    rows = [(received, at, *pair, undone) for at, (received, *pair) in enumerate(applied, offset + 1)]
    return np.array(rows, MERGE) if rows else NO_MERGES


def unnamed(event: Event, names: Mapping[str, int]) -> Event:
    """The event without the other ids of its customer that were erased after it was received."""
    gone = [key for key in JOINS if event.properties and event.received < names.get(str(event.properties.get(key)), 0)]
    if not gone:
        return event
    return replace(event, properties={key: value for key, value in event.properties.items() if key not in gone})


def named(events: Sequence[Event]) -> list[str]:
    """Every id that events name, each once."""
    names = dict.fromkeys(event.customer for event in events)
    for event in events:
        if event.properties:
            names.update((value, None) for key in JOINS if isinstance(value := event.properties.get(key), str))
    return list(names)


def mentions(name: str) -> list[str]:
    """The texts by which the stored properties of an event name another id of its customer, one for each of `JOINS`."""
    return [f'"{key}":{quoted(name)}' for key in JOINS]


def unmentioned(properties: str | None, names: Collection[str]) -> str | None:
    """The stored properties of an event without the other ids of its customer that are among `names`."""
    if not properties or not any(f'"{key}":' in properties for key in JOINS):
        return properties
    stored = json.loads(properties)
    kept = {key: value for key, value in stored.items() if key not in JOINS or value not in names}
    return properties if len(kept) == len(stored) else quoted(kept) if kept else None
