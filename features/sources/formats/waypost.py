"""Waypost's own format: one JSON object an event, in `POST /v1/events` and in JSON lines."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import Any

from features.events import Event
from features.sources.contract import SAMPLES, BadRecord, Column, Identity, Source, Unread
from features.sources.fields import fields
from features.sources.fields.message_ids import of_values
from features.sources.fields.times import instant
from features.sources.readers.readers import read

COLUMNS = (
    Column("customer", "who", required=True),
    Column("kind", "what happened: a kind such as `ITEM_VIEW`, in any case of letters", required=True),
    Column("at", "when, ISO 8601; in a live event it may be left out and means now"),
    Column("message_id", "makes the event exactly-once; without it, the id comes from the content"),
    Column("channel", "a channel such as `EMAIL`"),
    Column("item", "the product"),
    Column("category", "the product's category"),
    Column("quantity", "pieces, at least 0"),
    Column("amount", "money in the shop's currency, at least 0: the order's total, or price x quantity"),
    Column("order_id", "the order"),
    Column("score", "the answer to a survey, or the stars of a review"),
    Column("properties", "an object with anything else, as far as its names may be kept"),
)

_KNOWN = frozenset(column.name for column in COLUMNS)


def parse(
    values: Mapping[str, Any],
    received: int,
    identity: Identity | None = None,
    history: bool = False,
    unread: Unread | None = None,
) -> Event:
    """One event. Raises BadRecord naming the field at fault."""
    unread = [] if unread is None else unread
    get = values.get
    if not values.keys() <= _KNOWN:
        unread += [_unknown(key) for key in values if key and key not in _KNOWN]
    message_id = fields.name(get("message_id"), "message_id", fields.LONGEST_MESSAGE_ID)
    sent = get("at")
    now = not history and (sent is None or sent == "")
    at = received if now else instant(sent, "at")
    customer = fields.customer(get("customer"), "customer")
    kind = fields.kind(get("kind"), "kind")
    if message_id is None:
        message_id = identity() if identity else of_values("waypost", values, received)
    return fields.admit(
        message_id,
        customer,
        kind,
        at,
        received,
        history,
        fields.any_channel(get("channel"), "channel", unread),
        fields.any_name(get("item"), "item", unread),
        fields.any_name(get("category"), "category", unread),
        fields.any_number(get("quantity"), "quantity", unread),
        fields.any_number(get("amount"), "amount", unread),
        fields.any_name(get("order_id"), "order_id", unread),
        fields.any_number(get("score"), "score", unread),
        fields.any_properties(get("properties"), "properties", unread),
        unread,
    )


def _unknown(field: str) -> BadRecord:
    expected = f"expected {', '.join(sorted(_KNOWN))} (other things: in properties)"
    return BadRecord(field, f"unknown field; {expected}", "unknown_field")


def _parse(
    values: Mapping[str, Any],
    received: int,
    identity: Identity | None = None,
    history: bool = False,
    unread: Unread | None = None,
) -> list[Event]:
    return [parse(values, received, identity, history, unread)]


SOURCE = Source(
    name="waypost",
    doc="Waypost's own format, one JSON object a line: what `POST /v1/events` takes. An order is one `PURCHASE` with"
    " its total and one `PURCHASED_ITEM` per product, each an object of its own with the same `order_id`.",
    columns=COLUMNS,
    customer=("customer",),
    read=partial(read, required=("customer", "kind", "at")),
    parse=_parse,
    sample=SAMPLES / "waypost.jsonl",
)
