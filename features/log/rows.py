"""What every store does in the same way: clamp times, build records, write and read rows, search for names."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from json.encoder import JSONEncoder, c_make_encoder, encode_basestring_ascii  # type: ignore[attr-defined]
from math import nan
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.events import EVENT, NO_CODE, Channel, Event, Kind
from features.log.contract import DeadLetter, EventBatch, Records

COLUMNS = (
    "offset",
    "message_id",
    "customer",
    "kind",
    "at",
    "received",
    "channel",
    "item",
    "category",
    "quantity",
    "amount",
    "order_id",
    "score",
    "properties",
)
"""The columns that every store keeps, in this order."""

LATEST = 2**63 - 1
"""A time that no event is later than, microseconds."""

# `json.dumps` makes this encoder anew for every text, which takes longer than to write the few properties of an event.
_chunks = c_make_encoder(None, JSONEncoder().default, encode_basestring_ascii, None, ":", ",", False, False, True)


class Times(NamedTuple):
    """When the events of a batch happened and were received, as the log writes it."""

    at: list[int]
    received: list[int]


def clamped(events: Sequence[Event], newest: int, *, history: bool) -> Times:
    """The times of a batch: `received` never falls (except in history), and `at` is never after `received`.

    `newest` is the newest `received` in the log.
    """
    received: list[int] = []
    for event in events:
        newest = event.received if history or event.received > newest else newest
        received.append(newest)
    return Times([min(event.at, latest) for event, latest in zip(events, received, strict=True)], received)


def without_repeats(
    events: Sequence[Event], times: Times, accepted: Sequence[bool], newest: int, *, history: bool
) -> Times | None:
    """The times of the accepted events of a batch where its repeated events had moved them, else None.

    What the log has already says nothing of when a later event was received: a batch with a repeated event is
    the same as the batch without it.
    """
    if history:
        return None
    moved = clamped([event for event, new in zip(events, accepted, strict=True) if new], newest, history=False)
    return None if moved.received == [at for at, new in zip(times.received, accepted, strict=True) if new] else moved


def among(accepted: Iterable[bool], present: Sequence[bool]) -> list[bool]:
    """What became of the events of a batch, given which of them were tried and what became of these."""
    tried = iter(accepted)
    return [was_tried and next(tried) for was_tried in present]


def plain(value: float) -> float:
    """A number as every store gives it back: one zero and one NaN, so that what is folded live and what is replayed
    later are the same bytes."""
    return value + 0.0 if value == value else nan  # noqa: PLR0124  (NaN alone differs from itself)


def records(
    events: Sequence[Event], times: Times, customers: Sequence[int], items: Sequence[int], categories: Sequence[int]
) -> Records:
    """The events as the fold reads them."""
    rows = [
        (
            at,
            received,
            plain(event.amount),
            customer,
            item,
            category,
            plain(event.quantity),
            plain(event.score),
            event.kind,
            event.channel,
            0,
        )
        for event, at, received, customer, item, category in zip(
            events, times.at, times.received, customers, items, categories, strict=True
        )
    ]
    return np.array(rows, EVENT)


def stored(
    offsets: Sequence[int],
    events: Sequence[Event],
    times: Times,
    customers: Sequence[int],
    items: Sequence[int],
    categories: Sequence[int],
) -> Iterator[tuple[object, ...]]:
    """The events as a store keeps them: one tuple of `COLUMNS` each. Absent numbers are NaN here, the rest None."""
    for offset, event, at, received, customer, item, category in zip(
        offsets, events, times.at, times.received, customers, items, categories, strict=True
    ):
        yield (
            offset,
            event.message_id,
            customer,
            int(event.kind),
            at,
            received,
            int(event.channel),
            None if item == NO_CODE else item,
            None if category == NO_CODE else category,
            plain(event.quantity),
            plain(event.amount),
            event.order_id,
            plain(event.score),
            quoted(event.properties) if event.properties else None,
        )


def event(customer: str, *row: Any) -> Event:
    """The event of a stored row: the columns of `COLUMNS` after the customer, with names in the place of codes."""
    message_id, kind, at, received, channel, item, category, quantity, amount, order_id, score, properties = row
    return Event(
        message_id=message_id,
        customer=customer,
        kind=Kind(kind),
        at=at,
        received=received,
        channel=Channel(channel),
        item=item,
        category=category,
        quantity=nan if quantity is None else quantity,
        amount=nan if amount is None else amount,
        order_id=order_id,
        score=nan if score is None else score,
        properties=json.loads(properties) if properties else {},
    )


def digest(*counts: object) -> str:
    """A digest of the numbers that describe a log, as 16 hexadecimal digits."""
    return blake2b(repr(counts).encode(), digest_size=8).hexdigest()


@dataclass(frozen=True, slots=True)
class Selection:
    """Which events a scan selects; see `EventStore.scan` for the fields."""

    kinds: Collection[Kind] | None = None
    shard: int = 0
    shards: int = 1
    until: int | None = None

    def __post_init__(self) -> None:
        """Raise ValueError unless `shard` is one of `shards`."""
        if not 0 <= self.shard < self.shards:
            raise ValueError(
                f"there is no shard {self.shard} of {self.shards}; expected 0 to {self.shards - 1} of at least 1"
            )

    @property
    def last(self) -> int:
        """The last `received` that is selected."""
        return LATEST if self.until is None else self.until

    @property
    def numbers(self) -> list[int]:
        """The kinds that are selected, as they are stored."""
        return sorted(map(int, Kind if self.kinds is None else self.kinds))

    def places(self, records: Records) -> NDArray[np.intp]:
        """The places of the selected records."""
        selected = (records["customer"] % self.shards == self.shard) & (records["received"] <= self.last)
        if self.kinds is not None:
            selected &= np.isin(records["kind"], self.numbers)
        return np.flatnonzero(selected)


def batch(rows: Sequence[tuple[Any, ...]]) -> EventBatch:
    """Rows of a database as a batch: the columns of `EVENT`, then message id, order id and properties. At least one."""
    *numbers, message_ids, order_ids, properties = zip(*rows, strict=True)
    records = np.empty(len(rows), EVENT)
    for name, column in zip(EVENT.names or (), numbers, strict=True):
        records[name] = column
    return EventBatch(records, message_ids, order_ids, properties)


def identified(properties: str | None) -> bool:
    """Whether an `IDENTIFY` with these stored properties says that its customer's id is a user id.

    The same answer as `features.identity.rules.identifies` gives for the event.
    """
    return not (properties and json.loads(properties).get("anonymous"))


def quoted(value: object) -> str:
    """A value as JSON, as the stored properties of an event hold it."""
    return "".join(_chunks(value, 0))


def spellings(name: str) -> tuple[bytes, ...]:
    """The ways in which raw bytes may spell a name: as UTF-8, and as JSON escapes it."""
    return tuple(dict.fromkeys((name.encode(), json.dumps(name)[1:-1].encode())))


def concerns(letter: DeadLetter, customer: str) -> bool:
    """Whether a dead letter belongs to this customer.

    It does when it names the customer or, when it names none, when its bytes or its reason hold the customer's name as
    a whole word: one with no letter, digit or underscore next to it.
    """
    if letter.customer is not None:
        return letter.customer == customer
    text = letter.raw + b"\n" + letter.reason.encode()
    return any(
        re.search(rb"(?<![0-9A-Za-z_])" + re.escape(spelling) + rb"(?![0-9A-Za-z_])", text)
        for spelling in spellings(customer)
    )
