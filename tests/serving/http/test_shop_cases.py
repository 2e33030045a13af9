"""What shops really send, one case after the other, and what a shop would call right."""

from __future__ import annotations

import json
import math
from typing import Any

import pytest
from starlette.testclient import TestClient

from features.events import Kind
from features.journey import JOURNEY
from serving.http.protocols.tracking import TrackingAnswer
from tests.serving.answers import ok
from tests.serving.conftest import Place, serve

AT = "2026-05-20T10:00:00.000Z"


def track(name: str, properties: Any, who: str = "ann", **more: Any) -> dict[str, Any]:
    message = {"type": "track", "userId": who, "event": name, "properties": properties, "timestamp": AT}
    return {**message, "messageId": f"{who}-{name}-{json.dumps(properties)[:40]}", **more}


def batch(client: TestClient, *messages: Any) -> Any:
    return ok(client.post("/v1/batch", json={"batch": messages}), TrackingAnswer)


def raw(client: TestClient, body: bytes) -> Any:
    response = client.post("/v1/batch", content=body, headers={"content-type": "application/json"})
    return ok(response, TrackingAnswer)


def features(place: Place, who: str) -> dict[str, float]:
    engine = place.engine()
    try:
        found = engine.profile(who, place.now)
    finally:
        engine.states.close()
    return dict(zip(JOURNEY.names, found.features.tolist(), strict=True)) if found.known else {}


def events(place: Place, who: str) -> list[Any]:
    engine = place.engine()
    try:
        return engine.states.log.events(who, 100)
    finally:
        engine.states.close()


def test_the_first_names_of_segment_are_those_of_today(client: TestClient, place: Place) -> None:
    mug = {"id": "mug", "sku": "MUG-1", "price": 20}
    batch(
        client,
        track("Viewed Product Category", {"category": "Mugs"}),
        track("Viewed Product", mug),
        track("Added Product", {**mug, "quantity": 2}),
        track("Removed Product", {**mug, "quantity": 1}),
        track("Completed Order", {"orderId": "o-1", "total": "26.00", "revenue": "20.00", "products": [mug]}),
    )
    told = {event.kind: event for event in events(place, "ann")}
    assert set(told) == {
        Kind.LIST_VIEW, Kind.ITEM_VIEW, Kind.CART_ADD, Kind.CART_REMOVE, Kind.PURCHASE, Kind.PURCHASED_ITEM,
    }  # fmt: skip
    assert {event.item for kind, event in told.items() if kind not in (Kind.LIST_VIEW, Kind.PURCHASE)} == {"MUG-1"}
    assert (told[Kind.PURCHASE].amount, told[Kind.PURCHASE].order_id) == (20.0, "o-1")
    assert features(place, "ann")["purchases_ever"] == 1


def test_an_order_of_page_and_server_is_one(client: TestClient, place: Place) -> None:
    sold = {"order_id": "o-7", "revenue": 40, "products": [{"product_id": "mug", "price": 20, "quantity": 2}]}
    page = track("Order Completed", sold, anonymousId="visitor-7", messageId="browser-81")
    server = track("Order Completed", sold, messageId="server-12", timestamp="2026-05-20T10:00:03.000Z")
    answer = batch(client, page, server)
    assert (answer["accepted"], answer["duplicates"]) == (1, 1)
    assert batch(client, server)["duplicates"] == 1
    found = features(place, "ann")
    assert (found["purchases_ever"], found["spend_gross_ever"]) == (1, 40)
    assert [event.quantity for event in events(place, "ann") if event.kind is Kind.PURCHASED_ITEM] == [2.0]


@pytest.mark.parametrize("number", ["undefined", "null", "0", 0, "(not set)", "{{ order.id }}", "[object Object]"])
def test_orders_without_a_number_of_their_own_are_as_many_as_their_messages(
    client: TestClient, place: Place, number: Any
) -> None:
    sold = [track("Order Completed", {"order_id": number, "revenue": money}) for money in (40, 30)]
    for message, identity in zip(sold, "ab", strict=True):
        answer = batch(client, {**message, "messageId": identity})
        assert (answer["accepted"], [each["code"] for each in answer["warnings"]]) == (1, ["no_order"])
    params = {"transaction_id": "undefined", "currency": "EUR"}
    for money in (20, 10):
        event = {"name": "purchase", "params": {**params, "value": money}}
        sent = client.post("/mp/collect", json={"client_id": "1.2", "user_id": "ann", "events": [event]})
        assert sent.status_code == 204
    assert sorted(each.amount for each in events(place, "ann") if each.kind is Kind.PURCHASE) == [10, 20, 30, 40]


def test_an_order_whose_message_has_its_number_is_the_page_s_too(client: TestClient, place: Place) -> None:
    sold = {"order_id": "o-7", "revenue": 40}
    batch(client, track("Order Completed", sold, messageId="o-7"))
    assert batch(client, track("Order Completed", sold, messageId="of the page"))["duplicates"] == 1


def test_an_order_of_a_visitor_says_who_it_was(client: TestClient, place: Place) -> None:
    sold = {"order_id": "o-8", "revenue": 40}
    batch(client, track("Product Viewed", {"product_id": "mug"}, userId=None, anonymousId="visitor-8"))
    page = track("Order Completed", sold, userId=None, anonymousId="visitor-8", messageId="page")
    answer = batch(client, page, track("Order Completed", sold, anonymousId="visitor-8", messageId="server"))
    assert (answer["accepted"], answer["duplicates"]) == (1, 1)
    found = features(place, "ann")
    assert (found["purchases_ever"], found["spend_gross_ever"]) == (1, 40)
    assert {event.kind for event in events(place, "ann")} == {Kind.ITEM_VIEW, Kind.PURCHASE, Kind.IDENTIFY}


def test_an_unknown_price_costs_nothing_but_itself(client: TestClient, place: Place) -> None:
    items = {"mug": 20.0, "bowl": math.nan, "jug": 20.0}
    messages = [track("Product Viewed", {"product_id": each, "price": items[each]}, who=each) for each in items]
    body = json.dumps({"batch": messages}).encode()
    assert b'"price": NaN' in body
    answer = raw(client, body)
    assert (answer["accepted"], answer["rejected"]) == (3, [])
    assert [(each["index"], each["field"], each["code"]) for each in answer["warnings"]] == [
        (1, "properties.price", "not_finite")
    ]
    assert [event.item for event in events(place, "bowl")] == ["bowl"]


def test_empty_maps_of_php_are_maps(client: TestClient) -> None:
    page = {"type": "page", "userId": "ann", "name": "Home", "properties": [], "context": [], "messageId": "p"}
    answer = batch(client, track("Signed In", []), page)
    assert (answer["accepted"], answer["warnings"]) == (2, [])


@pytest.mark.parametrize(
    ("products", "items"),
    [
        ({"product_id": "mug", "price": 25, "quantity": 1}, ["mug"]),
        ({"0": {"product_id": "mug", "price": 10}, "1": {"product_id": "bowl", "price": 15}}, ["mug", "bowl"]),
        ([{"product_id": "mug", "price": 25}, None], ["mug"]),
        ([{"product_id": "mug", "price": 30}, {"name": "Voucher", "price": -5}], ["mug"]),
        ([{"product_id": "mug", "price": "dear"}, {"product_id": "bowl", "price": "$5.00"}], ["mug", "bowl"]),
        ("mug", []),
    ],
)
@pytest.mark.parametrize("revenue", [{"revenue": 25}, {}])
def test_an_order_has_its_products_however_they_are_written(
    client: TestClient, place: Place, products: Any, items: list[str], revenue: dict[str, Any]
) -> None:
    assert batch(client, track("Order Completed", {"order_id": "o", "products": products, **revenue}))["accepted"] == 1
    found = events(place, "ann")
    assert sorted(event.item for event in found if event.kind is Kind.PURCHASED_ITEM) == sorted(items)
    (order,) = (event for event in found if event.kind is Kind.PURCHASE)
    unknown = not revenue and ("dear" in str(products) or not items)
    assert math.isnan(order.amount) if unknown else order.amount == 25


@pytest.mark.parametrize(
    ("written", "amount"),
    [("$12.00", 12.0), ("1,299.00", 1299.0), ("12,50 €", 12.5), ("1.234", 1.234), ("CHF 1'234.50", 1234.5), (12, 12.0)],
)
def test_amounts_are_read_as_people_write_them(client: TestClient, place: Place, written: Any, amount: float) -> None:
    assert batch(client, track("Order Completed", {"order_id": "o", "revenue": written}))["warnings"] == []
    assert features(place, "ann")["spend_gross_ever"] == pytest.approx(amount)


@pytest.mark.parametrize(("written", "code"), [("1,234", "ambiguous"), ("a lot", "not_a_number"), (-3, "negative")])
def test_an_amount_that_cannot_be_told_is_unknown(client: TestClient, place: Place, written: Any, code: str) -> None:
    answer = batch(client, track("Order Completed", {"order_id": "o", "revenue": written}))
    assert [(each["field"], each["code"]) for each in answer["warnings"]] == [("properties.revenue", code)]
    assert features(place, "ann")["purchases_ever"] == 1


def test_a_value_in_an_event_of_the_shops_own_is_no_money(client: TestClient, place: Place) -> None:
    own: list[dict[str, Any]] = [{"value": "good"}, {"value": {"type": 10}}, {"value": 7, "score": "high", "price": {}}]
    answer = batch(client, *(track("Filter Changed", each) for each in own))
    assert (answer["accepted"], answer["rejected"], answer["warnings"]) == (3, [], [])
    found = events(place, "ann")
    assert all(event.kind is Kind.OTHER and event.amount != event.amount for event in found)
    assert {str(event.properties["value"]) for event in found} == {"good", "7", "{'type': 10}"}


def test_an_id_of_nobody_joins_nobody(client: TestClient, place: Place) -> None:
    nobody = {"userId": "[object Object]"}
    visitors = [f"visitor-{number}" for number in range(3)]
    messages = [
        {"type": "identify", "anonymousId": visitor, "messageId": f"i-{visitor}", "timestamp": AT, **nobody}
        for visitor in visitors
    ]
    messages += [
        track("Order Completed", {"order_id": visitor, "revenue": 10}, anonymousId=visitor, **nobody)
        for visitor in visitors
    ]
    assert batch(client, *messages)["accepted"] == 6
    assert events(place, "[object Object]") == []
    for visitor in visitors:
        found = features(place, visitor)
        assert (found["purchases_ever"], found["spend_gross_ever"]) == (1, 10)


def test_a_refund_has_its_total(client: TestClient, place: Place) -> None:
    for who, products in (("ann", {}), ("bob", {"products": [{"product_id": "mug", "price": 19}]})):
        batch(client, track("Order Completed", {"order_id": who, "revenue": 50}, who=who))
        batch(client, track("Order Refunded", {"order_id": who, "total": 30, "currency": "USD", **products}, who=who))
        assert features(place, who)["refund_share"] == pytest.approx(0.6)


SALES = [
    track("Order Completed", {"order_id": "o-1", "revenue": 100, "currency": "EUR"}),
    track("Order Completed", {"order_id": "o-2", "revenue": 16_000, "currency": "JPY"}),
]


@pytest.mark.parametrize(
    ("rates", "spend", "codes"),
    [
        ({"WAYPOST_CURRENCY": "eur", "WAYPOST_CURRENCY_RATES": "JPY=0.0061, USD=0.92"}, 197.6, []),
        ({"WAYPOST_CURRENCY": "JPY", "WAYPOST_CURRENCY_RATES": "EUR=160"}, 32_000, []),
        ({"WAYPOST_CURRENCY": "EUR"}, 100, ["no_rate"]),
        ({}, 16_100, ["second_currency"]),
    ],
)
def test_two_currencies_are_not_added_up_in_silence(
    place: Place, rates: dict[str, str], spend: float, codes: list[str]
) -> None:
    with serve(place, **rates) as client:
        answers = [batch(client, sale) for sale in SALES]
    assert [warning["code"] for answer in answers for warning in answer["warnings"]] == codes
    found = features(place, "ann")
    assert found["purchases_ever"] == 2
    assert found["spend_gross_ever"] == pytest.approx(spend)
