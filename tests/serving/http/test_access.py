"""Probes of access: every route, shown everything there is to show, from everywhere, does what the one table says."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from pathlib import Path

import httpx2
import pytest
from starlette.testclient import TestClient

from serving.access.scopes import OPENS, PUBLIC, Kind
from serving.access.sessions import COOKIE, open_session
from serving.http.api_reference import scope_table
from serving.http.route import Route
from serving.http.routes import ROUTES
from serving.http.sender import from_elsewhere
from tests.house.tree import ROOT
from tests.serving.conftest import NOW, Place, serve
from tests.serving.holders import Holders

CUSTOMER = "household-1"
OWN_PAGE = {"sec-fetch-site": "same-origin", "origin": "https://waypost.example"}
PAGES: Mapping[str, dict[str, str]] = {
    "program": {},
    "own page": OWN_PAGE,
    "typed": {"sec-fetch-site": "none"},
    "allowed page": {"origin": "https://shop.example", "sec-fetch-site": "cross-site"},
    "foreign page": {"origin": "https://evil.example", "sec-fetch-site": "cross-site"},
    "neighbour's page": {"origin": "https://other.waypost.example", "sec-fetch-site": "same-site"},
    "foreign page, old browser": {"origin": "https://evil.example"},
    "sandboxed page": {"origin": "null"},
    "foreign picture": {"sec-fetch-site": "cross-site"},
}
FOREIGN = frozenset(PAGES) - {"program", "own page", "typed"}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, champion: Path, stocked: Path) -> Place:
    """A place whose store holds the shop's history."""
    folder = tmp_path_factory.mktemp("access")
    shutil.copy(stocked, folder / "waypost.db")
    return Place(folder, champion)


@pytest.fixture(scope="module")
def holders(place: Place) -> Holders:
    """Keys at the place."""
    return Holders(place)


@pytest.fixture(scope="module")
def client(place: Place, holders: Holders) -> Iterator[TestClient]:
    """A client from far away; the probes are more than one visitor may ask."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("serving.http.auth.VISITOR_REQUESTS_PER_SECOND", 1e6)
        with serve(place, "203.0.113.7", "waypost.example", WAYPOST_ALLOWED_ORIGINS="https://shop.example") as opened:
            yield opened


def shown(holders: Holders, now: int = NOW) -> dict[str, tuple[Kind | None, dict[str, str]]]:
    """Everything a request can show: the kind it is of, None where it is nothing of ours, and the headers."""
    keys: tuple[Kind, ...] = ("write", "decide", "read", "metrics", "sign", "admin")
    cookie = f"{COOKIE.decode()}={open_session(holders.keys['read'], now)}"
    return {
        "nothing": (None, {}),
        **{kind: (kind, holders.bearer(kind)) for kind in keys},
        **{name: (None, holders.bearer(name)) for name in ("expired", "revoked", "foreign")},
        "session": ("session", {"cookie": f"other=1; {cookie}"}),
        "session, changed": (None, {"cookie": cookie[:-1] + ("0" if cookie[-1] != "0" else "1")}),
        "token": ("visitor", {"authorization": f"Bearer {holders.token(CUSTOMER, now)}"}),
        "old token": (None, {"authorization": f"Bearer {holders.token(CUSTOMER, now, seconds=-1)}"}),
        "token as a key": (None, {"x-api-key": holders.token(CUSTOMER, now)}),
    }


def declared(route: Route, name: str, kind: Kind | None, page: str) -> str | None:
    """What the table says: the code of the problem, None when it opens."""
    if route.scope == "open":
        return None
    if kind == "session" and route.key_in != "header":  # it is not looked at: the key of the page stands elsewhere
        return "key_missing"
    if kind is None:
        old = "token_refused" if route.key_in == "header" else "key_unknown"
        codes = {"nothing": "key_missing", "session, changed": "key_missing", "old token": old}
        return codes.get(name, "key_unknown")
    if page in FOREIGN and kind not in PUBLIC:
        return "foreign_origin"
    reads = kind != "session" or route.method == "GET"
    visits = kind != "visitor" or route.visitors
    return None if route.scope in OPENS[kind] and reads and visits else "scope_missing"


def ask(client: TestClient, route: Route, headers: Mapping[str, str]) -> httpx2.Response:
    """A route, asked about one customer."""
    path = route.path
    for name, (_, example) in route.path_parameters.items():
        path = path.replace(f"{{{name}}}", CUSTOMER if name == "customer" else example)
    body = {"customer": CUSTOMER} if route.visitors else next(iter(route.examples.values()), None)
    return client.request(route.method, path, headers=dict(headers), json=body, follow_redirects=False)


def code(response: httpx2.Response) -> str | None:
    """The code of a problem of access."""
    if response.status_code not in (401, 403, 429):
        return None
    return str(response.json()["code"])


@pytest.mark.slow
def test_every_route_does_what_the_table_says(client: TestClient, holders: Holders) -> None:
    wrong, probes = [], 0
    for route in ROUTES:
        for name, (kind, headers) in shown(holders).items():
            for page in PAGES if kind or route.name == "scoreCustomers" else ("program",):
                if route.scope == "open":
                    continue
                probes += 1
                response = ask(client, route, {**headers, **PAGES[page]})
                told = code(response)
                if told != declared(route, name, kind, page) or response.status_code == 500:
                    wrong.append((route.name, name, page, response.status_code, told))
    assert not wrong
    assert probes >= 150


def test_open_routes_ask_for_nothing(client: TestClient) -> None:
    for route in ROUTES:
        if route.scope == "open" and route.name != "logIn":
            for page in PAGES.values():
                assert ask(client, route, page).status_code < 400, route.name


def test_a_visitors_token_speaks_of_its_customer_alone(client: TestClient, holders: Holders) -> None:
    token = {"authorization": f"Bearer {holders.token(CUSTOMER)}"}
    routes = [route for route in ROUTES if route.visitors]
    assert {route.path for route in routes} == {"/v1/scores", "/v1/recommendations", "/v1/next-best-action"}
    for route in routes:
        other = client.request(route.method, route.path, headers=token, json={"customer": "household-2"})
        assert code(other) == "customer_refused", route.name
    both = client.post("/v1/scores", headers=token, json={"customers": [CUSTOMER, "household-2"]})
    assert code(both) == "customer_refused"


def test_a_visitor_is_counted_alone(place: Place, holders: Holders, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.http.auth.VISITOR_REQUESTS_PER_SECOND", 0.02)
    with serve(place) as client:
        token = {"authorization": f"Bearer {holders.token('quick')}"}
        told = [code(client.post("/v1/scores", headers=token, json={"customer": "quick"})) for _ in range(3)]
        assert told == [None, "rate_limited", "rate_limited"]
        other = {"authorization": f"Bearer {holders.token('slow')}"}
        assert client.post("/v1/scores", headers=other, json={"customer": "slow"}).status_code == 200


def test_a_visitors_page_of_an_allowed_origin_may_read_the_answer(client: TestClient, holders: Holders) -> None:
    origin = {"origin": "https://shop.example"}
    asks = {"access-control-request-method": "POST", "access-control-request-headers": "authorization,content-type"}
    preflight = client.options("/v1/recommendations", headers=origin | asks)
    assert preflight.status_code == 204 and "authorization" in preflight.headers["access-control-allow-headers"]
    token = {"authorization": f"Bearer {holders.token(CUSTOMER)}"}
    answer = client.post("/v1/recommendations", headers=origin | token, json={"customer": CUSTOMER, "limit": 2})
    assert answer.status_code == 200 and answer.headers["access-control-allow-origin"] == origin["origin"]
    elsewhere = client.post("/v1/recommendations", headers={"origin": "https://evil.example"} | token, json={})
    assert "access-control-allow-origin" not in elsewhere.headers


HERE = ("127.0.0.1", "127.0.0.1")
WITHOUT_KEYS: Mapping[str, tuple[tuple[str, str], dict[str, str], bool]] = {
    "this machine": (HERE, {}, True),
    "IPv6": (("::1", "[::1]"), {}, True),
    "IPv4 as IPv6": (("::ffff:127.0.0.1", "127.0.0.1"), {}, True),
    "by name": (HERE, {"host": "localhost:3000"}, True),
    "typed": (HERE, PAGES["typed"], True),
    "own page": (HERE, {"host": "localhost:3000", "origin": "http://localhost:3000"}, True),
    "another machine": (("10.0.0.1", "127.0.0.1"), {}, False),
    "another machine as IPv6": (("::ffff:10.0.0.1", "127.0.0.1"), {}, False),
    "a link's neighbour": (("fe80::1", "[::1]"), {}, False),
    "no address": (("testclient", "127.0.0.1"), {}, False),
    "another address of ours": (("127.0.0.1", "10.0.0.2"), {}, False),
    "any address": (("127.0.0.1", "0.0.0.0"), {}, False),
    "a rebound name": (HERE, {"host": "rebound.example"}, False),
    "a name like ours": (HERE, {"host": "localhost.example:3000"}, False),
    "no name": (HERE, {"host": ""}, False),
    "nginx that tells": (HERE, {"x-real-ip": "127.0.0.1"}, False),
    "a page on another port": (HERE, {"origin": "http://localhost:8080"}, False),
    "a page on another port, new browser": (HERE, {"sec-fetch-site": "same-site"}, False),
    **{
        f"a proxy's {name}": (HERE, {name: "127.0.0.1"}, False)
        for name in ("via", "forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "true-client-ip")
    },
    **{page: (HERE, PAGES[page], False) for page in PAGES if page in FOREIGN},
}


@pytest.mark.parametrize("name", WITHOUT_KEYS)
def test_without_keys_this_machine_alone_is_answered(name: str, tmp_path: Path, place: Place) -> None:
    (address, host), headers, answered = WITHOUT_KEYS[name]
    with serve(Place(tmp_path, place.champion), address, host) as opened:
        for route in ROUTES:
            if route.scope != "open":
                assert (code(ask(opened, route, headers)) is None) is answered, route.name


def test_without_keys_an_old_protocol_is_a_proxys() -> None:
    scope = {"client": ("127.0.0.1", 1), "server": ("127.0.0.1", 2), "headers": [(b"host", b"localhost")]}
    assert from_elsewhere({**scope, "http_version": "1.1"}, ()) is None
    assert "HTTP/1.0" in (from_elsewhere({**scope, "http_version": "1.0"}, ()) or "")


def test_without_keys_allowed_pages_may_send_and_nothing_else(tmp_path: Path, place: Place) -> None:
    page = PAGES["allowed page"]
    with serve(Place(tmp_path, place.champion), WAYPOST_ALLOWED_ORIGINS="https://shop.example") as opened:
        for route in ROUTES:
            if route.scope != "open":
                told = code(ask(opened, route, page))
                assert told == (None if route.scope == "write" else "keys_required"), route.name


def test_a_server_whose_keys_are_not_made_yet_answers_nobody(tmp_path: Path, place: Place) -> None:
    bare = Place(tmp_path, place.champion)
    with serve(bare, WAYPOST_KEYS=str(bare.keys)) as opened:
        assert code(opened.post("/v1/scores", json={"customer": "a"})) == "keys_required"
        ready = opened.get("/readyz").json()
        assert not ready["checks"]["keys"]["ok"] and "waypost keys create" in ready["checks"]["keys"]["detail"]


def test_the_page_about_keys_has_the_table() -> None:
    page = (ROOT / "docs" / "howto" / "keys.md").read_text(encoding="utf-8")
    assert "\n".join(scope_table()) in page
