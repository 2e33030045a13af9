"""A server with keys, and what it knows of the customers that clients told it of."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import httpx2

from tests.serving.clients.proxy import Fault
from tests.serving.server_process import Server

FAULTS: tuple[Fault, ...] = ("pass", "429", "500", "dropped", "lost")
"""What a client must survive, each in a run of its own."""

MESSAGES = Counter(IDENTIFY=3, PURCHASE=1, PAGE_VIEW=2)
"""The events of one call of each kind: identify, track (an order), page, screen, group and alias."""

VISIT = ("PAGE_VIEW", "ITEM_VIEW", "CART_ADD", "IDENTIFY", "PURCHASE", "PURCHASED_ITEM")


@dataclass(frozen=True)
class KeyedServer:
    """A running server, with a key of each of some scopes."""

    server: Server
    write: str
    read: str
    decide: str
    sign: str

    def customer(self, customer: str) -> Any:
        """All that is told of a customer."""
        response = httpx2.get(
            f"{self.server.address}/v1/customers/{customer}?events=500",
            headers={"Authorization": f"Bearer {self.read}"},
            timeout=20,
        )
        assert response.status_code == 200, response.text
        return response.json()

    def events(self, customer: str) -> list[Any]:
        """All events of a customer."""
        events: list[Any] = self.customer(customer)["events"]
        return events

    def kinds(self, customer: str) -> Counter[str]:
        """How many events of each kind a customer has."""
        return Counter(event["kind"] for event in self.events(customer))

    def holds_the_visit(self, user: str, anonymous: str) -> None:
        """Hold a customer to a visit: a product seen and added before the login, and an order of 20 after it."""
        told = self.customer(user)
        kinds = Counter(event["kind"] for event in told["events"])
        assert not Counter(VISIT) - kinds and kinds["PURCHASE"] == kinds["PURCHASED_ITEM"] == 1, kinds
        assert (told["features"]["purchases_ever"], told["features"]["spend_gross_ever"]) == (1, 20)
        assert {user, anonymous} <= set(told["ids"])
        (order,) = (event for event in told["events"] if event["kind"] == "PURCHASE")
        assert (order["amount"], order["quantity"], order["order_id"]) == (20, 2, f"{user}-1")
