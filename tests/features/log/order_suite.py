"""One order told by several messages is one order, and an order number used again is another order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from features.events import DAY, HOUR, Event, Kind
from features.log.contract import EventLog
from features.log.orders import order_message
from features.sources.fields.orders import purchased
from tests.features.log.base import StoreSuite
from tests.features.log.samples import event, identify

NOON = event(1).at // DAY * DAY + 12 * HOUR
NIGHT = NOON + 12 * HOUR


def order(
    customer: str,
    number: str,
    at: int,
    amount: float = 40.0,
    visitor: str | None = None,
    items: Sequence[str] = ("mug",),
) -> list[Event]:
    """An order of some products, as a message tells of it."""
    told = {} if visitor is None else {"anonymous_id": visitor}
    head = Event(
        order_message(customer, number, at), customer, Kind.PURCHASE, at, at, amount=amount, order_id=number,
        properties=told,
    )  # fmt: skip
    return purchased(head, [(item, None, 2.0, amount) for item in items])


def orders(log: EventLog, customer: str) -> list[tuple[float, int]]:
    """The orders of a customer: their money, and how many lines they have."""
    found = log.events(customer, 100)
    lines = [each.message_id.partition(":")[0] for each in found if each.kind is Kind.PURCHASED_ITEM]
    return [(each.amount, lines.count(each.message_id)) for each in found if each.kind is Kind.PURCHASE]


class OrderSuite(StoreSuite):
    """The part of the contract of `features.log.contract.EventStore` that is about orders."""

    def test_an_order_told_twice_is_one(self, log: EventLog) -> None:
        assert log.append(order("ben", "o-7", NOON)).accepted == [True, True]
        again = log.append([*order("ben", "o-7", NOON + 3_000_000), *order("ben", "o-8", NOON)])
        assert again.accepted == [False, False, True, True]
        assert orders(log, "ben") == [(40.0, 1), (40.0, 1)]

    def test_the_products_of_an_order_are_those_of_one_message(self, log: EventLog) -> None:
        log.append(order("ben", "o-7", NOON, items=()))
        assert log.append(order("ben", "o-7", NOON, items=("mug", "bowl"))).accepted == [False, True, True]
        for at in (NOON + 1, NIGHT + 1):
            assert log.append(order("ben", "o-7", at, items=("card", "mug", "bowl"))).accepted == [False] * 4
        both = [*order("ann", "o-9", NOON, items=("mug",)), *order("ann", "o-9", NIGHT, items=("card", "mug"))]
        assert log.append(both).accepted == [True, True, False, False, False]
        bought = [each.item for who in ("ben", "ann") for each in log.events(who, 100)]
        assert Counter(filter(None, bought)) == {"mug": 2, "bowl": 1}

    def test_message_ids_of_a_shop_are_its_own(self, log: EventLog) -> None:
        log.append(order("ben", "o-7", NOON))
        ids = ("order-7", "order-7:1")
        own = [replace(each, message_id=own) for each, own in zip(order("ben", "o-7", NOON), ids, strict=True)]
        assert log.append(own).accepted == [True, True]

    def test_midnight_and_hours_between_make_no_second_order(self, log: EventLog) -> None:
        log.append(order("ben", "o-7", NIGHT - 1))
        assert log.append([event(1), *order("ben", "o-7", NIGHT + 1)]).accepted == [True, False, False]
        assert log.append(order("ben", "o-7", NIGHT - DAY)).accepted == [False, False]
        both = [*order("ann", "o-9", NIGHT + 1), *order("ann", "o-9", NIGHT - 1)]
        assert log.append(both, history=True).accepted == [True, True, False, False]

    def test_a_number_that_is_used_again_is_another_order(self, log: EventLog) -> None:
        log.append(order("ben", "17", NOON, 10.0))
        assert log.append(order("ben", "17", NOON + 3 * DAY, 30.0)).accepted == [True, True]
        assert log.append(order("ann", "17", NOON, 50.0)).accepted == [True, True]
        assert sorted(amount for amount, _ in orders(log, "ben")) == [10.0, 30.0]
        assert orders(log, "ann") == [(50.0, 1)]

    def test_a_visitor_and_who_it_was_have_one_order(self, log: EventLog) -> None:
        log.append(order("visitor-1", "o-1", NOON))
        assert log.append(order("ann", "o-1", NOON + HOUR, visitor="visitor-1")).accepted == [False, False]
        log.append([*order("visitor-2", "o-2", NOON), replace(identify(5, "bob", "visitor-2"), received=NOON)])
        assert log.append(order("bob", "o-2", NOON + HOUR)).accepted == [False, False]
        assert orders(log, "bob") == [(40.0, 1)]

    def test_what_is_no_message_about_an_order_is_known_by_its_own_id(self, log: EventLog) -> None:
        own = [Event(f"own-{number}", "ben", Kind.PURCHASE, NOON, NOON, order_id="o-1") for number in range(2)]
        assert log.append(own).accepted == [True, True]
