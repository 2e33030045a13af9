"""One order that several messages report: the shop's page and its server, each with a message id of its own.

An order is identified by its customer, its number and its day (UTC). Two messages report the same order when they name
the same customer and the same number, at most a day apart. So a message that comes after midnight, or hours later with
a time of its own, reports the same order; the same number of the same customer later on is another order. The customer
is the whole profile here, and every id that the message names as the same customer (`JOINS`): a page that knows an
anonymous visitor and a server that knows the user report one order. The same number of another customer is another
order: tills restart their numbers every day.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b

from features.events import DAY, PURCHASE, Event
from features.log.membership import JOINS

_MESSAGE = re.compile(r"order-[0-9a-f]{24}-\d+")
"""The form of the ids that `order_message` makes; a shop's own message ids do not have it."""


def order_message(customer: str, order: str, at: int) -> str:
    """The message id of an order."""
    return _message(customer, order, at // DAY)


def resolved(
    events: Sequence[Event],
    known: Callable[[list[str]], Collection[str]],
    profile: Callable[[str], Iterable[str]] | None,
) -> Sequence[Event]:
    """The events; an order that the log or the batch already has, and its lines, get the message ids that it has there.

    `known` returns those of some message ids that the log has, `profile` the ids of a customer. Without `profile`, as
    in imports of the past, each id is a customer.
    """
    orders = [
        event
        for event in events
        if event.kind is PURCHASE and event.order_id is not None and _MESSAGE.fullmatch(event.message_id)
    ]
    if not orders:
        return events
    others = [list(_others(event, profile)) for event in orders]
    asked = {
        message
        for event, alternatives in zip(orders, others, strict=True)
        for message in (event.message_id, *alternatives)
    }
    have = set(known([*asked, *map(_first_line, asked)]))
    ids: dict[str, str] = {}
    for event, alternatives in zip(orders, others, strict=True):
        own = event.message_id
        if own not in ids:
            ids[own] = own if own in have else next((message for message in alternatives if message in have), own)
            have.add(ids[own])
    return list(_once(events, ids, have))


def _message(customer: str, order: str, day: int) -> str:
    digest = blake2b(f"{customer}\x1f{order}".encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
    return f"order-{digest}-{day}"


def _others(event: Event, profile: Callable[[str], Iterable[str]] | None) -> Iterator[str]:
    """The other message ids that the same order may have."""
    named = (event.properties.get(name) for name in JOINS)
    ids = {event.customer, *(name for name in named if isinstance(name, str))}
    ids.update(profile(event.customer) if profile else ())
    for customer in sorted(ids):
        for day in (0, -1, 1):
            message = _message(customer, str(event.order_id), event.at // DAY + day)
            if message != event.message_id:
                yield message


def _first_line(order: str) -> str:
    return f"{order}:1"


def _once(events: Sequence[Event], ids: Mapping[str, str], have: set[str]) -> Iterator[Event]:
    """The events, with the message id of each order as `ids` says, and the lines of each order from one message alone.

    The first message that has lines gives them. Another message may list them in another order, so each of its lines
    gets the id of the first line, which makes it a duplicate.
    """
    listed = False
    for event in events:
        head, mark, number = event.message_id.partition(":")
        message = ids.get(head)
        if message is not None and not mark:
            listed = _first_line(message) in have
        elif message is not None:
            have.add(_first_line(message))
            message = _first_line(message) if listed else f"{message}:{number}"
        yield event if message in (None, event.message_id) else replace(event, message_id=message)
