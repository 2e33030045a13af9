"""A database server that stops and comes back: refused meanwhile, taken up by itself, nothing acknowledged lost."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import postgres
from tests.serving.answers import fails
from tests.serving.conftest import Place, serve
from tests.serving.process.test_recovery import known, quick, send, until

__all__ = ["quick"]

pytestmark = pytest.mark.slow


@pytest.fixture
def database() -> Iterator[postgres.Server]:
    """A database server that may be stopped."""
    server = postgres.Server()
    yield server
    server.close()


def test_a_database_that_restarts_is_taken_up_by_itself(place: Place, database: postgres.Server) -> None:
    with serve(place, WAYPOST_STORE=database.url) as client:
        assert send(client) == 200 and known(client, "anna")
        until(lambda: client.get("/readyz").status_code == 200)
        database.stop()
        fails(client.post("/v1/events", json={"customer": "anna", "kind": "LOGIN"}), "store_unavailable")
        fails(client.post("/v1/scores", json={"customer": "anna"}), "store_unavailable")
        assert not client.get("/readyz").json()["checks"]["store"]["ok"]
        assert client.get("/livez").status_code == 200
        database.start()
        until(lambda: send(client) == 200)
        until(lambda: client.post("/v1/scores", json={"customer": "anna"}).status_code == 200)
        assert client.get("/v1/customers/anna").json()["features"]["purchases_ever"] == 2
        until(lambda: client.get("/readyz").status_code == 200)
