"""A store that goes away, is locked, or is another one when it comes back: refused meanwhile, taken up by itself."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable
from contextlib import closing

import pytest
from starlette.testclient import TestClient

from features.journey import JOURNEY
from serving.engine.state import open_states
from tests.serving.answers import fails
from tests.serving.conftest import NOW, Place, serve
from tests.serving.shop import customer, shop


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the worker look at its store often."""
    monkeypatch.setattr("serving.process.worker.HEARTBEAT_SECONDS", 0.02)
    monkeypatch.setattr("serving.process.maintenance.HEARTBEAT_SECONDS", 0.02)


def send(client: TestClient, who: str = "anna") -> int:
    """Send one event; the status of the answer."""
    return client.post("/v1/events", json={"customer": who, "kind": "PURCHASE", "amount": 1}).status_code


def known(client: TestClient, who: str) -> bool:
    """Whether a score knows a customer."""
    return bool(client.post("/v1/scores", json={"customer": who}).json()["results"][0]["known"])


def until(true: Callable[[], bool]) -> None:
    """Return once it is true."""
    for _ in range(250):
        if true():
            return
        time.sleep(0.02)
    raise AssertionError("it did not come to pass")


def states(place: Place) -> int:
    """How many states are stored."""
    with closing(sqlite3.connect(place.folder / "waypost.db")) as connection:
        return int(connection.execute("SELECT count(*) FROM states").fetchone()[0])


def move(place: Place, source: str, target: str) -> None:
    """Rename the files of a store."""
    for suffix in ("", "-wal", "-shm"):
        path = place.folder / f"{source}{suffix}"
        if path.exists():
            path.rename(place.folder / f"{target}{suffix}")


def test_a_worker_started_again_makes_no_empty_store_where_one_is_missing(place: Place) -> None:
    move(place, "waypost.db", "away.db")
    with serve(place, WAYPOST_CREATE_STORE="no") as client:
        fails(client.post("/v1/events", json={"customer": "anna", "kind": "PURCHASE"}), "store_unavailable")
        assert not (place.folder / "waypost.db").exists()
        move(place, "away.db", "waypost.db")
        until(lambda: send(client) == 200)


def test_a_missing_store_is_taken_up_when_it_is_back(place: Place) -> None:
    with serve(place) as client:
        assert send(client) == 200
        move(place, "waypost.db", "away.db")
        fails(client.post("/v1/events", json={"customer": "anna", "kind": "LOGIN"}), "store_unavailable")
        until(lambda: client.post("/v1/scores", json={"customer": "anna"}).status_code == 503)
        assert not client.get("/readyz").json()["checks"]["store"]["ok"]
        assert not (place.folder / "waypost.db").exists()
        move(place, "away.db", "waypost.db")
        until(lambda: send(client) == 200)
        until(lambda: client.get("/readyz").status_code == 200)
        assert client.get("/v1/customers/anna").json()["features"]["purchases_ever"] == 2


def test_another_log_in_its_place_is_served_and_its_states_are_rebuilt(place: Place) -> None:
    other = open_states(f"sqlite:///{place.folder / 'other.db'}", JOURNEY, 1.0)
    other.log.append([each for each in shop(NOW) if each.customer == customer(1)], history=True)
    other.close()
    with serve(place) as client:
        assert send(client, "only-here") == 200 and known(client, "only-here")
        move(place, "waypost.db", "away.db")
        move(place, "other.db", "waypost.db")
        until(lambda: not known(client, "only-here"))
        assert known(client, customer(1)) and not known(client, customer(2))
        until(lambda: send(client) == 200)
        until(lambda: client.get("/readyz").status_code == 200)
        until(lambda: states(place) == 2)


def test_the_old_log_beside_a_new_one_is_refused(place: Place) -> None:
    other = open_states(f"sqlite:///{place.folder / 'other.db'}", JOURNEY, 1.0)
    other.close()
    with serve(place) as client:
        assert send(client) == 200
        (place.folder / "other.db").replace(place.folder / "waypost.db")
        assert send(client) == 503
        until(lambda: "-wal" in client.get("/readyz").json()["checks"]["store"]["detail"])
        for suffix in ("-wal", "-shm"):
            (place.folder / f"waypost.db{suffix}").unlink()
        until(lambda: send(client) == 200)


def test_a_locked_store_is_said_to_be_busy_and_works_again(place: Place) -> None:
    with serve(place) as client:
        with closing(sqlite3.connect(place.folder / "waypost.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            fails(client.post("/v1/events", json={"customer": "anna", "kind": "LOGIN"}), "store_busy")
            assert known(client, customer(1))
            other.execute("ROLLBACK")
        assert send(client) == 200


def test_a_full_disk_is_told_and_nothing_is_half_done(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    from features.log.sqlite import SqliteLog

    append = SqliteLog.append

    def full(log: SqliteLog, *given: object, **options: object) -> object:
        pages = log.connection.execute("PRAGMA page_count").fetchone()[0]
        log.connection.execute(f"PRAGMA max_page_count = {pages}")
        return append(log, *given, **options)  # type: ignore[arg-type]

    sent = [{"customer": f"c-{n}", "kind": "LOGIN", "message_id": f"m-{n}", "item": "x" * 200} for n in range(1000)]
    with serve(place) as client:
        monkeypatch.setattr(SqliteLog, "append", full)
        fails(client.post("/v1/events", json=sent), "store_full")
        monkeypatch.setattr(SqliteLog, "append", append)
        with closing(sqlite3.connect(place.folder / "waypost.db")) as connection:
            found = connection.execute("SELECT count(*) FROM events WHERE message_id LIKE 'm-%'").fetchone()
        assert found == (0,)
