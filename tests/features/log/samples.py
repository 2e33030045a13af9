"""Events for tests of logs, and the same events as a plain list keeps them: the oracle."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from features.events import EVENT, MINUTE, Channel, Event, Kind, days
from features.identity.rules import identifies, joined, names_nobody
from features.log.contract import MOST_JOINED, EventBatch, EventStore, Records

START = 1_700_000_000_000_000
"""A moment in November 2023, microseconds UTC."""


def event(number: int, customer: str = "ann", **changes: Any) -> Event:
    """An event that differs from every other number's; received `number` minutes after `START`, as it happened."""
    moment = START + number * MINUTE
    plain = Event(f"message-{number}", customer, Kind.ITEM_VIEW, at=moment, received=moment, channel=Channel.WEB)
    return replace(plain, **changes)


def identify(number: int, customer: str, other: str | None = None, key: str = "anonymous_id", **said: Any) -> Event:
    """An event that says who a customer is, and that `other` is the same one."""
    properties = said if other is None else {key: other, **said}
    return event(number, customer, kind=Kind.IDENTIFY, properties=properties)


def shop(number: int, customers: int = 20, seed: int = 0) -> list[Event]:
    """Events of a small shop, in order of time, with all columns in use."""
    draw = np.random.default_rng(seed)
    kinds = draw.choice([Kind.ITEM_VIEW, Kind.CART_ADD, Kind.PURCHASED_ITEM], number)
    moments = START + np.sort(draw.integers(0, days(90), number))
    return [
        Event(
            message_id=f"{seed}-{draw.bytes(6).hex()}-{position}",
            customer=f"customer-{draw.integers(customers)}",
            kind=Kind(int(kind)),
            at=int(moment),
            received=int(moment),
            channel=Channel.APP,
            item=f"item-{draw.integers(50)}",
            category=f"category-{draw.integers(5)}" if position % 3 else None,
            quantity=float(draw.integers(1, 4)),
            amount=round(float(draw.uniform(1, 100)), 2) if position % 4 else float("nan"),
            order_id=f"order-{position // 3}" if position % 2 else None,
            properties={"page": position} if position % 5 == 0 else {},
        )
        for position, (kind, moment) in enumerate(zip(kinds, moments, strict=True))
    ]


@dataclass
class Ledger:
    """What a log promises, in the plainest way: a list of the accepted events, sorted when it is read."""

    events: list[tuple[int, Event]] = field(default_factory=list)
    """Offset and event, in order of appending."""
    offset: int = 0
    received: int = 0
    profiles: dict[str, str] = field(default_factory=dict)
    """The profile of each member."""
    apart: set[tuple[str, str]] = field(default_factory=set)
    """Members and the profiles they were taken out of."""
    users: set[str] = field(default_factory=set)
    erased: dict[str, int] = field(default_factory=dict)
    """When each name was erased."""

    def append(self, events: Sequence[Event], history: bool) -> list[bool]:
        """Which of `events` are new."""
        accepted = []
        known = {kept.message_id for _, kept in self.events}
        base, newest, place = self.offset, self.received, 0
        merging: list[Event] = []
        for each in events:
            if each.received < self.erased.get(each.customer, 0):
                accepted.append(False)
                continue
            place += 1
            accepted.append(each.message_id not in known)
            if accepted[-1]:
                newest = each.received if history else max(each.received, newest)
                known.add(each.message_id)
                self.offset = base + place
                self.received = max(self.received, newest)
                gone = {name for name, moment in self.erased.items() if each.received < moment}
                kept = unnamed(replace(each, received=newest, at=min(each.at, newest), amount=each.amount + 0.0), gone)
                self.events.append((self.offset, replace(kept, quantity=kept.quantity + 0.0, score=kept.score + 0.0)))
                merging.append(kept)
        for each in merging:
            self._join(each)
        return accepted

    def _join(self, event: Event) -> None:
        if identifies(event):
            self.users.add(event.customer)
        member, profile = joined(event), self.profiles.get(event.customer, event.customer)
        if member is None or names_nobody(event.customer):
            return
        full = list(self.profiles.values()).count(profile) >= MOST_JOINED
        if {member} & (self.users | {profile} | set(self.profiles)) or (member, profile) in self.apart or full:
            return
        self.profiles[member] = profile
        self.users.add(profile)
        self.offset += 1

    def profile(self, customer: str) -> set[str]:
        """All ids of a customer's profile."""
        own = self.profiles.get(customer, customer)
        return {own, *(member for member, profile in self.profiles.items() if profile == own)}

    def unmerge(self, customer: str, received: int) -> set[str]:
        """Take a member, or all members of a profile, out of it."""
        out = self.profile(customer) - {customer}
        out = {customer} if customer in self.profiles else out
        for member in out:
            self.apart.add((member, self.profiles.pop(member)))
        self.offset += len(out)
        self.received = max(self.received, received) if out else self.received
        return out

    def erase(self, customer: str, now: int) -> set[str]:
        """Drop a customer's profile: its names."""
        names = self.profile(customer)
        self.events = [(offset, unnamed(kept, names)) for offset, kept in self.events if kept.customer not in names]
        self.profiles = {member: profile for member, profile in self.profiles.items() if member not in names}
        self.apart = {pair for pair in self.apart if not names & set(pair)}
        self.users -= names
        self.erased |= {name: max(now, self.erased.get(name, now)) for name in names}
        return names

    def history(self, customer: str) -> list[Event]:
        """The events of a customer's profile in log order."""
        names = self.profile(customer)
        return [kept for kept in self.in_log_order() if kept.customer in names]

    def in_log_order(self) -> list[Event]:
        """The events by `(received, offset)`."""
        return [kept for _, kept in sorted(self.events, key=lambda row: (row[1].received, row[0]))]


def unnamed(event: Event, names: set[str]) -> Event:
    """An event that joins no id of `names`."""
    if event.kind is not Kind.IDENTIFY:
        return event
    joins = ("previous_id", "anonymous_id")
    return replace(
        event, properties={key: said for key, said in event.properties.items() if key not in joins or said not in names}
    )


def gathered(chunks: Iterable[Records]) -> Records:
    """All records of a scan in one array."""
    parts = list(chunks)
    return np.concatenate(parts) if parts else np.empty(0, EVENT)


def spelled(log: EventStore, records: Records) -> list[tuple[object, ...]]:
    """Records as tuples that compare with those of `spelled_events`."""
    customers, items, categories = log.customers.names(), log.items.names(), log.categories.names()
    return [
        (
            customers[row["customer"]],
            int(row["kind"]),
            int(row["at"]),
            int(row["received"]),
            int(row["channel"]),
            items[row["item"]] if row["item"] >= 0 else None,
            categories[row["category"]] if row["category"] >= 0 else None,
            repr(float(row["quantity"])),
            repr(float(row["amount"])),
            repr(float(row["score"])),
        )
        for row in records
    ]


def spelled_batches(log: EventStore, batches: Iterable[EventBatch]) -> list[tuple[object, ...]]:
    """The events of a scan with properties as tuples that compare with those of `spelled_with_texts`."""
    return [
        (*numbers, message_id, order_id, json.loads(said) if said else {})
        for batch in batches
        for numbers, message_id, order_id, said in zip(
            spelled(log, batch.records), batch.message_ids, batch.order_ids, batch.properties, strict=True
        )
    ]


def spelled_with_texts(events: Sequence[Event]) -> list[tuple[object, ...]]:
    """Events as tuples that compare with those of `spelled_batches`."""
    return [
        (*numbers, each.message_id, each.order_id, each.properties)
        for numbers, each in zip(spelled_events(events), events, strict=True)
    ]


def spelled_events(events: Iterable[Event]) -> list[tuple[object, ...]]:
    """Events as tuples that compare with those of `spelled`."""
    return [
        (
            each.customer,
            int(each.kind),
            each.at,
            each.received,
            int(each.channel),
            each.item,
            each.category,
            repr(float(np.float32(each.quantity))),
            repr(each.amount),
            repr(float(np.float32(each.score))),
        )
        for each in events
    ]
