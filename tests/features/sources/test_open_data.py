"""The adapters of open data sets: Taobao and REES46."""

from __future__ import annotations

from pathlib import Path

from features.events import Channel, Kind
from features.sources import SOURCES
from tests.features.sources.ledger import take


def test_taobao_comes_with_or_without_its_header(tmp_path: Path) -> None:
    rows = "101,5001,70,pv,1511600000\n101,5001,70,cart,1511600060\n"
    bare, headed = tmp_path / "UserBehavior.csv", tmp_path / "headed.csv"
    bare.write_text(rows)
    headed.write_text("user_id,item_id,category_id,behavior_type,timestamp\n" + rows)
    first, second = take(bare, "taobao")[1].events, take(headed, "taobao")[1].events
    assert [event.kind for event in first] == [Kind.ITEM_VIEW, Kind.CART_ADD]
    assert [event.message_id for event in first] == [event.message_id for event in second]


def test_what_taobao_sells_in_one_second_is_one_order() -> None:
    report, ledger = take(SOURCES["taobao"].sample, "taobao")
    (order,) = [event for event in ledger.events if event.kind is Kind.PURCHASE]
    lines = [event for event in ledger.events if event.kind is Kind.PURCHASED_ITEM]
    assert [(line.item, line.category, line.order_id) for line in lines] == [
        ("5001", "70", order.order_id),
        ("5002", "71", order.order_id),
    ]
    assert (report.duplicates, report.skipped) == (1, 1)


def test_rees46_has_prices_and_makes_an_order_of_each_purchase() -> None:
    events = take(SOURCES["rees46"].sample, "rees46")[1].events
    kinds = [event.kind.name for event in events]
    assert kinds == ["ITEM_VIEW", "CART_ADD", "CART_REMOVE", "CART_ADD", "PURCHASE", "PURCHASED_ITEM", "ITEM_VIEW"]
    order, line = events[4], events[5]
    assert (order.amount, order.item, line.item, line.category) == (24.9, None, "9001", "home.lighting.lamp")
    assert line.order_id == order.order_id == order.message_id
    assert events[-1].category == "32", "a product without a category code has its category's number"
    assert {event.channel for event in events} == {Channel.WEB}
    assert dict(events[0].properties) == {"brand": "lumo", "user_session": "s-1"}
