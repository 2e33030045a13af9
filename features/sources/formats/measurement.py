"""Google Analytics 4's Measurement Protocol: what servers send to `POST /mp/collect`, events of one client.

The shapes are those of https://developers.google.com/analytics/devguides/collection/protocol/ga4.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import partial
from typing import Any

from features.events import Event, Kind
from features.identity.rules import names_nobody
from features.sources.contract import SAMPLES, BadRecord, Column, Identity, Source, Unread, shown
from features.sources.fields import fields
from features.sources.fields.message_ids import content_id, of_values
from features.sources.fields.times import instant
from features.sources.formats import ga4
from features.sources.readers.parts import read_parts

MOST_EVENTS = 25
"""Most events of one request that Google accepts. Waypost accepts more; its debug route reports them."""

COLUMNS = (
    Column("client_id", "the browser (or `app_instance_id`, the app): the customer unless there is a `user_id`"),
    Column("user_id", "the customer, where the shop sets it; merged with the `client_id`"),
    Column("timestamp_micros", "when, microseconds since 1970; in a live request it may be left out and means now"),
    Column("hit_id", "the page and the number of a hit, which `/g/collect` sets; a hit sent again then adds nothing"),
    Column("consent", "`ad_personalization` that is `DENIED` withdraws the consent to be profiled"),
    Column("non_personalized_ads", "`true` withdraws it too"),
    Column("events", "a list of events, each with a `name` and `params` such as `items`, `value`, `transaction_id`"),
)

_SHARED = ("client_id", "app_instance_id", "user_id", "timestamp_micros", "hit_id")
_KNOWN_AGAIN = ("timestamp_micros", "hit_id")
_FIELDS = {
    "user_pseudo_id": "client_id",
    "event_timestamp": "timestamp_micros",
    "event_name": "event.name",
    "event_params.value": "event.params.value",
    "transaction_id": "event.params.transaction_id",
}


def requests(body: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The parts of a request: first its customer and consent, where it gives them, then its events, one by one.

    A request that withdraws the consent has no other part. Raises BadRecord when `events` is no list.
    """
    shared = {name: body[name] for name in _SHARED if body.get(name) is not None}
    parts: list[dict[str, Any]] = []
    withdrawn = _withdrawn(body)
    if withdrawn or "user_id" in shared:
        parts.append({**shared, "withdrawn": withdrawn})
    events = body.get("events")
    if not isinstance(events, list):
        raise BadRecord("events", f"expected a list of events, got {shown(events)}")
    if not withdrawn:
        parts += [{**shared, "event": event, "number": number} for number, event in enumerate(events)]
    return parts


def _withdrawn(body: Mapping[str, Any]) -> bool:
    consent = body.get("consent")
    denied = isinstance(consent, dict) and consent.get("ad_personalization") == "DENIED"
    return denied or body.get("non_personalized_ads") is True


def parse(
    values: Mapping[str, Any],
    received: int,
    identity: Identity | None = None,
    history: bool = False,
    unread: Unread | None = None,
) -> list[Event]:
    """The events of one part of a request, as `requests` gives them."""
    unread = [] if unread is None else unread
    if "events" in values:
        return [event for part in requests(values) for event in parse(part, received, identity, history, unread)]
    client = _identity(values, unread, "client_id", "app_instance_id")
    user = _identity(values, unread, "user_id")
    if client is None and user is None:
        raise BadRecord("client_id", f"no customer: it is {shown(values.get('client_id'))}, and user_id names nobody")
    given = values.get("event")
    if "event" not in values:
        return _identified(values, client, user, _when(values, received, history), received, history)
    if not isinstance(given, dict):
        raise BadRecord("event", f"expected an object with `name` and `params`, got {shown(given)}")
    params = fields.any_properties(given.get("params"), "event.params", unread)
    at = _when(given if given.get("timestamp_micros") is not None else values, received, history)
    row = {"event_name": given.get("name"), "event_timestamp": at, "user_id": user, "user_pseudo_id": client}
    row |= {"items": params.get("items"), "platform": "WEB" if values.get("app_instance_id") is None else "ANDROID"}
    plain = {name: value for name, value in params.items() if name != "items"}
    if any(record.get(name) is not None for record in (values, given) for name in _KNOWN_AGAIN):
        # A request that is sent again, or imported after it was sent, makes the same events.
        identity = partial(content_id, "measurement", json.dumps(values, sort_keys=True, default=str))
    # From the values and not from the row: their `number` makes equal events of a request different.
    identity = identity or partial(of_values, "measurement", values, received)
    lost: Unread = []
    try:
        events = ga4.row_events(row, plain, received, identity, history, lost)
    except BadRecord as bad:
        raise _named(bad) from None
    unread += map(_named, lost)
    return events


def _named(bad: BadRecord) -> BadRecord:
    if bad.field.startswith("items"):
        return BadRecord(f"event.params.{bad.field}", bad.reason, bad.code)
    return bad.named(_FIELDS)


def _identity(values: Mapping[str, Any], unread: Unread, *names: str) -> str | None:
    for name in names:
        identity = fields.any_name(values.get(name), name, unread)
        if identity and not names_nobody(identity):
            return identity
    return None


def _when(values: Mapping[str, Any], received: int, history: bool) -> int:
    given = values.get("timestamp_micros")
    return received if given is None and not history else instant(given, "timestamp_micros", "us")


def _identified(
    values: Mapping[str, Any], client: str | None, user: str | None, at: int, received: int, history: bool
) -> list[Event]:
    """The event that merges the two ids, new only once as its message id is made of both; a withdrawal of consent."""
    events = []
    customer = user or client
    if client and user and client != user:
        joined = {"anonymous_id": client}
        message_id = content_id("measurement-identify", user, client)
        events.append(fields.admit(message_id, user, Kind.IDENTIFY, at, received, history, properties=joined))
    if values.get("withdrawn"):
        message_id = content_id("measurement-consent", f"{customer}", str(at))
        events.append(fields.admit(message_id, customer, Kind.CONSENT_WITHDRAW, at, received, history))
    return events


SOURCE = Source(
    name="measurement",
    doc="""Requests of GA4's Measurement Protocol, one JSON object a line, as `POST /mp/collect` takes them. Events
become what the same events of the `ga4` export become, and a purchase has the same id in both. A `user_id` and a
`client_id` in one request are one customer. With `timestamp_micros`, a request that is sent again adds nothing.

A request whose `consent.ad_personalization` is `DENIED`, or with `non_personalized_ads`, withdraws the consent to be
profiled, and nothing else is taken from it. The events `consent_withdrawn` and `consent_granted` say so by name.

What GA4's tag in a browser sends to `/g/collect` is read as such a request: `cid` and `uid` are the two ids, `dl`,
`dr`, `dt`, `sid`, `cu` and what begins with `ep.` or `epn.` the parameters, `pr1`, `pr2`... the items, and hits that
begin a visit make `first_visit` and `session_start` besides, as in the export. `npa=1`, and a `gcs` that denies
analytics, withdraw the consent; a hit after the visitor agreed (`gcu=1`) grants it.""",
    columns=COLUMNS,
    customer=("user_id", "client_id", "app_instance_id"),
    read=partial(read_parts, apart=requests),
    parse=parse,
    sample=SAMPLES / "measurement.jsonl",
)
