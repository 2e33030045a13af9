"""Segment's tracking API: identify, track, page, screen, group and alias messages, one by one or as a batch.

The shapes are those of the HTTP tracking API v1 and of the e-commerce specification v2.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from features.events import Channel, Event, Kind
from features.sources import door
from features.sources.channels import acquisition, referral
from features.sources.contract import SAMPLES, BadRecord, Column, Identity, Record, Source, shown
from features.sources.identities import of_values
from features.sources.names import CHANNEL_OF_NAME, SEGMENT, folded
from features.sources.orders import lines, purchased, single, total
from features.sources.readers import read
from features.sources.times import instant

COLUMNS = (
    Column("type", "`identify`, `track`, `page`, `screen`, `group` or `alias`", required=True),
    Column("userId, anonymousId", "the customer: the first of the two that names one", required=True),
    Column("messageId", "makes the event exactly-once; at most 100 characters"),
    Column("event", "of a track message: one of the names below, a kind of ours, or anything else, which is `OTHER`"),
    Column(
        "properties", "`product_id` (or `sku`), `category`, `price`, `quantity`, `revenue`, `order_id`, `products`..."
    ),
    Column("timestamp, originalTimestamp, sentAt, receivedAt", "when: `receivedAt - (sentAt - originalTimestamp)`"),
    Column("context", "`campaign`, `page.referrer`, `channel` and `device.type` give the channel"),
    Column("traits, groupId, previousId, name", "kept in the properties"),
    Column("batch", "a line may also be a whole batch: its messages, with `sentAt` and `context` of the batch"),
)

_EVENTS = {folded(name): kind for name, kind in SEGMENT.items()} | {
    folded(name): kind for name, kind in door.KINDS.items()
}
_CHANNELS = {folded(name): channel for name, channel in CHANNEL_OF_NAME.items()}
_CONTEXT_CHANNELS = {"browser": Channel.WEB, "mobile": Channel.APP, "client": Channel.WEB}
_NOBODY = re.compile(r"[0-]*|-1|null|anonymous|undefined", re.IGNORECASE)
_PEOPLE = ("identify", "group", "alias")
_FIELDS = {"customer": "userId", "at": "timestamp", "score": "properties.rating"}
_TAKEN = frozenset(("product_id", "category", "quantity", "order_id"))


def parse(
    values: Mapping[str, Any], received: int, identity: Identity | None = None, history: bool = False
) -> list[Event]:
    """The events of one message: for a completed order the order and its lines, else one."""
    kind, name = _kind(values)
    properties = door.properties(values.get("properties"), "properties")
    customer = _customer(values)
    at = _when(values, received, history)
    found = door.name(values.get("messageId"), "messageId", door.LONGEST_MESSAGE_ID)
    if found is None:
        found = identity() if identity else of_values("segment", values, received)
    order = door.name(properties.get("order_id"), "properties.order_id")
    item, category, pieces, money = single(kind, properties)
    products = lines(properties.get("products"), "properties.products") if kind in (Kind.PURCHASE, Kind.REFUND) else ()
    if kind is Kind.OTHER:
        category = name
    if kind is Kind.PURCHASE:
        pieces = sum(line[2] for line in products) if products else pieces
    score = door.number(properties.get("rating", properties.get("score")), "properties.rating")
    try:
        event = door.admit(
            found,
            customer,
            kind,
            at,
            received,
            history,
            _channel(values, name),
            item,
            category,
            pieces,
            total(kind, properties, products, money),
            order or (found if products else None),
            score,
            _kept(values, kind, customer, properties),
        )
    except BadRecord as bad:
        raise bad.named(_FIELDS) from None
    return purchased(event, products) if kind is Kind.PURCHASE else [event]


def messages(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The messages of a batch, each with what the batch says for all of them. Raises BadRecord."""
    batch = body.get("batch")
    if not isinstance(batch, list):
        raise BadRecord("batch", f"expected a list of messages, got {shown(batch)}")
    context = _object(body, "context")
    shared = {key: body[key] for key in ("sentAt", "receivedAt", "integrations") if key in body}
    found = []
    for index, message in enumerate(batch):
        if not isinstance(message, dict):
            raise BadRecord(f"batch[{index}]", f"expected an object, got {shown(message)}")
        whole = shared | message
        if context:
            whole["context"] = {**context, **_object(message, "context")}
        found.append(whole)
    return found


def _kind(values: Mapping[str, Any]) -> tuple[Kind, str]:
    """The kind and the name of a message."""
    what = values.get("type")
    if what == "track":
        name = door.name(values.get("event"), "event")
        if name is None:
            raise BadRecord("event", "missing: a track message names its event")
        return _EVENTS.get(folded(name), Kind.OTHER), name
    if what in ("page", "screen"):
        return Kind.PAGE_VIEW, what
    if what in _PEOPLE:
        return Kind.IDENTIFY, what
    raise BadRecord("type", f"expected identify, track, page, screen, group or alias, got {shown(what)}")


def _customer(values: Mapping[str, Any]) -> str:
    for field in ("userId", "anonymousId"):
        found = door.name(values.get(field), field)
        if found and not _NOBODY.fullmatch(found):
            return found
    raise BadRecord(
        "userId", f"no customer: userId is {shown(values.get('userId'))}, and anonymousId names nobody either"
    )


def _when(values: Mapping[str, Any], received: int, history: bool) -> int:
    """When it happened, by our clock. A stored message without the original time has been corrected already."""
    original, field = values.get("originalTimestamp"), "originalTimestamp"
    if original is None and not history:
        original, field = values.get("timestamp"), "timestamp"
    sent = values.get("sentAt")
    came = values.get("receivedAt") if history else None
    ours = instant(came, "receivedAt") if came is not None else None if history else received
    if original is not None and sent is not None and ours is not None:
        return ours - (instant(sent, "sentAt") - instant(original, field))
    for field in ("timestamp", "originalTimestamp"):
        if values.get(field) is not None:
            return instant(values[field], field)
    if ours is None:
        raise BadRecord("timestamp", "missing: a stored message says when it happened")
    return ours


def _channel(values: Mapping[str, Any], name: str) -> Channel:
    context = _object(values, "context")
    said = context.get("channel") or values.get("channel")
    said = folded(said) if isinstance(said, str) else ""
    found = _CHANNELS.get(folded(name)) or door.CHANNELS.get(said.upper().replace(" ", "_"))
    if found:
        return found
    campaign = _object(context, "campaign")
    found = acquisition(str(campaign.get("source") or ""), str(campaign.get("medium") or ""))
    if found:
        return found
    page = _object(context, "page")
    came_from = page.get("referrer") or _object(context, "referrer").get("url")
    return referral(str(came_from or ""), str(page.get("url") or "")) or _platform(context, page, said, name)


def _platform(context: Mapping[str, Any], page: Mapping[str, Any], said: str, name: str) -> Channel:
    if said in _CONTEXT_CHANNELS:
        return _CONTEXT_CHANNELS[said]
    if name == "screen" or str(_object(context, "device").get("type") or "").casefold() in ("ios", "android"):
        return Channel.APP
    if page or _object(context, "library").get("name") == "analytics.js":
        return Channel.WEB
    return Channel.UNKNOWN


def _object(values: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    """An object within; senders that put a text there mean nothing we could use."""
    value = values.get(field)
    return value if isinstance(value, dict) else {}


def _kept(values: Mapping[str, Any], kind: Kind, customer: str, properties: Mapping[str, Any]) -> dict[str, Any]:
    kept = {key: value for key, value in properties.items() if key not in _TAKEN}
    if kind is Kind.PURCHASE:
        kept.pop("products", None)
    context = _object(values, "context")
    said = {
        "name": values.get("name"),
        "traits": values.get("traits") or (context.get("traits") if kind is Kind.IDENTIFY else None),
        "group_id": values.get("groupId"),
        "previous_id": values.get("previousId"),
        "campaign": context.get("campaign"),
        "anonymous_id": values.get("anonymousId") if values.get("anonymousId") != customer else None,
    }
    return kept | {key: value for key, value in said.items() if value}


class _Reading:
    """JSON lines, with batches taken apart."""

    def __init__(self, path: Path) -> None:
        self._records = read(path)
        self.total = self._records.total
        self.done = self._records.done

    def __iter__(self) -> Iterator[Record]:
        for record in self._records:
            if "batch" not in record.values:
                yield record
                continue
            try:
                each = messages(record.values)
            except BadRecord as bad:
                yield record._replace(fault=bad)
                continue
            for message in each:
                yield Record(record.position, json.dumps(message).encode(), message)


SOURCE = Source(
    name="segment",
    doc="""Messages of Segment's tracking API, one JSON object a line, as its archives hold them and as its client
libraries (and RudderStack's) send them. An order is one `PURCHASE` with `revenue`, never `total`, and one
`PURCHASED_ITEM` a product. Ids that name nobody (`null`, `anonymous`, zeros) are not customers.""",
    columns=COLUMNS,
    customer=("userId", "anonymousId"),
    read=_Reading,
    parse=parse,
    sample=SAMPLES / "segment.jsonl",
)
