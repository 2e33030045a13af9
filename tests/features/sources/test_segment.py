from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest

from features.events import Channel, Event, Kind
from features.sources.contract import Unread
from features.sources.fields.names import SEGMENT
from features.sources.fields.times import instant
from features.sources.formats.segment import parse
from features.sources.formats.segment_batch import messages
from tests.features.sources.ledger import NOW, refused, take
from tests.features.sources.real_data import shared

SECOND = 1_000_000


def track(event: str, properties: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    return {"type": "track", "userId": "ada", "messageId": "m", "event": event, "properties": properties or {}, **more}


def only(message: dict[str, Any], history: bool = False) -> Event:
    (event,) = parse(message, NOW, history=history)
    return event


@pytest.mark.parametrize("name", SEGMENT)
def test_every_name_of_the_specifications_is_understood(name: str) -> None:
    first = parse(track(name, {"rating": 4}), NOW)[0]
    assert first.kind is SEGMENT[name]
    assert first.category == (name if first.kind is Kind.OTHER else None)


def test_an_order_is_its_revenue_and_its_lines() -> None:
    products = [
        {"product_id": "L1", "category": "lighting", "price": 24.9, "quantity": 2},
        {"sku": "B1", "price": "3"},
        {"name": "Gift wrap"},
    ]
    sent = {"order_id": "o-1", "total": 70, "revenue": 52.8, "tax": 9, "products": products, "coupon": "SPRING"}
    order, *lines = parse(track("Order Completed", sent), NOW)
    assert (order.kind, order.amount, order.quantity, order.order_id) == (Kind.PURCHASE, 52.8, 4, "o-1")
    assert dict(order.properties) == {"total": 70, "revenue": 52.8, "tax": 9, "coupon": "SPRING"}
    assert [(line.message_id, line.item, line.category, line.quantity) for line in lines] == [
        (f"{order.message_id}:1", "L1", "lighting", 2),
        (f"{order.message_id}:2", "B1", None, 1),
        (f"{order.message_id}:3", "Gift wrap", None, 1),
    ]
    assert [line.amount for line in lines[:2]] == [49.8, 3.0]
    assert math.isnan(lines[2].amount)
    assert {line.order_id for line in lines} == {"o-1"}


@pytest.mark.parametrize(
    ("name", "properties", "amount"),
    [
        ("Order Completed", {"revenue": 0, "value": 5, "total": 9}, 0.0),
        ("Order Completed", {"value": 5, "total": 9}, 5.0),
        ("Order Completed", {"subtotal": 4, "total": 9}, 4.0),
        ("Order Completed", {"total": 9, "products": [{"product_id": "a", "price": 2, "quantity": 3}]}, 6.0),
        ("Order Completed", {"total": 9}, math.nan),
        ("Order Refunded", {"total": 9, "products": [{"product_id": "a", "price": 2}]}, 9.0),
        ("Order Refunded", {"products": [{"product_id": "a", "price": 2}]}, 2.0),
        ("Order Refunded", {"order_id": "o-1"}, math.nan),
        ("Order Cancelled", {"revenue": 8, "total": 9}, 8.0),
        ("Checkout Started", {"value": 30, "revenue": 25}, 25.0),
        ("Coupon Applied", {"discount": 5, "revenue": 3}, 5.0),
        ("Product Viewed", {"price": 24.9, "value": 20}, 24.9),
        ("Product Viewed", {"value": 20}, 20.0),
        ("Product Added", {"price": 24.9, "quantity": 2}, 49.8),
        ("Product Added", {"price": 24.9}, 24.9),
        ("Wheel Spun", {"revenue": 1}, 1.0),
    ],
)
def test_money_is_revenue_and_never_the_total(name: str, properties: dict[str, Any], amount: float) -> None:
    event = parse(track(name, properties), NOW)[0]
    assert event.amount == pytest.approx(amount, nan_ok=True)


def test_a_product_has_its_fields() -> None:
    added = only(track("Product Added", {"product_id": 7, "sku": "x", "category": "lighting", "price": 5}))
    assert (added.item, added.category, added.quantity) == ("7", "lighting", 1)
    assert math.isnan(only(track("Product Viewed", {"sku": "x"})).quantity)
    review = only(track("Product Reviewed", {"product_id": "L1", "rating": "5", "review_body": "bright"}))
    assert (review.item, review.score, review.properties["review_body"]) == ("L1", 5, "bright")


def test_names_are_found_in_any_case_and_ours_too() -> None:
    assert only(track("product_viewed")).kind is Kind.ITEM_VIEW
    assert only(track("Payment Fail")).kind is Kind.PAYMENT_FAIL
    assert only(track("survey_nps", {"score": 9})).score == 9
    unknown = only(track("Wheel Spun", {"prize": "lamp"}))
    assert (unknown.kind, unknown.category, dict(unknown.properties)) == (Kind.OTHER, "Wheel Spun", {"prize": "lamp"})


def test_the_other_calls() -> None:
    person = {"userId": "ada", "anonymousId": "a-1", "messageId": "m"}
    identify = only({"type": "identify", "traits": {"plan": "gold"}, **person})
    assert (identify.kind, dict(identify.properties)) == (
        Kind.IDENTIFY,
        {"traits": {"plan": "gold"}, "anonymous_id": "a-1"},
    )
    assert only({"type": "page", "name": "Home", **person}).properties["name"] == "Home"
    screen = only({"type": "screen", "name": "Start", **person})
    assert (screen.kind, screen.channel) == (Kind.PAGE_VIEW, Channel.APP)
    assert only({"type": "group", "groupId": "g", **person}).properties["group_id"] == "g"
    assert only({"type": "alias", "previousId": "p", **person}).properties["previous_id"] == "p"
    context = {"context": {"traits": {"plan": "pro"}}}
    assert only({"type": "identify", **context, **person}).properties["traits"] == {"plan": "pro"}


def at(text: str) -> int:
    return instant(text, "at")


def test_the_senders_clock_is_corrected() -> None:
    """The sender's clock is an hour ahead; the message waited 10 s in its queue."""
    live = track("Cart Viewed", timestamp="2027-01-15T09:00:00Z", sentAt="2027-01-15T09:00:10Z")
    assert only(live).at == NOW - 10 * SECOND
    stored = track(
        "Cart Viewed",
        originalTimestamp="2026-03-01T09:00:00Z",
        sentAt="2026-03-01T09:00:10Z",
        receivedAt="2026-03-01T08:00:12Z",
        timestamp="2026-03-01T08:00:02Z",
    )
    assert only(stored, history=True).at == only(stored, history=True).received == at("2026-03-01T08:00:02Z")


def test_without_a_time_of_sending_nothing_is_corrected() -> None:
    assert only(track("Cart Viewed", timestamp="2026-03-01T09:00:00Z")).at == at("2026-03-01T09:00:00Z")
    assert only(track("Cart Viewed")).at == NOW
    assert only(track("Cart Viewed", receivedAt="2026-03-01T09:00:00Z"), history=True).at == at("2026-03-01T09:00:00Z")
    with refused("timestamp", "missing"):
        only(track("Cart Viewed"), history=True)


def test_a_stored_time_without_its_original_is_corrected_already() -> None:
    stored = track(
        "Cart Viewed",
        timestamp="2026-03-01T08:00:02Z",
        sentAt="2026-03-01T09:00:10Z",
        receivedAt="2026-03-01T08:00:12Z",
    )
    assert only(stored, history=True).at == at("2026-03-01T08:00:02Z")


@pytest.mark.parametrize(
    ("context", "channel"),
    [
        ({"campaign": {"source": "google", "medium": "cpc"}}, Channel.PAID_SEARCH),
        ({"page": {"url": "https://shop.example/", "referrer": "https://www.google.com/"}}, Channel.ORGANIC_SEARCH),
        ({"page": {"url": "https://shop.example/a", "referrer": "https://shop.example/"}}, Channel.WEB),
        ({"referrer": {"url": "https://blog.example/"}}, Channel.REFERRAL),
        ({"channel": "mobile"}, Channel.APP),
        ({"channel": "store"}, Channel.STORE),
        ({"device": {"type": "ios"}}, Channel.APP),
        ({"library": {"name": "analytics.js"}}, Channel.WEB),
        ({"channel": "server"}, Channel.UNKNOWN),
        ({"campaign": "spring", "page": 3, "device": None}, Channel.UNKNOWN),
    ],
)
def test_the_context_names_the_channel(context: dict[str, Any], channel: Channel) -> None:
    assert only(track("Cart Viewed", context=context)).channel is channel


def test_what_the_name_says_of_the_channel_wins() -> None:
    assert only(track("Email Opened", context={"channel": "server"})).channel is Channel.EMAIL


@pytest.mark.parametrize(
    "nobody", ["", None, "null", "NULL", "-1", "0", "00000000-0000-0000-0000-000000000000", "anonymous"]
)
def test_ids_that_name_nobody_are_not_customers(nobody: str | None) -> None:
    assert only(track("Cart Viewed", userId=nobody, anonymousId="a-1")).customer == "a-1"
    with refused("userId"):
        only(track("Cart Viewed", userId=nobody, anonymousId=nobody))


def test_a_batch_shares_its_context_and_time_of_sending() -> None:
    body = {
        "batch": [track("Cart Viewed", context={"channel": "store"}), track("Cart Viewed", sentAt="own")],
        "context": {"channel": "mobile", "ip": "x"},
        "sentAt": "2027-01-15T09:00:10Z",
        "writeKey": "secret",
    }
    first, second = messages(body)
    assert first["context"] == {"channel": "store", "ip": "x"}
    assert (first["sentAt"], second["sentAt"]) == ("2027-01-15T09:00:10Z", "own")
    assert "writeKey" not in first
    with refused("batch", "expected a list of messages, got None"):
        messages({})
    with refused("batch[0]", "expected an object, got 3"):
        messages({"batch": [3]})


@pytest.mark.parametrize("client", ["segment-node", "segment-python-plain", "rudder-python-plain"])
def test_what_client_libraries_really_send(client: str, tmp_path: Path) -> None:
    body = json.loads(shared(f"client-requests/{client}.body.json").read_text())
    kinds = [event.kind for message in messages(body) for event in parse(message, NOW)]
    assert kinds == [Kind.IDENTIFY, Kind.PURCHASE, Kind.PAGE_VIEW, Kind.PAGE_VIEW, Kind.IDENTIFY, Kind.IDENTIFY]
    line = tmp_path / "body.jsonl"
    line.write_text(json.dumps(body))
    report, ledger = take(line, "segment")
    assert (report.accepted, report.rejected) == (6, 0)
    assert {event.customer for event in ledger.events} == {"u1"}


def test_a_group_and_an_alias_say_of_what() -> None:
    with refused("groupId", "missing"):
        only({"type": "group", "userId": "ada"})
    with refused("previousId", "missing"):
        only({"type": "alias", "userId": "ada", "previousId": None})


def test_an_event_has_at_most_ten_thousand_properties() -> None:
    only(track("Cart Viewed", {f"p{number}": 1 for number in range(10_000)}))
    unread: Unread = []
    (event,) = parse(track("Cart Viewed", {f"p{number}": 1 for number in range(10_001)}), NOW, unread=unread)
    assert (dict(event.properties), [bad.reason[:16] for bad in unread]) == ({}, ["10001 properties"])


@pytest.mark.parametrize(
    "written", ["2027-01-15T07:59:50.000Z", "2027-01-15T07:59:50.000000+00:00", "2027-01-15T08:59:50.000+01:00"]
)
def test_all_three_forms_of_a_time_are_understood(written: str) -> None:
    assert only(track("Cart Viewed", timestamp=written)).at == NOW - 10 * SECOND
