"""Segment's tracking API: identify, track, page, screen, group and alias messages, one by one or as a batch.

The shapes are those of the HTTP tracking API v1 and of the e-commerce specification v2.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache, partial
from math import nan
from typing import Any

from features.events import (
    CONSENT_GRANT,
    CONSENT_WITHDRAW,
    IDENTIFY,
    OTHER,
    PAGE_VIEW,
    PURCHASE,
    REFUND,
    SCALES,
    Channel,
    Event,
    Kind,
)
from features.identity.rules import names_nobody
from features.log.orders import order_message
from features.sources.contract import SAMPLES, BadRecord, Column, Identity, Source, Unread, shown
from features.sources.fields import consent, fields
from features.sources.fields.channels import acquisition, referral
from features.sources.fields.message_ids import content_id, of_values
from features.sources.fields.names import CHANNEL_OF_NAME, SEGMENT, folded
from features.sources.fields.orders import EMPTY, Line, basket, positive, purchased, single, total
from features.sources.fields.times import instant
from features.sources.formats.segment_batch import of_record, within
from features.sources.readers.parts import read_parts

COLUMNS = (
    Column("type", "`identify`, `track`, `page`, `screen`, `group` or `alias`", required=True),
    Column("userId, anonymousId", "the customer: the first of the two that names one", required=True),
    Column("messageId", "makes the event exactly-once; at most 100 characters"),
    Column("event", "of a track message: one of the names below, a kind of ours, or anything else, which is `OTHER`"),
    Column(
        "properties", "`product_id` (or `sku`), `category`, `price`, `quantity`, `revenue`, `order_id`, `products`..."
    ),
    Column("timestamp, originalTimestamp, sentAt, receivedAt", "when: `receivedAt - (sentAt - originalTimestamp)`"),
    Column(
        "context",
        "`campaign`, `page.referrer`, `channel` and `device.type` give the channel, `consent.categoryPreferences` the"
        " consent",
    ),
    Column("groupId", "the group of a group message, kept as `group_id`"),
    Column("previousId", "the id that an alias message merges with the customer, kept as `previous_id`"),
    Column("traits, name", "kept in the properties; of the traits, `profiling_consent` and `consent` are understood"),
    Column("batch", "a line may also be a whole batch: its messages, with `sentAt` and `context` of the batch"),
)

_EVENTS = {folded(name): kind for name, kind in SEGMENT.items()} | {
    folded(name): kind for name, kind in fields.KINDS.items()
}
_CHANNELS = {folded(name): channel for name, channel in CHANNEL_OF_NAME.items()}
_MOBILE = ("ios", "android")
# Bare names, as for the kinds: to look up a member of an enumeration takes ten times as long.
_UNKNOWN, _WEB, _APP = Channel.UNKNOWN, Channel.WEB, Channel.APP
_CONTEXT_CHANNELS = {"browser": _WEB, "mobile": _APP, "client": _WEB}
_PREFERENCES = ("segment consent preference", "segment consent preference updated")
_CONSENTS = (CONSENT_WITHDRAW, CONSENT_GRANT)
_PEOPLE = ("identify", "group", "alias")
TYPES = ("track", "page", "screen", *_PEOPLE)
"""The types of messages."""
_NEEDED = {"group": "groupId", "alias": "previousId"}
_FIELDS = {"customer": "userId", "at": "timestamp", "score": "properties.rating"}
_COLUMN_PROPERTIES = ("product_id", "category", "quantity", "order_id", "orderId")


def parse(
    values: Mapping[str, Any],
    received: int,
    identity: Identity | None = None,
    history: bool = False,
    unread: Unread | None = None,
) -> list[Event]:
    """The events of one message: an order with its lines, else one event; and an event for a consent that it gives."""
    unread = [] if unread is None else unread
    context = within(values, "context")
    kind, name, named_channel = _kind(values, context, unread)
    properties = fields.any_properties(values.get("properties"), "properties", unread)
    customer, anonymous = _customer(values, unread)
    try:
        at = _when(values, received, history)
    except BadRecord as bad:
        at = _when(_without(values, bad, unread), received, history)
    message_id = fields.name(values.get("messageId"), "messageId", fields.LONGEST_MESSAGE_ID)
    if message_id is None:
        message_id = identity() if identity else of_values("segment", values, received)
    try:
        event, products = _event(
            message_id, customer, kind, name, named_channel, at, received, history, values, context, properties, unread
        )
    except BadRecord as bad:
        raise bad.named(_FIELDS) from None
    if kind is IDENTIFY:
        return _identified(event, values, anonymous, context)
    if "consent" in context and consent.of_context(context) is CONSENT_WITHDRAW and kind not in _CONSENTS:
        return [_consent(event, CONSENT_WITHDRAW)]
    return _order(event, products, values) if kind is PURCHASE else [event]


def _order(order: Event, products: Sequence[Line], values: Mapping[str, Any]) -> list[Event]:
    """An order, its lines and the joining of two ids. Its number makes its message id: one order for all messages."""
    if order.order_id is None:
        order.order_id = order.message_id if products else None
        return purchased(order, products)
    order.message_id = order_message(order.customer, order.order_id, order.at)
    visitor = fields.any_name(values.get("anonymousId"), "anonymousId", [])
    if visitor is None or visitor == order.customer or names_nobody(visitor):
        return purchased(order, products)
    joined = {"anonymous_id": visitor}
    order.properties = {**order.properties, **joined}
    message_id = content_id("segment-order-identify", order.customer, visitor)
    joining = Event(message_id, order.customer, IDENTIFY, order.at, order.received, order.channel, properties=joined)
    return [*purchased(order, products), joining]


def _event(
    message_id: str,
    customer: str,
    kind: Kind,
    name: str,
    named_channel: Channel | None,
    at: int,
    received: int,
    history: bool,
    values: Mapping[str, Any],
    context: Mapping[str, Any],
    properties: dict[str, Any],
    unread: Unread,
) -> tuple[Event, Sequence[Line]]:
    """The event of a message, and the lines of its order."""
    order = fields.order_number(properties.get("order_id", properties.get("orderId")), "properties.order_id", unread)
    item, category, pieces, money = single(kind, properties, unread)
    if pieces < 0 or money < 0:
        pieces, money = positive(kind, pieces, money, unread)
    sold = kind is PURCHASE or kind is REFUND
    listed = basket(properties.get("products"), "properties.products", unread) if sold else EMPTY
    category = name if kind is OTHER else category
    pieces = listed.pieces if kind is PURCHASE and listed.lines else pieces
    event = fields.admit(
        message_id,
        customer,
        kind,
        at,
        received,
        history,
        named_channel or _channel(values, context, name),
        item,
        category,
        pieces,
        total(kind, properties, listed, money, unread),
        order,
        _score(properties, unread) if kind in SCALES else nan,
        _kept(values, context, kind, customer, properties),
        unread,
    )
    return event, listed.lines


def _score(properties: Mapping[str, Any], unread: Unread) -> float:
    """The answer to a survey, or the stars of a review; only for the kinds in `SCALES`."""
    return fields.any_number(properties.get("rating", properties.get("score")), "properties.rating", unread)


def _identified(event: Event, values: Mapping[str, Any], anonymous: bool, context: Mapping[str, Any]) -> list[Event]:
    """The event that identifies the customer, and the consent that the traits or the context give.

    The ids are joined before a consent is withdrawn, so that it is withdrawn for all of them.
    """
    if anonymous:
        event = replace(event, properties={**event.properties, "anonymous": True})
    traits = event.properties.get("traits")
    decided = (consent.of_traits(traits) if isinstance(traits, dict) else None) or consent.of_context(context)
    if decided is None or values.get("type") == "group":
        return [event]
    said = _consent(event, decided)
    return [said, event] if decided is CONSENT_GRANT else [event, said]


def _consent(event: Event, kind: Kind) -> Event:
    """The consent that the message of `event` gives, as an event of its own."""
    return Event(f"{event.message_id}:consent", event.customer, kind, event.at, event.received, event.channel)


def _kind(values: Mapping[str, Any], context: Mapping[str, Any], unread: Unread) -> tuple[Kind, str, Channel | None]:
    """The kind and the name of a message, and the channel that the name implies."""
    what = values.get("type")
    if what == "track":
        name = fields.label(values.get("event"), "event", unread)
        if name is None:
            raise BadRecord("event", "missing: a track message names its event")
        kind, channel = _meaning(name)
        return consent.of_context(context) or OTHER if kind is None else kind, name, channel
    if what in ("page", "screen"):
        return PAGE_VIEW, what, None
    if what in _PEOPLE:
        needed = _NEEDED.get(what)
        if needed and fields.name(values.get(needed), needed) is None:
            raise BadRecord(needed, f"missing: every {what} message has one")
        return IDENTIFY, what, None
    raise BadRecord("type", f"expected identify, track, page, screen, group or alias, got {shown(what)}")


@lru_cache(maxsize=4_096)
def _meaning(name: str) -> tuple[Kind | None, Channel | None]:
    """The kind that an event's name stands for, None when its context decides, and the channel that it implies."""
    word = folded(name)
    return None if word in _PREFERENCES else _EVENTS.get(word, OTHER), _CHANNELS.get(word)


def _customer(values: Mapping[str, Any], unread: Unread) -> tuple[str, bool]:
    """The customer's id, and whether it is an anonymous id."""
    fault = None
    for field in ("userId", "anonymousId"):
        try:
            identity = fields.name(values.get(field), field)
        except BadRecord as bad:
            fault = fault or bad
            continue
        if identity and not names_nobody(identity):
            if fault:
                unread.append(fault)
            return identity, field == "anonymousId"
    raise fault or BadRecord(
        "userId", f"no customer: userId is {shown(values.get('userId'))}, and anonymousId names nobody either"
    )


def _without(values: Mapping[str, Any], bad: BadRecord, unread: Unread) -> Mapping[str, Any]:
    """The message without the time that cannot be read, if another time says when it happened. Raises `bad` else."""
    if bad.field in ("sentAt", "receivedAt") or (bad.field == "originalTimestamp" and values.get("timestamp")):
        unread.append(bad)
        return {field: value for field, value in values.items() if field != bad.field}
    raise bad


def _when(values: Mapping[str, Any], received: int, history: bool) -> int:
    """When it happened, by our clock. The time of a stored message without the original time is corrected already."""
    first, stamp = values.get("originalTimestamp"), values.get("timestamp")
    original, field = (stamp, "timestamp") if first is None and not history else (first, "originalTimestamp")
    sent = values.get("sentAt")
    came = values.get("receivedAt") if history else None
    ours = instant(came, "receivedAt") if came is not None else None if history else received
    if original is not None and sent is not None and ours is not None:
        return ours - (_sent(sent) - instant(original, field))
    if stamp is not None:
        return instant(stamp, "timestamp")
    if first is not None:
        return instant(first, "originalTimestamp")
    if ours is None:
        raise BadRecord("timestamp", "missing: a stored message says when it happened")
    return ours


def _sent(value: object) -> int:
    """When a message was sent; all of one batch were sent together."""
    return _sent_text(value) if type(value) is str else instant(value, "sentAt")


@lru_cache(maxsize=64)
def _sent_text(text: str) -> int:
    return instant(text, "sentAt")


def _channel(values: Mapping[str, Any], context: Mapping[str, Any], name: str) -> Channel:
    said = context.get("channel") or values.get("channel")
    said = folded(said) if isinstance(said, str) else ""
    if said and (channel := fields.CHANNELS.get(said.upper().replace(" ", "_"))):
        return channel
    if "campaign" in context:
        campaign = within(context, "campaign")
        channel = acquisition(str(campaign.get("source") or ""), str(campaign.get("medium") or ""))
        if channel:
            return channel
    page = within(context, "page")
    came_from = page.get("referrer") or within(context, "referrer").get("url")
    visited = referral(str(came_from), str(page.get("url") or "")) if came_from else None
    return visited or _platform(context, page, said, name)


def _platform(context: Mapping[str, Any], page: Mapping[str, Any], said: str, name: str) -> Channel:
    if said in _CONTEXT_CHANNELS:
        return _CONTEXT_CHANNELS[said]
    if name == "screen" or ("device" in context and str(within(context, "device").get("type")).casefold() in _MOBILE):
        return _APP
    if page or within(context, "library").get("name") == "analytics.js":
        return _WEB
    return _UNKNOWN


def _kept(
    values: Mapping[str, Any], context: Mapping[str, Any], kind: Kind, customer: str, properties: Mapping[str, Any]
) -> dict[str, Any]:
    kept = dict(properties)
    for key in _COLUMN_PROPERTIES:
        kept.pop(key, None)
    if kind is PURCHASE:
        kept.pop("products", None)
    if name := values.get("name"):
        kept["name"] = name
    if traits := values.get("traits") or (context.get("traits") if kind is IDENTIFY else None):
        kept["traits"] = traits
    if group := values.get("groupId"):
        kept["group_id"] = group
    if campaign := context.get("campaign"):
        kept["campaign"] = campaign
    if kind is IDENTIFY:  # only this kind merges ids, so other events need no second id
        kept |= _others(values, customer)
    return kept


def _others(values: Mapping[str, Any], customer: str) -> dict[str, Any]:
    """The ids beside the customer's own that a message says are the same customer's."""
    said = {"previous_id": values.get("previousId"), "anonymous_id": values.get("anonymousId")}
    return {name: other for name, other in said.items() if other and other != customer}


SOURCE = Source(
    name="segment",
    doc="""Messages of Segment's tracking API, one JSON object a line, as its archives hold them and as its client
libraries (and RudderStack's) send them. An order is one `PURCHASE` with `revenue`, never `total`, and one
`PURCHASED_ITEM` a product. Ids that name nobody (`null`, `anonymous`, zeros) are not customers.

An `identify` with both ids, and an `alias`, merge them. Consent to be profiled is withdrawn or granted

- by the track events `Consent Withdrawn`, `Consent Denied`, `Consent Revoked`, `Consent Granted` and `Consent Given`,
- by `Segment Consent Preference Updated`, by the trait `profiling_consent` or `consent` of an `identify`, and by an
  `identify` with `context.consent.categoryPreferences`: a category of profiling (profiling, personalization,
  targeting, marketing, C0004) that is false withdraws, and true grants; where there is none, all that are not
  necessary must agree,
- by `context.consent.categoryPreferences` of any other message, which can only withdraw; then nothing else is taken
  from that message.

It becomes an event of its own, `CONSENT_WITHDRAW` or `CONSENT_GRANT`, with the message's id and `:consent`.""",
    columns=COLUMNS,
    customer=("userId", "anonymousId"),
    read=partial(read_parts, apart=of_record),
    parse=parse,
    sample=SAMPLES / "segment.jsonl",
)
