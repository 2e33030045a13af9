"""Events for tests of logs, and the same events as a plain list keeps them: the oracle."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from features.events import EVENT, MINUTE, Channel, Event, Kind, days
from features.log.contract import EventLog, Records

START = 1_700_000_000_000_000
"""A moment in November 2023, microseconds UTC."""


def event(number: int, customer: str = "ann", **changes: Any) -> Event:
    """An event that differs from every other number's; received `number` minutes after `START`, as it happened."""
    moment = START + number * MINUTE
    plain = Event(f"message-{number}", customer, Kind.ITEM_VIEW, at=moment, received=moment, channel=Channel.WEB)
    return replace(plain, **changes)


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

    def append(self, events: Sequence[Event], history: bool) -> list[bool]:
        """Which of `events` are new."""
        accepted = []
        known = {kept.message_id for _, kept in self.events}
        base, newest = self.offset, self.received
        for place, each in enumerate(events):
            newest = each.received if history else max(each.received, newest)
            accepted.append(each.message_id not in known)
            if accepted[-1]:
                known.add(each.message_id)
                self.offset = base + place + 1
                self.received = max(self.received, newest)
                kept = replace(each, received=newest, at=min(each.at, newest), amount=each.amount + 0.0)
                self.events.append((self.offset, replace(kept, quantity=kept.quantity + 0.0, score=kept.score + 0.0)))
        return accepted

    def erase(self, customer: str) -> None:
        """Drop the events of a customer."""
        self.events = [(offset, kept) for offset, kept in self.events if kept.customer != customer]

    def in_log_order(self) -> list[Event]:
        """The events by `(received, offset)`."""
        return [kept for _, kept in sorted(self.events, key=lambda row: (row[1].received, row[0]))]


def gathered(chunks: Iterable[Records]) -> Records:
    """All records of a scan in one array."""
    parts = list(chunks)
    return np.concatenate(parts) if parts else np.empty(0, EVENT)


def spelled(log: EventLog, records: Records) -> list[tuple[object, ...]]:
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
