"""Every wrong request, over HTTP: a problem that says what was expected, and nothing lost."""

from __future__ import annotations

import json
import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from features.sources.formats.waypost import COLUMNS as EVENT_COLUMNS
from serving.engine.state.sqlite import SqliteStateStore
from serving.http.resources.customers import CustomerAnswer
from serving.http.resources.events import EventsAnswer, _hint
from serving.http.resources.operations import ReadyAnswer
from serving.http.route import Route
from serving.http.routes import ROUTES
from tests.examples import examples
from tests.serving.answers import fails, ok
from tests.serving.conftest import Place, serve

BODIES: tuple[tuple[str, bytes, str], ...] = (
    ("/v1/events", b'{"customer": ', "no_event_accepted"),
    ("/v1/events", b"\xff\xfe", "malformed_json"),
    ("/v1/events", b"[" * 5000, "malformed_json"),
    ("/v1/events", b"", "malformed_json"),
    ("/v1/events", b"7", "invalid_request"),
    ("/v1/events", b"null", "invalid_request"),
    ("/v1/events", b"[]", "invalid_request"),
    ("/v1/events", b'{"events": 3}', "invalid_request"),
    ("/v1/events", b'{"events": [], "more": 1}', "invalid_request"),
    ("/v1/events", b"[" + b",".join([b"{}"] * 2501) + b"]", "invalid_request"),
    ("/v1/events", b"{}", "no_event_accepted"),
    ("/v1/scores", b"", "malformed_json"),
    ("/v1/scores", b"{'customer': 1}", "malformed_json"),
    ("/v1/scores", b"{}", "invalid_request"),
    ("/v1/scores", b"[]", "invalid_request"),
    ("/v1/scores", b'{"customer": 7}', "invalid_request"),
    ("/v1/scores", b'{"customer": "  "}', "invalid_request"),
    ("/v1/scores", b'{"customer": "a", "customers": ["a"]}', "invalid_request"),
    ("/v1/scores", b'{"customers": []}', "invalid_request"),
    ("/v1/scores", b'{"customer": "a", "targets": []}', "invalid_request"),
    ("/v1/scores", json.dumps({"customers": ["a"] * 1001}).encode(), "invalid_request"),
    ("/v1/scores", json.dumps({"customer": "a" * 257}).encode(), "invalid_request"),
    ("/v1/scores", b'{"customer": "\\ud800"}', "malformed_json"),
    ("/v1/scores", b'{"customers": ["a", "b\\u0000"]}', "invalid_request"),
    ("/v1/next-best-action", b'{"customer": "a", "decision_id": "d\\u0000"}', "invalid_request"),
    ("/v1/rewards", b'{"customer": "a", "decision_id": "d", "value": 1, "reward_id": "\\u0000r"}', "invalid_request"),
    ("/v1/recommendations", b'{"customer": "a", "exclude": ["\\u0000"]}', "invalid_request"),
    ("/v1/recommendations", b'{"customer": "a", "limit": 0}', "invalid_request"),
    ("/v1/recommendations", b'{"customer": "a", "limit": "5"}', "invalid_request"),
    ("/v1/recommendations", b'{"customer": "a", "exclude": "item-1"}', "invalid_request"),
    ("/v1/next-best-action", b'{"customer": "a", "channels": ["PIGEON"]}', "invalid_request"),
    ("/v1/next-best-action", json.dumps({"customer": "a", "decision_id": "d" * 91}).encode(), "invalid_request"),
    ("/v1/rewards", b'{"customer": "a", "decision_id": "d", "value": "much"}', "invalid_request"),
    ("/v1/rewards", b'{"customer": "a", "decision_id": "d", "value": 1e999}', "invalid_request"),
    ("/v1/rewards", b'{"customer": "a", "decision_id": "d", "value": 1}', "unknown_decision"),
)


@pytest.mark.parametrize(("path", "body", "code"), BODIES, ids=[f"{each[0]} {each[1][:40]!r}" for each in BODIES])
def test_a_wrong_body_is_a_problem(client: TestClient, path: str, body: bytes, code: str) -> None:
    problem = fails(client.post(path, content=body, headers={"content-type": "application/json"}), code)
    assert problem["instance"] == path


def test_every_fault_of_a_request_is_named_with_its_place(client: TestClient) -> None:
    body = {"customer": 7, "limit": 500, "colour": "red"}
    problem = fails(client.post("/v1/recommendations", json=body), "invalid_request")
    assert {each["pointer"] for each in problem["errors"]} == {"/customer", "/limit", "/colour"}
    assert "500" in str(problem["errors"])


REQUESTS: tuple[tuple[str, str, dict[str, Any], str], ...] = (
    ("GET", "/v1/nothing", {}, "not_found"),
    ("GET", "/v1/scores/", {}, "not_found"),
    ("GET", "/v1/scores", {}, "method_not_allowed"),
    ("PUT", "/v1/customers/anna", {}, "method_not_allowed"),
    (
        "POST",
        "/v1/scores",
        {"content": b"customer=a", "headers": {"content-type": "text/plain"}},
        "unsupported_media_type",
    ),
    ("POST", "/v1/scores", {"data": {"customer": "a"}}, "unsupported_media_type"),
    ("POST", "/v1/scores", {"json": {}, "headers": {"content-encoding": "br"}}, "unsupported_encoding"),
    ("POST", "/v1/events", {"content": b" " * (1024 * 1024 + 1)}, "body_too_large"),
    ("POST", "/v1/events", {"content": iter([b" " * 300_000] * 40)}, "body_too_large"),
    ("GET", "/v1/customers/", {}, "not_found"),
    ("GET", "/v1/customers/anna?events=many", {}, "invalid_request"),
    ("GET", "/v1/customers/anna?colour=red", {}, "invalid_request"),
    ("GET", "/v1/customers/anna?events=3&events=4", {}, "invalid_request"),
    ("GET", "/v1/segments/at-risk?format=json&format=csv", {}, "invalid_request"),
    ("GET", "/v1/segments", {}, "scoreboard_missing"),
    ("GET", "/v1/journey", {}, "scoreboard_missing"),
    ("GET", "/v1/segments/at-risk", {}, "scoreboard_missing"),
    ("GET", "/v1/segments/heroes", {}, "unknown_segment"),
    ("GET", "/v1/segments/at-risk?limit=0", {}, "invalid_request"),
    ("GET", "/v1/segments/at-risk?cursor=x", {}, "invalid_request"),
    ("GET", f"/v1/segments/at-risk?cursor={'9' * 300}-3", {}, "invalid_request"),
    ("GET", f"/v1/segments/at-risk?cursor=00000009-{'9' * 5000}", {}, "invalid_request"),
    ("GET", "/v1/customers/an%00na", {}, "invalid_request"),
    ("GET", f"/v1/customers/{'a' * 257}", {}, "invalid_request"),
    ("GET", "/v1/segments/at-risk?cursor=00000009-3", {}, "cursor_expired"),
    ("GET", "/v1/segments/at-risk?format=xml", {}, "invalid_request"),
)


@pytest.mark.parametrize(("method", "path", "more", "code"), REQUESTS, ids=[f"{r[0]} {r[1]} {r[3]}" for r in REQUESTS])
def test_a_wrong_request_is_a_problem(
    client: TestClient, method: str, path: str, more: dict[str, Any], code: str
) -> None:
    response = client.request(method, path, **more)
    fails(response, code)
    if code == "method_not_allowed":
        assert response.headers["allow"]


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_an_unknown_parameter_is_an_error_on_every_route(client: TestClient, route: Route) -> None:
    path = re.sub(r"\{.*?\}", "anna", route.path)
    response = client.request(route.method, f"{path}?at=2017-11-15&colour=red")
    if route.parameters is None:  # clients of others' protocols add to an address what they like
        assert "unknown_parameter" not in response.text
        return
    problem = fails(response, "invalid_request")
    assert [error["pointer"] for error in problem["errors"]] == ["?at", "?colour"]
    takes = f"it takes {', '.join(sorted(route.parameters))}" if route.parameters else "it takes none"
    assert problem["detail"] == f"?at is no query parameter of {route.method} {route.path}; {takes}."


def test_without_a_model_the_server_says_so_and_still_takes_events(place: Place) -> None:
    place.champion = place.folder / "none"
    with serve(place) as client:
        for path in ("/v1/scores", "/v1/recommendations", "/v1/next-best-action"):
            assert "waypost train" in fails(client.post(path, json={"customer": "a"}), "model_missing")["detail"]
        taken = ok(client.post("/v1/events", json={"customer": "a", "kind": "PURCHASE"}), EventsAnswer)
        assert (taken["accepted"], taken["model"]["version"]) == (1, None)
        assert ok(client.get("/v1/customers/a"), CustomerAnswer)["scores"] == {}
        ready = client.get("/readyz")
        assert ready.status_code == 503
        checks = ReadyAnswer.model_validate_json(ready.content).checks
        assert (checks["model"].ok, checks["store"].ok) == (False, True)


def test_an_unknown_kind_is_told_the_kinds_there_are(client: TestClient) -> None:
    problem = fails(client.post("/v1/events", json={"customer": "a", "kind": "PURCHASES"}), "no_event_accepted")
    assert "Did you mean PURCHASE" in problem["errors"][0]["detail"]
    assert problem["errors"][0]["pointer"] == "/kind"
    problem = fails(client.post("/v1/events", json=[{"customer": "a", "kind": 7}]), "no_event_accepted")
    assert problem["errors"][0]["pointer"] == "/0/kind"
    assert "ITEM_VIEW, " in problem["errors"][0]["detail"]


def test_a_locked_store_answers_503_and_recovers(client: TestClient, place: Place) -> None:
    sent = {"customer": "anna", "kind": "PURCHASE", "message_id": "w-1"}
    with closing(sqlite3.connect(place.folder / "waypost.db", isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        fails(client.post("/v1/events", json=sent), "store_busy")
        fails(client.post("/v1/next-best-action", json={"customer": "anna"}), "store_busy")
        assert client.get("/readyz").status_code == 503
        assert client.post("/v1/scores", json={"customer": "anna"}).status_code == 200
        other.execute("ROLLBACK")
    assert client.post("/v1/events", json=sent).json()["accepted"] == 1
    assert client.get("/readyz").status_code == 200


def test_a_full_store_answers_503_and_keeps_nothing(place: Place) -> None:
    with serve(place) as client:
        ok(client.post("/v1/events", json={"customer": "anna", "kind": "LOGIN"}), EventsAnswer)
        many = [{"customer": f"c-{n}", "kind": "OTHER", "properties": {"text": "x" * 700}} for n in range(1000)]
        with no_room():
            fails(client.post("/v1/events", json=many), "store_full")
        engine = place.engine()
        assert not engine.states.load("c-0").known
        engine.states.close()
        assert client.post("/v1/events", json=many).json()["accepted"] == 1000


COLUMNS = [column.name for column in EVENT_COLUMNS]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=6,
)
FIELDS = sorted({"events", *(name for each in ROUTES if each.request for name in each.request.model_fields), *COLUMNS})


@settings(max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.slow
@given(
    path=st.sampled_from(
        [each.path for each in ROUTES if each.method == "POST" and "text/html" not in each.also_answers]
    ),
    body=st.dictionaries(st.sampled_from(FIELDS), VALUES, max_size=5).map(json.dumps)
    | VALUES.map(json.dumps)
    | st.text(),
)
def test_whatever_is_sent_is_answered_or_a_problem_of_the_client(client: TestClient, path: str, body: str) -> None:
    content = body.encode("utf-8", "replace")
    response = client.post(path, content=content, headers={"content-type": "application/json"})
    if response.status_code not in (200, 204):
        assert 400 <= response.status_code < 500
        fails(response, response.json()["code"])


@contextmanager
def no_room() -> Iterator[None]:
    """While entered, no store can grow: each is at its largest."""
    record = SqliteStateStore.record

    def capped(self: SqliteStateStore, events: Any) -> Any:
        pages = self.log.connection.execute("PRAGMA page_count").fetchone()[0]
        self.log.connection.execute(f"PRAGMA max_page_count = {pages}")
        try:
            return record(self, events)
        finally:
            self.log.connection.execute("PRAGMA max_page_count = 1073741823")

    SqliteStateStore.record = capped  # type: ignore[assignment, method-assign]
    try:
        yield
    finally:
        SqliteStateStore.record = record  # type: ignore[method-assign]


def test_a_fault_of_the_server_is_a_problem_and_the_log_names_nobody(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(self: object, customers: list[str], now: int, wanted: object, **others: object) -> None:
        raise RuntimeError(f"cannot score {customers}")

    monkeypatch.setattr("serving.engine.engine.Engine.score_many", broken)
    problem = fails(client.post("/v1/scores", json={"customer": "jane@example.com"}), "internal_error")
    assert "jane" not in caplog.text and "RuntimeError" in caplog.text
    assert problem["request_id"] in caplog.text


def test_a_kind_that_is_wrong_again_and_again_is_compared_once(client: TestClient) -> None:
    compared = _hint.cache_info().misses
    events = [{"customer": "a", "kind": "PURCHASED_ITENS"}] * 500
    problem = fails(client.post("/v1/events", json=events), "no_event_accepted")
    assert all("Did you mean PURCHASED_ITEM" in error["detail"] for error in problem["errors"])
    assert _hint.cache_info().misses == compared + 1
