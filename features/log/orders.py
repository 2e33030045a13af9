"""One order told in several messages: by the shop's page and by its server, each under a message id of its own.

What messages tell of an order goes by the order: by its customer, its number and its day (UTC). Two messages tell of
one order when they name one customer and one number, at most a day apart: a message that comes after midnight, or hours
later with a time of its own, is the same order, and a number that the customer meets again later is another one. One
customer is one profile here, and whoever else the message names as the same (`JOINS`): a visitor's page and the server
that knows who it was tell of one order. Other customers' orders of the same number are others: tills count anew each
day.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from hashlib import blake2b

from features.events import DAY, PURCHASE, Event
from features.log.membership import JOINS

_MESSAGE = re.compile(r"order-[0-9a-f]{24}-\d+")
"""What `order_message` makes, and no message id of a shop's own."""


def order_message(customer: str, order: str, at: int) -> str:
    """The message id of an order."""
    return _message(customer, order, at // DAY)


def resolved(
    events: Sequence[Event],
    known: Callable[[list[str]], Collection[str]],
    profile: Callable[[str], Iterable[str]] | None,
) -> Sequence[Event]:
    """The events, with an order that the log or the batch knows under the id by which it is known, and its lines.

    `known` tells which message ids the log has, `profile` the ids of a customer; without it, as for imports of the
    past, each id is a customer.
    """
    orders = [
        event
        for event in events
        if event.kind is PURCHASE and event.order_id is not None and _MESSAGE.fullmatch(event.message_id)
    ]
    if not orders:
        return events
    others = [list(_others(event, profile)) for event in orders]
    asked = {message for event, each in zip(orders, others, strict=True) for message in (event.message_id, *each)}
    have = set(known([*asked, *map(_first_line, asked)]))
    ids: dict[str, str] = {}
    for event, each in zip(orders, others, strict=True):
        own = event.message_id
        if own not in ids:
            ids[own] = own if own in have else next((message for message in each if message in have), own)
            have.add(ids[own])
    return list(_once(events, ids, have))


def _message(customer: str, order: str, day: int) -> str:
    digest = blake2b(f"{customer}\x1f{order}".encode("utf-8", "surrogatepass"), digest_size=12).hexdigest()
    return f"order-{digest}-{day}"


def _others(event: Event, profile: Callable[[str], Iterable[str]] | None) -> Iterator[str]:
    """The other ids under which an order may be known."""
    told = (event.properties.get(name) for name in JOINS)
    ids = {event.customer, *(each for each in told if isinstance(each, str))}
    ids.update(profile(event.customer) if profile else ())
    for customer in sorted(ids):
        for day in (0, -1, 1):
            message = _message(customer, str(event.order_id), event.at // DAY + day)
            if message != event.message_id:
                yield message


def _first_line(order: str) -> str:
    return f"{order}:1"


def _once(events: Sequence[Event], ids: Mapping[str, str], have: set[str]) -> Iterator[Event]:
    """The events, with orders under the `ids` by which they are known, and the lines of each from one message alone.

    The first message that has lines gives them. Others may list them otherwise: each of theirs goes by the id of the
    first line, which is known.
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
