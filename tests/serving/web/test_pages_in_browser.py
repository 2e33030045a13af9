"""The pages in Chromium: whole under their own security policy, accessible by the rules of axe-core, none too wide."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Page, Route

from features.events import Event
from insights.kpis import KPIS
from serving.engine.scoreboard import Generation, Scoreboard, sweep
from serving.http.routes import ROUTES
from serving.web.monitor import monitor_page
from serving.web.page import POLICY, STYLE
from serving.web.report import report_page, waiting_page
from tests.browser import violations
from tests.serving.conftest import NOW, Place, serve
from tests.serving.shop import customer, shop
from tests.training.monitoring.reports import everything_wrong
from training.monitoring.page import page_content

ADDRESS = "http://waypost.test"
VIEWS = (("light", 1280), ("dark", 390), ("dark", 1280), ("light", 390))
"""Colour schemes, and the widths of a desktop's window and a telephone's in pixels; the first two have one of each."""


@dataclass(frozen=True)
class Answered:
    """What the browser is answered."""

    body: bytes
    headers: dict[str, str]


Answers = dict[str, Answered]


def _page(html: str, policy: str = POLICY) -> Answered:
    headers = {"content-type": "text/html; charset=utf-8", "content-security-policy": policy}
    return Answered(html.encode(), headers)


def _swept(folder: Path, champion: Path, events: Sequence[Event]) -> Generation:
    """A shop with these events."""
    engine = Place(folder, champion).engine()
    if events:
        engine.states.log.append(events, history=True)
    swept = sweep(engine, Scoreboard(folder / "scoreboard", engine.fold.fingerprint), NOW)
    engine.states.close()
    return swept


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory, champion: Path) -> Answers:
    """Every page by its path: those of a running server, and those that few servers show."""
    folder = partial(tmp_path_factory.mktemp, "pages")
    events = shop(NOW, customers=60)
    sold = folder()
    _swept(sold, champion, events)
    with serve(Place(sold, champion)) as client:
        found = {path: client.get(path) for path in ("/", "/docs", "/login", "/style.css")}
    priceless = _swept(folder(), champion, [replace(event, amount=math.nan) for event in events])
    single = _swept(folder(), champion, [event for event in events if event.customer == customer(3)])
    return {path: Answered(each.content, dict(each.headers)) for path, each in found.items()} | {
        "/without-prices": _page(report_page(priceless, None, ROUTES)),
        "/one-customer": _page(report_page(single, None, ROUTES)),
        "/empty": _page(report_page(_swept(folder(), champion, []), None, ROUTES)),
        "/waiting": _page(waiting_page()),
        "/monitor": _page(
            monitor_page(page_content(*everything_wrong(NOW))),
            policy="default-src 'none'; style-src 'unsafe-inline'",
        ),
    }


@pytest.fixture
def page(browser: Browser, answers: Answers) -> Iterator[Page]:
    """A page of the browser whose requests are answered; what is asked of another host fails the test."""

    def answer(route: Route) -> None:
        asked = urlsplit(route.request.url)
        if f"{asked.scheme}://{asked.netloc}" != ADDRESS:
            elsewhere.append(route.request.url)
            route.abort()
            return
        found = answers[asked.path]
        route.fulfill(body=found.body, headers=found.headers)

    elsewhere: list[str] = []
    opened = browser.new_page()
    opened.route("**/*", answer)
    yield opened
    opened.close()
    assert elsewhere == []


PATHS = ("/", "/docs", "/login", "/without-prices", "/one-customer", "/empty", "/waiting", "/monitor")


@pytest.mark.parametrize("path", PATHS)
def test_a_page_is_whole_under_its_own_security_policy(page: Page, path: str) -> None:
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    response = page.goto(ADDRESS + path)
    assert response is not None and response.ok
    assert complaints == []
    assert page.evaluate("getComputedStyle(document.body).margin") == "0px", "the style sheet was not applied"


@pytest.mark.parametrize("path", PATHS)
def test_axe_finds_nothing_in_any_light_at_any_width(page: Page, path: str) -> None:
    page.goto(ADDRESS + path)
    found = []
    for scheme, width in VIEWS if path == "/" else VIEWS[:2]:
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of the words of a literal type
        page.set_viewport_size({"width": width, "height": 900})
        found += [f"{scheme} {width}: {each}" for each in violations(page)]
        wider = page.evaluate("document.documentElement.scrollWidth - innerWidth")
        if wider > 0:
            found.append(f"{scheme} {width}: {wider} px wider than the window")
    assert found == []


def test_a_figure_without_a_value_is_named_with_the_reason(page: Page) -> None:
    page.goto(ADDRESS + "/without-prices")
    listed = page.locator(".unmeasured dl > div")
    found = {each.locator("dt").inner_text(): each.locator("dd").inner_text() for each in listed.all()}
    figures = page.locator(".figures dt, .more dt").all_inner_texts()
    titles = [title for titles in found.values() for title in titles.split(" · ")]
    assert "Average order value, gross" in found["The log has no order with an amount"].split(" · ")
    assert sorted(figures + titles) == sorted(each.title for each in KPIS.values() if each.name != "customers")


def test_axe_sees_what_it_is_for(page: Page) -> None:
    page.goto(ADDRESS + "/waiting")
    page.evaluate("document.querySelector('.intro p').style.color = '#8b948f'")
    (found,) = violations(page)
    assert found.startswith("color-contrast: <p")


def test_the_style_sheet_of_the_report_is_that_of_the_monitor(answers: Answers) -> None:
    assert answers["/style.css"].body == STYLE
    assert STYLE.decode() in answers["/monitor"].body.decode()
