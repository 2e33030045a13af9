"""Who is whom over HTTP: joined, taken apart again, handed out, erased without a trace."""

from __future__ import annotations

import json
import os
import sqlite3
import time
from contextlib import closing
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2
import numpy as np
import pytest
from starlette.testclient import TestClient

from features.events import DAY, Event, Kind
from features.journey import JOURNEY
from features.log import open_log
from features.log.contract import Training
from serving.engine.scoreboard import Scoreboard, sweep
from serving.http.resources.customers import CustomerAnswer
from serving.http.resources.merges import UnmergeAnswer
from serving.http.resources.personal_data import ErasureAnswer
from tests import postgres
from tests.serving.answers import fails, ok
from tests.serving.conftest import NOW, Place, serve
from tests.serving.server_process import Server
from tests.serving.shop import customer

WHO, VISITOR = customer(3), "visitor-0000-4711"


def record(client: TestClient | httpx2.Client, *events: dict[str, Any]) -> None:
    """Send events, all of which must be accepted."""
    assert client.post("/v1/events", json=list(events)).json()["accepted"] == len(events)


def visit(number: int) -> dict[str, Any]:
    """What a visitor does before anybody knows who it is."""
    return {"customer": VISITOR, "kind": "ITEM_VIEW", "item": f"item-{number}", "message_id": f"visit-{number}"}


def login(who: str = WHO, visitor: str = VISITOR) -> dict[str, Any]:
    """What tells that a visitor is a customer."""
    return {"customer": who, "kind": "IDENTIFY", "properties": {"anonymous_id": visitor}}


def features(client: TestClient, who: str) -> dict[str, Any]:
    """A customer's features."""
    told: dict[str, Any] = ok(client.get(f"/v1/customers/{quote(who)}"), CustomerAnswer)["features"]
    return told


def test_a_visitor_who_logs_in_is_one_customer_under_either_id(client: TestClient) -> None:
    record(client, visit(1), visit(2))
    before = features(client, WHO)
    alone = ok(client.get(f"/v1/customers/{VISITOR}"), CustomerAnswer)
    assert (alone["ids"], alone["merged_into"]) == ([VISITOR], None)
    record(client, login())
    whole = ok(client.get(f"/v1/customers/{WHO}"), CustomerAnswer)
    same = ok(client.get(f"/v1/customers/{VISITOR}"), CustomerAnswer)
    assert (whole["ids"], whole["merged_into"]) == ([WHO, VISITOR], None)
    assert (same["ids"], same["merged_into"]) == ([WHO, VISITOR], WHO)
    assert whole["features"] == same["features"] and whole["scores"] == same["scores"]
    assert whole["features"]["item_views_7d"] == before["item_views_7d"] + 2
    assert {event["customer"] for event in whole["events"][:3]} == {WHO, VISITOR}


def test_taken_apart_everybody_is_as_if_they_had_never_been_merged(client: TestClient, place: Place) -> None:
    record(client, visit(1), {**login(), "properties": {}}, visit(2))
    never = features(client, WHO), features(client, VISITOR)
    record(client, {**login("ann"), "message_id": "ann-1"}, visit(3))
    answer = ok(client.post("/v1/customers/ann/unmerge"), UnmergeAnswer)
    assert (answer["separated"], answer["profiles"]) == ([VISITOR], [["ann"], [VISITOR]])
    assert features(client, WHO) == never[0]
    assert features(client, VISITOR)["item_views_7d"] == never[1]["item_views_7d"] + 1
    with closing(open_log(place.store)) as log:
        states = JOURNEY.empty()
        JOURNEY.step(states, 0, log.history(VISITOR))
        read = JOURNEY.read(states, 0, NOW)
    found = np.array([np.nan if value is None else value for value in features(client, VISITOR).values()], np.float32)
    assert np.array_equal(found, read, equal_nan=True)
    record(client, {**login("ann"), "message_id": "ann-2"})
    assert ok(client.get("/v1/customers/ann"), CustomerAnswer)["ids"] == ["ann"]
    assert ok(client.post("/v1/customers/nobody/unmerge"), UnmergeAnswer)["profiles"] == []


def test_a_member_is_taken_out_and_the_others_stay(client: TestClient) -> None:
    record(client, visit(1), login(), {**login(WHO, "phone"), "message_id": "phone-1"})
    answer = ok(client.post(f"/v1/customers/{VISITOR}/unmerge"), UnmergeAnswer)
    assert answer["separated"] == [VISITOR]
    assert sorted(answer["profiles"]) == sorted([[WHO, "phone"], [VISITOR]])


def test_an_export_holds_everything_however_much_it_is(client: TestClient, place: Place) -> None:
    record(client, *({**visit(1), "message_id": f"view-{number}"} for number in range(700)))
    record(client, {**visit(1), "message_id": "last", "properties": {"coupon": "naïve"}}, login())
    client.post("/v1/events", json={"customer": VISITOR, "kind": "TELEPORT"})
    response = client.get(f"/v1/customers/{VISITOR}/export")
    assert response.status_code == 200 and response.headers["content-type"] == "application/x-ndjson"
    summary, *lines = [json.loads(line) for line in response.text.splitlines()]
    assert (summary["record"], summary["ids"], summary["known"]) == ("customer", [WHO, VISITOR], True)
    assert set(summary["features"]) == set(JOURNEY.names) and set(summary["scores"]) == {"conversion_7d", "churn_28d"}
    merges, events, letters = ([line for line in lines if line["record"] == record] for record in RECORDS)
    assert [(each["member"], each["profile"], each["undone"]) for each in merges] == [(VISITOR, WHO, False)]
    with closing(open_log(place.store)) as log:
        assert len(events) == len(log.history(WHO)) > 701
    assert [each["received"] for each in events] == sorted(each["received"] for each in events)
    noted = next(each for each in events if each["message_id"] == "last")
    assert (noted["customer"], noted["properties"]) == (VISITOR, {"coupon": "naïve"})
    assert [(each["field"], json.loads(each["raw"])["kind"]) for each in letters] == [("kind", "TELEPORT")]


RECORDS = ("merge", "event", "dead_letter")


def test_nothing_is_exported_of_a_stranger(client: TestClient) -> None:
    (line,) = client.get("/v1/customers/nobody/export").text.splitlines()
    told = json.loads(line)
    assert (told["known"], told["ids"], told["features"]) == (False, ["nobody"], {})


def test_the_receipt_counts_what_was_removed_and_names_the_models(client: TestClient, place: Place) -> None:
    record(client, visit(1), visit(2), login())
    client.post("/v1/next-best-action", json={"customer": VISITOR})
    client.post("/v1/events", json={"customer": WHO, "kind": "TELEPORT"})
    with closing(open_log(place.store)) as log:
        events, first = log.history(WHO), int(log.history(WHO)["received"][0])
        for version, until in (("early", first - 1), ("late", first), ("later", NOW)):
            log.add_training(Training(version, until, NOW))
    engine = place.engine()
    sweep(engine, Scoreboard(place.folder / "scoreboard", JOURNEY.fingerprint), NOW)
    engine.states.close()
    receipt = ok(client.delete(f"/v1/customers/{VISITOR}"), ErasureAnswer)
    assert {name: receipt[name] for name in COUNTED} == {
        "erased": True, "customer_ids": 2, "events": len(events), "decisions": 1, "states": 1, "merges": 1,
        "dead_letters": 1, "scoreboard_rows": 1, "history": None, "models": ["late", "later"],
    }  # fmt: skip
    assert receipt["as_of"] == "2026-05-28T20:26:40Z" and receipt["tombstone"] is True
    assert not any(name in json.dumps(receipt) for name in (WHO, VISITOR))
    for who in (WHO, VISITOR):
        assert ok(client.get(f"/v1/customers/{who}"), CustomerAnswer)["known"] is False
    again = ok(client.delete(f"/v1/customers/{VISITOR}"), ErasureAnswer)
    assert (again["erased"], again["events"], again["models"]) == (False, 0, [])
    assert again["receipt_id"] != receipt["receipt_id"]


COUNTED = (
    "erased", "customer_ids", "events", "decisions", "states", "merges", "dead_letters", "scoreboard_rows", "history",
    "models",
)  # fmt: skip


def test_while_another_reads_the_receipt_says_that_pages_are_left(client: TestClient, place: Place) -> None:
    record(client, visit(1))
    with (
        closing(sqlite3.connect(place.folder / "waypost.db")) as reader,
        closing(reader.execute("SELECT message_id FROM events")) as scan,
    ):
        scan.fetchone()
        receipt = ok(client.delete(f"/v1/customers/{VISITOR}"), ErasureAnswer)
        assert (receipt["erased"], receipt["events"], receipt["complete"]) == (True, 1, False)
        assert ok(client.get(f"/v1/customers/{VISITOR}"), CustomerAnswer)["known"] is False
    again = ok(client.delete(f"/v1/customers/{VISITOR}"), ErasureAnswer)
    assert (again["erased"], again["complete"]) == (False, True)
    assert found(place.folder, [VISITOR.encode()]) == set()


def test_an_erasure_that_did_not_come_about_says_so(client: TestClient, place: Place) -> None:
    record(client, visit(1))
    with closing(sqlite3.connect(place.folder / "waypost.db", isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        fails(client.delete(f"/v1/customers/{VISITOR}"), "store_busy")
    assert ok(client.get(f"/v1/customers/{VISITOR}"), CustomerAnswer)["known"] is True
    assert ok(client.delete(f"/v1/customers/{VISITOR}"), ErasureAnswer)["events"] == 1


@pytest.mark.slow
def test_it_is_the_same_on_postgresql(place: Place) -> None:
    with serve(place, WAYPOST_STORE=postgres.place(place.folder), WAYPOST_BUSY_SECONDS="5") as client:
        record(client, visit(1), {"customer": WHO, "kind": "LOGIN"}, login())
        assert ok(client.get(f"/v1/customers/{VISITOR}"), CustomerAnswer)["ids"] == [WHO, VISITOR]
        assert len(client.get(f"/v1/customers/{VISITOR}/export").text.splitlines()) == 5
        answer = ok(client.post(f"/v1/customers/{VISITOR}/unmerge"), UnmergeAnswer)
        assert answer["profiles"] == [[WHO], [VISITOR]]
        receipt = ok(client.delete(f"/v1/customers/{VISITOR}"), ErasureAnswer)
        assert (receipt["customer_ids"], receipt["events"], receipt["merges"]) == (1, 1, 2)
        receipt = ok(client.delete(f"/v1/customers/{WHO}"), ErasureAnswer)
        assert (receipt["customer_ids"], receipt["events"], receipt["complete"]) == (1, 2, True)


def test_whom_an_erased_id_was_once_joined_with_is_swept_anew(client: TestClient, place: Place) -> None:
    record(client, visit(1), login())
    engine, board = place.engine(), Scoreboard(place.folder / "scoreboard", JOURNEY.fingerprint)
    joined = sweep(engine, board, NOW)
    row = joined.customers.tolist().index(engine.states.log.customers.code(WHO))
    ok(client.post(f"/v1/customers/{VISITOR}/unmerge"), UnmergeAnswer)
    assert not np.isnan(joined.columns["days_since_last"][row])
    ok(client.delete(f"/v1/customers/{VISITOR}"), ErasureAnswer)
    assert np.isnan(joined.columns["days_since_last"][row])
    assert ok(client.get(f"/v1/customers/{WHO}"), CustomerAnswer)["known"] is True
    engine.states.close()


def test_a_name_with_a_slash_is_a_name(client: TestClient) -> None:
    who = "shop/anna export"
    record(client, {"customer": who, "kind": "LOGIN"})
    path = f"/v1/customers/{quote(who)}"
    assert json.loads(client.get(f"{path}/export").text.splitlines()[0])["ids"] == [who]
    assert ok(client.post(f"{path}/unmerge"), UnmergeAnswer)["profiles"] == [[who]]
    assert ok(client.delete(path), ErasureAnswer)["events"] == 1
    fails(client.delete("/v1/customers/%00"), "invalid_request")


def test_an_erasure_reaches_the_second_log(place: Place) -> None:
    history = place.folder / "history"
    past = [
        Event(f"p-{n}", who, Kind.LOGIN, at := NOW - 900 * DAY + n, at) for n, who in enumerate((WHO, VISITOR, "x"))
    ]
    with closing(open_log(f"parquet:{history}")) as log:
        log.append(past, history=True)
        log.add_training(Training("of-the-past", NOW - 800 * DAY, NOW))
    with serve(place, WAYPOST_HISTORY=f"parquet:{history}") as client:
        record(client, visit(1), login())
        receipt = ok(client.delete(f"/v1/customers/{WHO}"), ErasureAnswer)
    assert receipt["history"] == {"events": 2, "dead_letters": 0, "merges": 0}
    assert (receipt["customer_ids"], receipt["models"]) == (2, ["of-the-past"])
    with closing(open_log(f"parquet:{history}")) as log:
        assert (log.count(), log.customers.code(WHO), log.customers.code(VISITOR)) == (1, None, None)
    with serve(place, WAYPOST_HISTORY="parquet:/nowhere/at/all") as client:
        fails(client.delete("/v1/customers/x"), "store_unavailable")


def test_who_withdraws_consent_leaves_the_segments_at_once(client: TestClient, place: Place) -> None:
    engine = place.engine()
    generation = sweep(engine, Scoreboard(place.folder / "scoreboard", JOURNEY.fingerprint), NOW)
    name = max(generation.report["segments"], key=lambda each: generation.report["segments"][each])
    engine.states.close()

    def members() -> list[str]:
        page = client.get(f"/v1/segments/{name}?limit=1000").json()["members"]
        lines = client.get(f"/v1/segments/{name}?format=csv").text.splitlines()[1:]
        assert [line.split(",")[0] for line in lines] == [each["customer"] for each in page]
        return [each["customer"] for each in page]

    first, *others = members()
    record(client, {"customer": first, "kind": "CONSENT_WITHDRAW"})
    assert members() == others


@pytest.fixture
def server(place: Place) -> Any:
    """A server with two workers that sweep again and again, and a second log."""
    with closing(open_log(f"parquet:{place.folder / 'history'}")) as log:
        log.append([Event("p-1", VISITOR, Kind.LOGIN, NOW - 900 * DAY, NOW - 900 * DAY)], history=True)
    environment = {"WAYPOST_SWEEP_SECONDS": "0.2", "WAYPOST_HISTORY": f"parquet:{place.folder / 'history'}"}
    running = Server(place.folder, place.environment(**environment, WAYPOST_BUSY_SECONDS="5"))
    try:
        running.wait()
        yield running
    finally:
        running.stop()


def test_after_an_erasure_a_byte_search_finds_nothing(server: Server, place: Place) -> None:
    """Under the server's folder lie the store, its write-ahead file, the second log, the scoreboard and the log."""
    amount = 4_711.25  # what nobody else paid
    with httpx2.Client(base_url=server.address, timeout=20) as client:
        record(client, visit(1), login(), {"customer": WHO, "kind": "PURCHASE", "amount": amount, "order_id": "o-4711"})
        client.post("/v1/events", json={"customer": VISITOR, "kind": "TELEPORT", "properties": {"to": "secret-place"}})
        client.post("/v1/next-best-action", json={"customer": WHO})
        spent = client.get(f"/v1/customers/{WHO}").json()["features"]["spend_gross_ever"]
        traces = [b"visitor-0000-4711", b"household-3-", b"o-4711", b"secret-place"]
        assert found(place.folder, traces) == set(traces)  # the search does find what is there
        for _ in range(200):
            if swept(place.folder, spent):
                break
            time.sleep(0.05)
        assert swept(place.folder, spent)
        receipt = client.delete(f"/v1/customers/{WHO}").json()
        assert receipt["erased"] and receipt["scoreboard_rows"] and receipt["history"]["events"] == 1
        assert found(place.folder, traces) == set() and not swept(place.folder, spent)
        assert client.get(f"/v1/customers/{WHO}").json()["known"] is False


def found(folder: Path, traces: list[bytes]) -> set[bytes]:
    """Which traces are in any file under a folder."""
    seen = set()
    files = [Path(place, name) for place, _, names in os.walk(folder) for name in names]
    for path in files:  # a generation may be replaced meanwhile
        try:
            content = path.read_bytes() if path.is_file() else b""
        except FileNotFoundError:
            continue
        seen |= {trace for trace in traces if trace in content}
    return seen


def swept(folder: Path, value: float) -> bool:
    """Whether a value is in the columns of any generation."""
    for path in (folder / "scoreboard").glob("[0-9]*/columns.npy"):
        try:
            if np.float32(value) in np.load(path):
                return True
        except FileNotFoundError:
            continue
    return False
