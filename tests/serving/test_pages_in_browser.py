"""The pages in Chromium: whole under their own security policy, and fetching nothing from elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route
from starlette.testclient import TestClient

from serving.scoreboard import Scoreboard, sweep
from tests.serving.conftest import NOW, Place, serve

ADDRESS = "http://waypost.test"
PAGES = ("/", "/docs")


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory, champion: Path, stocked: Path) -> Iterator[TestClient]:
    """A client of the application over the shop, which has been swept."""
    folder = tmp_path_factory.mktemp("pages")
    (folder / "waypost.db").write_bytes(stocked.read_bytes())
    place = Place(folder, champion)
    engine = place.engine()
    sweep(engine, Scoreboard(folder / "scoreboard", engine.fold.fingerprint), NOW)
    engine.states.close()
    with serve(place) as opened:
        yield opened


@pytest.fixture
def page(browser: Browser, client: TestClient) -> Iterator[Page]:
    """A page whose requests the application answers; what is asked of another host fails the test."""

    def answer(route: Route) -> None:
        asked = urlsplit(route.request.url)
        if f"{asked.scheme}://{asked.netloc}" != ADDRESS:
            elsewhere.append(route.request.url)
            route.abort()
            return
        response = client.get(asked.path)
        route.fulfill(status=response.status_code, headers=dict(response.headers), body=response.content)

    elsewhere: list[str] = []
    opened = browser.new_page()
    opened.route("**/*", answer)
    yield opened
    opened.close()
    assert elsewhere == []


@pytest.mark.parametrize("path", PAGES)
def test_a_page_is_whole_under_its_own_security_policy(page: Page, path: str) -> None:
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    response = page.goto(ADDRESS + path)
    assert response is not None and response.ok
    assert complaints == []
    drawn = page.evaluate("getComputedStyle(document.querySelector('header.top')).display")
    assert drawn == "flex", "the style sheet was not applied"
