"""`waypost serve` as a new user starts it, on every address of both protocols, and real proxies before it."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path

import httpx2
import pytest
from playwright.sync_api import Browser

from serving.http.routes import ROUTES
from tests.serving.conftest import Place
from tests.serving.holders import Holders
from tests.serving.http.test_access import CUSTOMER, PAGES, code, declared, shown
from tests.serving.ports import listening
from tests.serving.proxies import proxies
from tests.serving.server_process import Server

KINDS_OF_KEYS = ("write", "decide", "read", "metrics", "sign", "admin")
KINDS = ("nothing", *KINDS_OF_KEYS, "session", "token")
PROBED = ("recordEvents", "scoreCustomers", "decideNextBestAction", "getSegment", "getMetrics", "eraseCustomer")
HOST = {"host": "shop.example"}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, stocked: Path) -> Path:
    """The folder of a shop that has a log and no keys."""
    folder = tmp_path_factory.mktemp("proxies")
    shutil.copy(stocked, folder / "waypost.db")
    return folder


@pytest.fixture(scope="module")
def place(folder: Path, champion: Path) -> Place:
    """The place of that shop."""
    return Place(folder, champion)


@pytest.fixture(scope="module")
def server(place: Place) -> Iterator[Server]:
    """Started for the first time, for everybody, over both protocols."""
    environment = place.environment(WAYPOST_WORKERS="1", WAYPOST_KEYS=str(place.keys), WAYPOST_SWEEP_SECONDS="0.5")
    running = Server(place.folder, environment, host="::")
    try:
        running.wait()
        yield running
    finally:
        assert running.stop() == 0


@pytest.fixture(scope="module")
def behind(server: Server, folder: Path) -> Iterator[dict[str, str]]:
    """The addresses of the proxies before it."""
    with proxies(folder, server.port) as addresses:
        yield addresses


def test_the_first_start_listens_on_one_port_and_keeps_a_key_for_its_owner(server: Server, place: Place) -> None:
    assert listening(server.process.pid) == {("tcp6", str(server.port))}
    for address in (f"http://[::1]:{server.port}", f"http://127.0.0.1:{server.port}"):
        assert code(httpx2.get(f"{address}/v1/segments")) == "key_missing"
    first = place.folder / "first-key.txt"
    assert first.stat().st_mode & 0o777 == 0o600
    told = server.log.read_text()
    assert first.read_text().strip() not in told and str(first) in told
    processes = subprocess.run(["ps", "-eww", "-o", "args"], capture_output=True, text=True, check=True).stdout
    assert first.read_text().strip() not in processes


def test_what_the_first_start_prints_can_be_pasted(server: Server) -> None:
    if shutil.which("curl") is None:
        pytest.skip("curl is not installed")
    told = server.log.read_text().replace("\n", " ")
    command = told[told.index("curl -u") : told.index("; log in")]
    words = ["sh", "-c", f"{command} -s -o /dev/null -w '%{{http_code}}'"]
    ran = subprocess.run(words, capture_output=True, text=True, check=True)
    assert ran.stdout in ("200", "503"), ran.stderr


@pytest.fixture
def holders(server: Server, place: Place) -> Iterator[Holders]:
    """Other keys, which the running server takes up within a second, while a test lasts."""
    first = place.keys.read_bytes()
    holders = Holders(place)
    holders.keys["read"] = replace(holders.keys["read"], expires=None)
    holders.save(*KINDS_OF_KEYS)
    for _ in range(100):
        if httpx2.get(f"{server.address}/metrics", headers=holders.bearer("metrics")).status_code == 200:
            break
        time.sleep(0.05)
    yield holders
    place.keys.write_bytes(first)


def test_behind_proxies_the_table_holds(behind: dict[str, str], holders: Holders) -> None:
    wrong, routes = [], [route for route in ROUTES if route.name in PROBED]
    everything = shown(holders, time.time_ns() // 1000)
    with httpx2.Client(timeout=20) as client:
        for (name, address), route, what in product(behind.items(), routes, KINDS):
            kind, headers = everything[what]
            path = route.path.replace("{customer}", "nobody").replace("{segment}", "at-risk")
            body = {"customer": CUSTOMER, **({"kind": "LOGIN"} if route.scope == "write" else {})}
            for page in ("program", "foreign page") if kind else ("program",):
                sent = {**HOST, **headers, **PAGES[page]}
                json = body if route.method == "POST" else None
                told = code(client.request(route.method, f"{address}{path}", headers=sent, json=json))
                if told != declared(route, what, kind, page):
                    wrong.append((name, route.name, what, page, told))
    assert not wrong


def test_behind_proxies_a_server_without_keys_answers_nobody(place: Place, tmp_path: Path) -> None:
    server = Server(tmp_path, place.environment(WAYPOST_WORKERS="1", WAYPOST_KEYS="none"))
    try:
        server.wait()
        assert httpx2.post(f"{server.address}/v1/scores", json={"customer": "a"}).status_code == 200
        with proxies(tmp_path, server.port) as addresses, httpx2.Client(timeout=20, headers=HOST) as client:
            for name, address in addresses.items():
                told = {
                    method: code(client.request(method, f"{address}{path}"))
                    for method, path in (("DELETE", "/v1/customers/household-1"), ("GET", "/"), ("POST", "/v1/events"))
                }
                assert set(told.values()) == {"keys_required"}, name
                assert client.get(f"{address}/livez").status_code == 200
    finally:
        server.stop()


def test_a_person_logs_in_below_a_prefix_and_every_link_stays_below_it(
    server: Server, behind: dict[str, str], place: Place, browser: Browser
) -> None:
    below = behind["nginx below a prefix"]
    page = browser.new_page()
    asked: list[str] = []
    page.on("response", lambda response: asked.append(f"{response.status} {response.url}"))
    page.goto(f"{below}/")
    assert page.url == f"{below}/login"
    page.get_by_label("Key").fill((place.folder / "first-key.txt").read_text())
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url(f"{below}/")
    assert "Log in" not in page.title()
    links = page.eval_on_selector_all("a, link[rel=stylesheet]", "all => all.map(each => each.href)")
    assert len(links) > 5 and all(link.startswith((f"{below}/", "data:")) for link in links), links
    assert f"200 {below}/style.css" in asked
    for link in {each.partition("#")[0] for each in links}:
        assert page.request.get(link).status in (200, 503), link
    page.close()
