"""Read your writes: whatever was acknowledged is in the next score and profile, from any worker, on any connection."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests import postgres
from tests.serving.conftest import Place
from tests.serving.server_process import Server

CLIENTS = 6
TURNS = 25


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def server(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, champion: Path
) -> Iterator[Server]:
    """A server with two workers over an empty store of each kind."""
    place = Place(tmp_path_factory.mktemp("writes"), champion)
    store = place.store if request.param == "sqlite" else postgres.place(place.folder)
    settings = {"WAYPOST_STORE": store, "WAYPOST_WORKERS": "2", "WAYPOST_BUSY_SECONDS": "10"}
    running = Server(place.folder, place.environment(**settings))
    try:
        running.wait()
        yield running
    finally:
        assert running.stop() == 0


class Client:
    """One of several clients at once, each with customers of its own and some that all share.

    `acknowledged` counts the purchases of every customer that some client was told of.
    """

    def __init__(self, server: Server, number: int, acknowledged: Counter[str], lock: threading.Lock) -> None:
        limits = httpx2.Limits(max_keepalive_connections=0)  # each request may be answered by either worker
        self.http = httpx2.Client(base_url=server.address, limits=limits, timeout=30)
        self.random = random.Random(number)
        self.number = number
        self.acknowledged = acknowledged
        self.lock = lock
        self.sent = 0

    def run(self) -> None:
        """Send and look, in an order of its own."""
        for _ in range(TURNS):
            customers = [self.customer() for _ in range(self.random.randint(1, 4))]
            self.send(customers)
            for customer in self.random.sample(customers, min(2, len(customers))):
                self.look(customer)
        self.http.close()

    def customer(self) -> str:
        """One of its own customers, or one that all clients write about."""
        return self.random.choice(
            [f"own-{self.number}-{self.random.randint(0, 2)}", f"all-{self.random.randint(0, 1)}"]
        )

    def send(self, customers: list[str]) -> None:
        """Send a purchase of each, some of them twice."""
        events: list[dict[str, Any]] = []
        for customer in customers:
            self.sent += 1
            identity = f"{self.number}-{self.sent}"
            events.append({"customer": customer, "kind": "PURCHASE", "amount": 1, "message_id": identity})
        events += self.random.sample(events, self.random.randint(0, 1))
        answer = self.http.post("/v1/events", json=events)
        assert answer.status_code == 200, answer.text
        assert answer.json()["accepted"] == len(customers)
        with self.lock:
            self.acknowledged.update(customers)

    def look(self, customer: str) -> None:
        """What was acknowledged before the question is in the answer; of its own customers, that and nothing else."""
        with self.lock:
            least = self.acknowledged[customer]
        if self.random.random() < 0.5:
            scored = self.http.post("/v1/scores", json={"customer": customer}).json()["results"][0]
            assert (scored["known"], scored["stage"]) == (True, "retention")
        told = self.http.get(f"/v1/customers/{customer}?events=0").json()["features"]["purchases_ever"]
        assert told >= least
        if customer.startswith("own"):
            assert told == least


def test_what_was_acknowledged_is_in_the_next_answer(server: Server) -> None:
    acknowledged: Counter[str] = Counter()
    lock = threading.Lock()
    clients = [Client(server, number, acknowledged, lock) for number in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as pool:
        for finished in [pool.submit(client.run) for client in clients]:
            finished.result()
    with httpx2.Client(base_url=server.address, timeout=30) as http:
        for customer, number in acknowledged.items():
            told = http.get(f"/v1/customers/{customer}?events=0").json()["features"]["purchases_ever"]
            assert told == number
