"""@segment/analytics-node against a real server, through a network that fails."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

from tests.serving.clients.npm import Node
from tests.serving.clients.proxy import Fault, FaultyProxy
from tests.serving.clients.shop import FAULTS, MESSAGES, KeyedServer


def test_every_call_lands_once_whatever_happens_on_the_way(shop: KeyedServer, node: Node) -> None:
    def run(fault: Fault) -> None:
        user = f"node-{fault}"
        with FaultyProxy(shop.server.port, fault) as proxy:
            done = node.run("send.mjs", HOST=proxy.address, KEY=shop.write, CUSTOMER=user)
        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads(done.stdout) == []
        assert proxy.statuses[-1] == 200
        assert (proxy.statuses[0] == 200) == (fault == "pass")
        assert shop.kinds(user) == MESSAGES, fault

    with ThreadPoolExecutor(len(FAULTS)) as pool:
        list(pool.map(run, FAULTS))


def test_a_wrong_key_is_told_and_not_sent_again(shop: KeyedServer, node: Node) -> None:
    with FaultyProxy(shop.server.port) as proxy:
        done = node.run("send.mjs", HOST=proxy.address, KEY="WK123", CUSTOMER="nobody")
    assert done.returncode == 0
    assert json.loads(done.stdout)
    assert set(proxy.statuses) == {401}


def test_a_visit_is_one_customer_with_an_order_of_its_amount(shop: KeyedServer, node: Node) -> None:
    done = node.run("visit.mjs", HOST=shop.server.address, KEY=shop.write, CUSTOMER="node-visit")
    assert (done.returncode, json.loads(done.stdout)) == (0, []), done.stderr
    shop.holds_the_visit("node-visit", "node-visit-browser")
