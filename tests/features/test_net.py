"""Gross and net money, with numbers to check by eye: what refunds and cancellations take back."""

from __future__ import annotations

from math import nan

import pytest

from features.aggregates import net
from features.aggregates.base import Row
from features.events import DAY, ORDER_CANCEL, PURCHASE, REFUND, Kind
from features.sources.formats.segment import parse
from tests.features.test_journey import features_of, happening

TWO = [(PURCHASE, 0.0, 50.0), (PURCHASE, 1.0, 30.0)]
CASES: dict[str, tuple[list[tuple[Kind, float, float]], float, float]] = {
    "no refund": ([(PURCHASE, 0, 50)], 50, 0.0),
    "a part comes back": ([(PURCHASE, 0, 50), (REFUND, 1, 30)], 20, 0.6),
    "larger than the order, for the shipping": ([(PURCHASE, 0, 50), (REFUND, 1, 60)], 0, 1.0),
    "an order that nobody told us of": ([(REFUND, 0, 30), (PURCHASE, 1, 50)], 50, 0.0),
    "a negative refund is one": ([(PURCHASE, 0, 50), (REFUND, 1, -30)], 20, 0.6),
    "a cancellation with its amount": ([*TWO, (ORDER_CANCEL, 2, 50)], 30, 0.625),
    "a cancellation without: the latest order": ([*TWO, (ORDER_CANCEL, 2, nan)], 50, 0.375),
    "what is left of the latest order": ([(PURCHASE, 0, 50), (REFUND, 1, 20), (ORDER_CANCEL, 2, nan)], 0, 1.0),
    "cancelled, then refunded: the same money": ([*TWO, (ORDER_CANCEL, 2, nan), (REFUND, 3, 30)], 50, 0.375),
    "refunded, then cancelled": ([*TWO, (REFUND, 2, 30), (ORDER_CANCEL, 3, 30)], 50, 0.375),
    "two lines of one price refunded": ([(PURCHASE, 0, 50), (REFUND, 1, 10), (REFUND, 2, 10)], 30, 0.4),
    "cancelled twice without an amount": ([*TWO, (ORDER_CANCEL, 2, nan), (ORDER_CANCEL, 3, nan)], 50, 0.375),
    "an order of unknown money": ([(PURCHASE, 0, 50), (PURCHASE, 1, nan), (REFUND, 2, 10)], 40, 0.2),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_net_is_gross_less_what_was_taken_back(case: str) -> None:
    story, left, share = CASES[case]
    events = happening(*((kind, round(day * DAY), {"amount": amount}) for kind, day, amount in story))
    features = features_of(events, 5 * DAY)
    gross = sum(amount for kind, _, amount in story if kind == PURCHASE and amount == amount)  # noqa: PLR0124
    assert features["spend_gross_ever"] == features["spend_gross_28d"] == gross
    assert features["spend_net_ever"] == features["spend_net_90d"] == left
    assert features["refund_share"] == pytest.approx(share)


def test_compiled_and_meant_agree_on_what_is_the_same_money() -> None:
    """A cancellation and a refund of 10,000 that differ by 0.012 are one, by the fold and by its meaning."""
    story = [(PURCHASE, 0, 30_000.0), (ORDER_CANCEL, 1, 10_000.0), (REFUND, 2, 10_000.012)]
    events = happening(*((kind, day * DAY, {"amount": amount}) for kind, day, amount in story))
    rows = [Row(day * DAY, day * DAY, int(kind), 0, -1, -1, 1.0, amount, nan) for kind, day, amount in story]
    meant = net(within=90 * DAY).meaning_of("read_ever", rows, 3 * DAY)
    assert features_of(events, 3 * DAY)["spend_net_ever"] == meant == 20_000.0


def test_what_was_taken_back_leaves_the_window_with_its_order() -> None:
    """An order of 50 whose 30 came back two months later: 20 count as long as the order does, then none do."""
    events = happening((PURCHASE, 0, {"amount": 50.0}), (REFUND, 60 * DAY, {"amount": 30.0}))
    assert [features_of(events, day * DAY)["spend_net_90d"] for day in (60, 70, 120)] == [20, 20, 0]
    assert features_of(events, 120 * DAY)["spend_net_ever"] == 20


def test_the_newest_orders_are_taken_back_first() -> None:
    """A refund of 40 after orders of 50, two months ago, and 30: the 30 are gone, and 10 of the 50."""
    events = happening(
        (PURCHASE, 0, {"amount": 50.0}), (PURCHASE, 60 * DAY, {"amount": 30.0}), (REFUND, 61 * DAY, {"amount": 40.0})
    )
    assert features_of(events, 62 * DAY)["spend_net_90d"] == 40
    assert features_of(events, 130 * DAY)["spend_net_90d"] == 0


@pytest.mark.parametrize("more", [{}, {"products": [{"product_id": "mug", "price": 19}]}])
def test_a_refund_told_as_the_published_example_tells_it(more: dict[str, object]) -> None:
    sent = {"type": "track", "userId": "ada", "messageId": "m", "event": "Order Refunded"}
    (refund,) = parse({**sent, "properties": {"order_id": "o-1", "total": 30, "currency": "USD", **more}}, 10**15)
    assert (refund.kind, refund.amount) == (REFUND, 30)
    events = happening((PURCHASE, 0, {"amount": 50.0}), (refund.kind, DAY, {"amount": refund.amount}))
    assert features_of(events, 2 * DAY)["refund_share"] == pytest.approx(0.6)
