"""Who may ask: every route opens to the keys of its scope and to no others, and what stands before them."""

from __future__ import annotations

import base64
import json
import logging
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import httpx2
import pytest
from starlette.testclient import TestClient

from features.events import DAY
from serving.access.scopes import SCOPES
from serving.http.route import Route, opens
from serving.http.routes import ROUTES
from tests.serving.answers import fails
from tests.serving.conftest import NOW, Place, serve
from tests.serving.holders import EVENT, MESSAGE, Holders
from tests.serving.server_process import Server

MEASUREMENT = {"client_id": "1.2", "events": [{"name": "login"}]}


@pytest.fixture
def holders(place: Place) -> Holders:
    """Keys at the place."""
    return Holders(place)


@pytest.fixture
def guarded(place: Place, holders: Holders) -> Iterator[TestClient]:
    """A client of a server with keys, from far away."""
    with serve(place, client="203.0.113.7", host="waypost.example") as client:
        yield client


def ask(client: TestClient, route: Route, headers: dict[str, str]) -> httpx2.Response:
    """The first example of a route, asked."""
    path = route.path
    for name, (_, example) in route.path_parameters.items():
        path = path.replace(f"{{{name}}}", example)
    body = next(iter(route.examples.values()), None)
    return client.request(route.method, path, headers=headers, **({} if body is None else {"json": body}))


def expected(route: Route, holder: str) -> str | None:
    """The problem that the scope table gives a holder; None when it lets in."""
    if route.scope == "open":
        return None
    if holder == "nobody":
        return "key_missing"
    scope = next((each for each in SCOPES if each == holder), None)
    if scope is None:
        return "key_unknown"
    return None if opens(scope, route) else "scope_missing"


def test_every_route_opens_to_the_keys_of_its_scope_alone(
    guarded: TestClient, holders: Holders, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    wrong: list[tuple[object, ...]] = []
    seen = ""
    for route in ROUTES:
        for holder in ("nobody", *holders.texts):
            response = ask(guarded, route, {} if holder == "nobody" else holders.bearer(holder))
            denied = route.scope != "open" and response.status_code in (401, 403, 429)
            code = response.json()["code"] if denied else None
            if code != expected(route, holder) or response.status_code == 500:
                wrong.append((route.name, holder, response.status_code, code))
            if response.status_code == 401 and "Bearer" not in response.headers["www-authenticate"]:
                wrong.append((route.name, holder, "no challenge"))
            seen += response.text + str(response.headers)
            check_headers(route, response)
    assert not wrong
    seen += caplog.text + "".join(str(vars(each)) for each in caplog.records)
    assert not [name for name, text in holders.texts.items() if text in seen or text.split("_")[3] in seen]
    assert not [name for name, key in holders.keys.items() if key.digest.hex() in seen]


def check_headers(route: Route, response: httpx2.Response) -> None:
    """The headers of security are on an answer, each once."""
    names = [name for name, _ in response.headers.multi_items()]
    for name in ("x-content-type-options", "referrer-policy", "cross-origin-resource-policy", "permissions-policy"):
        assert names.count(name) == 1, (route.name, name)
    if route.scope != "open":
        assert response.headers["cache-control"] == "no-store", route.name
    if response.headers.get("content-type", "").startswith("text/html"):
        policy = response.headers["content-security-policy"]
        assert "default-src 'none'" in policy and "script" not in policy and "frame-ancestors 'none'" in policy
    assert "access-control-allow-origin" not in response.headers


def test_unknown_and_expired_keys_are_told_the_same(guarded: TestClient, holders: Holders) -> None:
    told = {
        fails(guarded.post("/v1/scores", json=EVENT, headers=holders.bearer(name)), "key_unknown")["detail"]
        for name in ("expired", "revoked", "foreign")
    }
    assert len(told) == 1


def basic(text: str) -> str:
    """The header of a key as the user of Basic."""
    return "Basic " + base64.b64encode(f"{text}:".encode()).decode()


WAYS: dict[str, Callable[[str], dict[str, Any]]] = {
    "basic": lambda key: {"headers": {"authorization": basic(key)}, "json": MESSAGE},
    "bearer": lambda key: {"headers": {"authorization": f"bearer {key}"}, "json": MESSAGE},
    "header": lambda key: {"headers": {"x-api-key": key}, "json": MESSAGE},
    "body": lambda key: {"json": {**MESSAGE, "writeKey": key}},
    "body and another's token": lambda key: {
        "headers": {"authorization": "Bearer eyJhbGciOiJSUzI1NiJ9.e30.c2lnbmVk"},
        "json": {**MESSAGE, "writeKey": key},
    },
    "body and another's bearer": lambda key: {
        "headers": {"authorization": "Bearer somebody-elses"},
        "json": {**MESSAGE, "writeKey": key},
    },
}


@pytest.mark.parametrize("way", WAYS)
def test_a_key_may_stand_wherever_segments_clients_put_it(guarded: TestClient, holders: Holders, way: str) -> None:
    assert guarded.post("/v1/track", **WAYS[way](holders.texts["write"])).json()["accepted"] == 1
    fails(guarded.post("/v1/track", **WAYS[way](holders.texts["expired"])), "key_unknown")
    fails(guarded.post("/v1/track", **WAYS[way](holders.texts["read"])), "scope_missing")


def test_a_key_in_the_header_decides_before_one_in_the_body(guarded: TestClient, holders: Holders) -> None:
    body = {**MESSAGE, "writeKey": holders.texts["write"]}
    fails(guarded.post("/v1/track", json=body, headers=holders.bearer("read")), "scope_missing")
    fails(guarded.post("/v1/events", json=EVENT | {"writeKey": holders.texts["write"]}), "key_missing")


def test_what_a_gateway_adds_hides_no_key_and_no_token(guarded: TestClient, holders: Holders) -> None:
    anothers = base64.urlsafe_b64encode(b'{"alg":"RS256","kid":"gateway"}').decode().rstrip("=") + ".e30.c2lnbmVk"
    gateway = {"authorization": f"Bearer {anothers}"}
    assert guarded.get("/metrics", headers=gateway | {"x-api-key": holders.texts["read"]}).status_code == 200
    fails(guarded.get("/metrics", headers=gateway | {"x-api-key": "the gateway's"}), "token_refused")
    visitor = {"authorization": f"Bearer {holders.token('anna')}", "x-api-key": "the gateway's"}
    assert guarded.post("/v1/scores", headers=visitor, json={"customer": "anna"}).status_code == 200


def test_a_key_may_stand_in_the_query_for_measurements_alone(guarded: TestClient, holders: Holders) -> None:
    for path in ("/mp/collect", "/debug/mp/collect"):
        query = f"{path}?measurement_id=G-1&api_secret="
        assert guarded.post(query + holders.texts["write"], json=MEASUREMENT).status_code in (200, 204)
        fails(guarded.post(query + holders.texts["expired"], json=MEASUREMENT), "key_unknown")
        fails(guarded.post(query + holders.texts["read"], json=MEASUREMENT), "scope_missing")
        fails(guarded.post(path, json=MEASUREMENT), "key_missing")
    fails(guarded.post(f"/v1/events?api_secret={holders.texts['write']}", json=EVENT), "key_missing")


@pytest.mark.parametrize(
    "header", ["", "Basic", "Basic !", "Basic 8J+YgA==", "Bearer", "Digest a", "x", "Basic " + "A" * 9999]
)
def test_whatever_stands_in_the_header_is_judged(guarded: TestClient, header: str) -> None:
    response = guarded.post("/v1/scores", json={"customer": "a"}, headers={"authorization": header})
    fails(response, "key_unknown" if header else "key_missing")


def test_a_head_is_a_get(guarded: TestClient, holders: Holders) -> None:
    assert guarded.head("/v1/segments").status_code == 401
    assert guarded.head("/metrics").status_code == 401
    assert guarded.head("/", headers=holders.bearer("read")).status_code == 200


def test_keys_change_under_a_running_server(place: Place, holders: Holders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.access.keys.LOOK_SECONDS", 0.0)
    with serve(place) as client:
        check_changes(place, holders, client)


def check_changes(place: Place, holders: Holders, client: TestClient) -> None:
    """Change the file and the clock, and see who may send."""

    def opens(name: str) -> bool:
        response = client.post("/v1/events", json=EVENT, headers=holders.bearer(name))
        return response.status_code == 200

    assert (opens("write"), opens("foreign")) == (True, False)
    holders.save("foreign")
    assert (opens("write"), opens("foreign")) == (False, True)
    holders.path.write_text("{")
    assert opens("foreign") and str(holders.path) in client.get("/readyz").json()["checks"]["keys"]["detail"]
    holders.save()
    assert not opens("foreign") and fails(client.post("/v1/events", json=EVENT), "key_missing")
    holders.keys["write"] = replace(holders.keys["write"], expires=NOW + DAY)
    holders.save("write")
    assert opens("write")
    place.now += DAY
    assert not opens("write")


def test_keys_expire_by_the_true_time_whatever_the_clock_is_shifted_by(place: Place, holders: Holders) -> None:
    holders.keys["read"] = replace(holders.keys["read"], expires=NOW + 400 * DAY)
    holders.save("read")
    with serve(place, WAYPOST_CLOCK_SHIFT_DAYS="-500") as client:  # so the true time is 500 days after the place's
        fails(client.post("/v1/scores", json={"customer": "a"}, headers=holders.bearer("read")), "key_unknown")


def test_a_key_is_counted_and_refused_alone(place: Place, holders: Holders) -> None:
    with serve(place, WAYPOST_REQUESTS_PER_SECOND="0.02") as client:

        def post(name: str) -> httpx2.Response:
            return client.post("/v1/scores", json={"customer": "a"}, headers=holders.bearer(name))

        assert post("read").status_code == 200
        refused = post("read")
        fails(refused, "rate_limited")
        assert refused.headers["retry-after"] == refused.headers["x-ratelimit-reset"]
        assert 90 <= int(refused.headers["retry-after"]) <= 100
        assert post("admin").status_code == 200
        fails(post("foreign"), "key_unknown")
        fails(post("foreign"), "rate_limited")
        fails(client.post("/v1/track", json={**MESSAGE, "writeKey": "guess"}), "rate_limited")
        assert all(client.get("/livez").status_code == 200 for _ in range(5))


def test_a_body_may_be_as_large_as_its_route_takes(guarded: TestClient, holders: Holders) -> None:
    fails(guarded.post("/v1/rewards", content=b" " * 70_000, headers=holders.bearer("decide")), "body_too_large")
    deep = json.dumps({**EVENT, "properties": {"a": json.loads("[" * 70 + "]" * 70)}})
    assert (
        "64"
        in fails(guarded.post("/v1/events", content=deep, headers=holders.bearer("write")), "no_event_accepted")[
            "detail"
        ]
    )


def test_a_running_server_guards_its_metrics_and_keeps_keys_to_itself(place: Place, holders: Holders) -> None:
    server = Server(place.folder, place.environment(WAYPOST_WORKERS="1"))
    try:
        server.wait()
        fails(httpx2.get(f"{server.address}/metrics"), "key_missing")
        fails(httpx2.get(f"{server.address}/metrics", headers=holders.bearer("write")), "scope_missing")
        told = httpx2.get(f"{server.address}/metrics", headers=holders.bearer("admin"))
        assert told.status_code == 200 and "waypost_build_info" in told.text
        fails(
            httpx2.post(f"{server.address}/v1/track", json={**MESSAGE, "writeKey": holders.texts["foreign"]}),
            "key_unknown",
        )
        httpx2.post(f"{server.address}/mp/collect?api_secret={holders.texts['write']}", json=MEASUREMENT)
        framework = httpx2.get(f"{server.address}/healthz")
        assert framework.status_code == 200 and framework.headers["x-content-type-options"] == "nosniff"
        processes = subprocess.run(["ps", "-eww", "-o", "args"], capture_output=True, text=True, check=True).stdout
    finally:
        server.stop()
    assert "serving.service:Waypost" in processes
    for text in holders.texts.values():
        assert text.split("_")[3] not in told.text + processes + server.log.read_text()
