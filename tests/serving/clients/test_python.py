"""segment-analytics-python and rudder-sdk-python against a real server, through a network that fails."""

from __future__ import annotations

import gzip
import json
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from rudderstack.analytics.client import Client as RudderClient
from segment.analytics.client import Client as SegmentClient

from tests.serving.clients.proxy import Fault, FaultyProxy
from tests.serving.clients.shop import FAULTS, MESSAGES, KeyedServer

Opened = Callable[[str, str, Callable[[Exception, Any], None]], Any]
"""Makes a client from the host, the key, and what to call with what could not be sent."""


def segment(packed: bool) -> Opened:
    return lambda host, key, failed: SegmentClient(
        key, host=host, gzip=packed, on_error=failed, upload_interval=0.05, timeout=10
    )


def rudder(packed: bool) -> Opened:
    return lambda host, key, failed: RudderClient(
        key, host=host, gzip=packed, on_error=failed, upload_interval=0.05, timeout=10
    )


CLIENTS = {
    "segment": segment(False),
    "segment-gzip": segment(True),
    "rudder": rudder(False),
    "rudder-gzip": rudder(True),
}


def send(client: Any, user: str) -> None:
    """One call of each kind."""
    client.identify(user, {"plan": "pro"}, anonymous_id=f"{user}-browser")
    client.track(user, "Order Completed", {"revenue": 9.5, "order_id": f"{user}-1"})
    client.page(user, "docs", "Home", {"path": "/"})
    client.screen(user, "docs", "Start")
    client.group(user, "g1", {"plan": "pro"})
    client.alias(f"{user}-before", user)


def ids(body: bytes) -> list[str]:
    """The message ids of a batch, as it was sent."""
    text = gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body
    return [message["messageId"] for message in json.loads(text)["batch"]]


@pytest.mark.parametrize("name", CLIENTS)
def test_every_call_lands_once_whatever_happens_on_the_way(shop: KeyedServer, name: str) -> None:
    def run(fault: Fault) -> None:
        user, failures = f"{name}-{fault}", list[Exception]()
        with FaultyProxy(shop.server.port, fault) as proxy:
            client = CLIENTS[name](proxy.address, shop.write, lambda error, batch: failures.append(error))
            send(client, user)
            client.flush()
            client.shutdown()
        assert failures == []
        assert proxy.statuses[-1] == 200
        sent = Counter(identity for body in proxy.bodies for identity in ids(body))
        assert len(sent) == 6
        if fault != "pass":
            # On a machine that is busy a client waits too long for its second answer, too, and sends a third time.
            assert proxy.statuses[0] != 200 and max(sent.values()) >= 2, "what failed was sent again under its ids"
        assert shop.kinds(user) == MESSAGES, (name, fault)

    with ThreadPoolExecutor(len(FAULTS)) as pool:
        list(pool.map(run, FAULTS))


@pytest.mark.parametrize("name", CLIENTS)
def test_a_wrong_key_is_told_and_not_sent_again(shop: KeyedServer, name: str) -> None:
    failures: list[Exception] = []
    with FaultyProxy(shop.server.port) as proxy:
        client = CLIENTS[name](proxy.address, "WK123", lambda error, batch: failures.append(error))
        client.track("nobody", "Order Completed", {})
        client.flush()
        client.shutdown()
    assert proxy.statuses == [401]
    assert len(failures) == 1 and "key" in str(failures[0])


@pytest.mark.parametrize("name", ["segment-gzip", "rudder-gzip"])
def test_thousands_of_events_land_once(shop: KeyedServer, name: str) -> None:
    failures: list[Exception] = []
    user = f"{name}-many"
    with FaultyProxy(shop.server.port, "pass", "lost", "pass", "500") as proxy:
        client = CLIENTS[name](proxy.address, shop.write, lambda error, batch: failures.append(error))
        for number in range(450):
            client.track(user, "Product Viewed", {"product_id": f"item-{number}"})
        client.flush()
        client.shutdown()
    assert failures == []
    items = [event["item"] for event in shop.events(user)]
    assert sorted(items) == sorted(f"item-{number}" for number in range(450))


@pytest.mark.parametrize("name", ["segment", "rudder-gzip"])
def test_a_visit_is_one_customer_with_an_order_of_its_amount(shop: KeyedServer, name: str) -> None:
    failures: list[Exception] = []
    user, anonymous = f"{name}-visit", f"{name}-visit-browser"
    client = CLIENTS[name](shop.server.address, shop.write, lambda error, batch: failures.append(error))
    mug = {"product_id": "mug", "price": 10}
    client.page(anonymous_id=anonymous, name="Mug")
    client.track(anonymous_id=anonymous, event="Product Viewed", properties=mug)
    client.track(anonymous_id=anonymous, event="Product Added", properties={**mug, "quantity": 2})
    client.identify(user, {"plan": "pro"}, anonymous_id=anonymous)
    order = {"order_id": f"{user}-1", "revenue": 20, "total": 24, "tax": 4, "products": [{**mug, "quantity": 2}]}
    client.track(user, "Order Completed", order)
    client.flush()
    client.shutdown()
    assert failures == []
    shop.holds_the_visit(user, anonymous)
