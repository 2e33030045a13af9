from __future__ import annotations

import math
from typing import Any

import pytest

from features.events import Channel, Event, Kind
from features.sources.contract import Unread
from features.sources.fields.names import GA4
from features.sources.formats.ga4 import parse
from tests.features.sources.ledger import NOW, refused

AT = 1_772_352_000_000_000


def row(name: str, params: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    nested = [
        {"key": key, "value": {"string_value": None, "double_value": value}} for key, value in (params or {}).items()
    ]
    return {"event_name": name, "event_timestamp": AT, "user_pseudo_id": "1.2", "event_params": nested, **more}


def only(values: dict[str, Any]) -> Event:
    (event,) = parse(values, NOW)
    return event


@pytest.mark.parametrize("name", GA4)
def test_every_name_is_understood(name: str) -> None:
    event = only(row(name))
    assert (event.kind, event.at, event.customer) == (GA4[name], AT, "1.2")
    assert event.category == (name if event.kind is Kind.OTHER else None)


def test_an_id_that_names_nobody_is_no_customer() -> None:
    for nobody in ("null", "0", "(not set)", "undefined", ""):
        assert only(row("page_view", user_id=nobody)).customer == "1.2"
        with refused("user_pseudo_id"):
            parse(row("page_view", user_pseudo_id=nobody), NOW)


def test_an_unknown_name_is_kept_as_category() -> None:
    event = only(row("wheel_spin"))
    assert (event.kind, event.category) == (Kind.OTHER, "wheel_spin")


def test_a_purchase_is_its_order_and_its_lines_once_by_transaction() -> None:
    items = [
        {"item_id": "L1", "item_category": "lighting", "price": 24.9, "quantity": "2"},
        {"item_id": "(not set)", "item_name": "Bulb", "price": 3.0, "quantity": None},
    ]
    commerce = {"transaction_id": "T-1", "purchase_revenue": 52.8, "total_item_quantity": "3"}
    sent = row("purchase", {"value": 60}, items=items, ecommerce=commerce, user_id="ada")
    order, *lines = parse(sent, NOW)
    assert (order.kind, order.customer, order.amount, order.quantity, order.order_id) == (
        Kind.PURCHASE,
        "ada",
        52.8,
        3,
        "T-1",
    )
    assert [(line.item, line.category, line.quantity, line.amount, line.order_id) for line in lines] == [
        ("L1", "lighting", 2, 49.8, "T-1"),
        ("Bulb", None, 1, 3.0, "T-1"),
    ]
    reloaded = parse({**sent, "event_timestamp": AT + 9_000_000}, NOW, lambda: "other")
    assert [event.message_id for event in reloaded] == [event.message_id for event in [order, *lines]]
    assert parse({**sent, "user_id": "bob"}, NOW)[0].message_id != order.message_id


def test_a_purchase_without_a_transaction_is_known_by_its_record() -> None:
    absent = row("purchase", ecommerce={"transaction_id": "(not set)", "purchase_revenue": 5})
    assert [event.message_id for event in parse(absent, NOW, lambda: "record-1")] == ["record-1"]


@pytest.mark.parametrize(
    ("name", "more", "amount"),
    [
        ("purchase", {"ecommerce": {"purchase_revenue": 0}}, 0.0),
        ("purchase", {"ecommerce": {"purchase_revenue_in_usd": 9}, "params": {"value": 7}}, 7.0),
        ("purchase", {"items": [{"item_id": "a", "price": 2, "quantity": 3}]}, 6.0),
        ("purchase", {"purchase_revenue_usd": 138.0}, 138.0),
        ("refund", {"ecommerce": {"refund_value": 3, "purchase_revenue": 9}}, 3.0),
        ("begin_checkout", {"params": {"value": 12}}, 12.0),
        ("page_view", {}, math.nan),
    ],
)
def test_money_leaves_out_tax_and_shipping(name: str, more: dict[str, Any], amount: float) -> None:
    assert parse(row(name, **more), NOW)[0].amount == pytest.approx(amount, nan_ok=True)


def test_each_product_put_into_the_cart_is_an_event_and_one_looked_at_is_one() -> None:
    items = [{"item_id": "a", "price": 2}, {"item_id": "b", "price": 3, "quantity": 2}]
    added = parse(row("add_to_cart", items=items), NOW, lambda: "r")
    assert [(event.message_id, event.item, event.amount) for event in added] == [("r", "a", 2), ("r:1", "b", 6)]
    viewed = only(row("view_item", items=items[:1]))
    assert (viewed.item, viewed.amount) == ("a", 2)


@pytest.mark.parametrize(
    ("values", "channel"),
    [
        (row("page_view", platform="WEB"), Channel.WEB),
        (row("screen_view", platform="IOS"), Channel.APP),
        (row("page_view", collected_traffic_source={"manual_source": "x", "manual_medium": "email"}), Channel.EMAIL),
        (row("page_view", collected_traffic_source={"gclid": "g"}), Channel.PAID_SEARCH),
        (row("page_view", {"source": "facebook", "medium": "referral"}), Channel.ORGANIC_SOCIAL),
        (row("first_visit", traffic_source={"source": "google", "medium": "organic"}), Channel.ORGANIC_SEARCH),
        (row("page_view", traffic_source={"source": "google", "medium": "organic"}), Channel.WEB),
        (row("session_start", ga_session_number=1.0, first_source="(direct)", first_medium="(none)"), Channel.DIRECT),
        (row("session_start", ga_session_number=2.0, first_source="(direct)", first_medium="(none)"), Channel.WEB),
        (row("first_visit", first_source="<Other>", first_medium="(data deleted)"), Channel.WEB),
        (row("notification_open", platform="ANDROID"), Channel.PUSH),
    ],
)
def test_the_first_visit_has_the_first_channel_and_others_their_own(values: dict[str, Any], channel: Channel) -> None:
    assert only(values).channel is channel


def test_the_page_and_the_search_are_kept() -> None:
    kept = only(
        row("view_search_results", {"search_term": "lamp", "page_location": "https://x/", "engagement": 3})
    ).properties
    assert dict(kept) == {"search_term": "lamp", "page_location": "https://x/"}


@pytest.mark.parametrize(
    ("values", "field"),
    [
        (row("page_view", event_timestamp="soon"), "event_timestamp"),
        (row("page_view", event_timestamp=1_772_352_000), "event_timestamp"),
        (row("page_view", user_pseudo_id=None), "user_pseudo_id"),
    ],
)
def test_a_fault_names_its_field(values: dict[str, Any], field: str) -> None:
    with refused(field):
        parse(values, NOW)


@pytest.mark.parametrize(
    ("values", "fields"),
    [
        (row("add_to_cart", items=[{"item_id": "a"}, {"item_id": "b", "quantity": -1}]), ["items[1].quantity"]),
        (row("purchase", ecommerce={"total_item_quantity": "x"}), ["ecommerce.total_item_quantity"]),
        (row("page_view", traffic_source="google") | {"event_name": "first_visit"}, ["traffic_source"]),
        (row("page_view") | {"event_params": {"key": "value"}}, ["event_params"]),
        (row("add_to_cart", items="L1"), ["items"]),
        (row("purchase", items=[None, {"item_id": "a"}], ecommerce=[1]), ["ecommerce", "items[0]"]),
        (row("purchase", {"value": -1.0}), ["event_params.value"]),
    ],
)
def test_a_value_that_cannot_be_read_is_left_out_and_told(values: dict[str, Any], fields: list[str]) -> None:
    unread: Unread = []
    assert parse(values, NOW, unread=unread)
    assert [bad.field for bad in unread] == fields


def test_money_in_dollars_is_taken_where_there_is_no_other() -> None:
    items = [{"item_id": "mug", "price_in_usd": "44.5", "price": None, "quantity": "2"}]
    commerce = {"transaction_id": "t-2", "purchase_revenue": None, "purchase_revenue_in_usd": "89.0"}
    order, line = parse(row("purchase", items=items, ecommerce=commerce), NOW)
    assert (order.amount, order.quantity) == (89.0, 2)
    assert (line.item, line.quantity, line.amount) == ("mug", 2, 89.0)
