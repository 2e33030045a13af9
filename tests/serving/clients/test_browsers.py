"""The clients that run in browsers, in Chromium: in a page as the how-to writes them, against a real server."""

from __future__ import annotations

import re
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page

from serving.access.visitors import sign_token
from tests.house.tree import ROOT
from tests.serving.clients.npm import Node
from tests.serving.clients.proxy import Fault, FaultyProxy
from tests.serving.clients.shop import VISIT, KeyedServer
from tests.serving.clients.storefront import Storefront

HOWTO = ROOT / "docs" / "howto" / "segment.md"
KEYS = ROOT / "docs" / "howto" / "keys.md"
SECTION = re.compile(r"^### (.+?)\n(.+?)(?=^##)", re.MULTILINE | re.DOTALL)
BLOCK = re.compile(r"```(?:html|js)\n(.+?)```", re.DOTALL)
TAG = Path(__file__).with_name("tag.js")
GOOGLES = re.compile(r'<script async src="https://www\.googletagmanager\.com/[^"]*"></script>')
SECONDS = 60.0

SEGMENT = {
    "page": "analytics.page('Mug')",
    "viewed": "analytics.track('Product Viewed', {product_id: 'mug', price: 10, currency: 'EUR'})",
    "added": "analytics.track('Product Added', {product_id: 'mug', price: 10, quantity: 2, currency: 'EUR'})",
    "identify": "analytics.identify(USER, {plan: 'pro'})",
    "ordered": """analytics.track('Order Completed', {order_id: USER + '-1', revenue: 20, total: 24, tax: 4,
        currency: 'EUR', products: [{product_id: 'mug', price: 10, quantity: 2}]})""",
}
MUG = "[{item_id: 'mug', item_name: 'Mug ~ blue', price: 10, quantity: 2}]"
GOOGLE = {
    "page": "0",  # the tag sends a view of the page by itself
    "viewed": f"gtag('event', 'view_item', {{currency: 'EUR', value: 10, items: {MUG}}})",
    "added": f"gtag('event', 'add_to_cart', {{currency: 'EUR', value: 20, items: {MUG}}})",
    "identify": "(gtag('set', 'user_id', USER), gtag('event', 'login', {method: 'password'}))",
    "ordered": f"""gtag('event', 'purchase', {{transaction_id: USER + '-1', currency: 'EUR', value: 20, tax: 4,
        items: {MUG}}})""",
}


@dataclass(frozen=True)
class Client:
    """A client: the section of the how-to that shows it, what to change in it, and how it says what happened.

    `resumes` is one whose last message may wait for the next page of the shop.
    """

    section: str
    calls: dict[str, str]
    change: tuple[str, str] = ("", "")
    resumes: bool = False


CLIENTS = {
    "segment": Client("Segment: analytics.js", SEGMENT),
    "segment-batching": Client("Segment: analytics.js", SEGMENT, ("\n  })", "\n  }, OPTIONS)")),
    "rudder-beacon": Client("RudderStack", SEGMENT),
    "rudder-plain": Client("RudderStack", SEGMENT, ("useBeacon: true", "useBeacon: false"), resumes=True),
    "google": Client("GA4's tag", GOOGLE),
}


def written(client: Client, key: str, address: str) -> str:
    """The page of a shop that sends to `address`, with the first block of the how-to's section in it."""
    sections = dict(SECTION.findall(HOWTO.read_text(encoding="utf-8")))
    snippet, *options = BLOCK.findall(sections[client.section])
    before, after = client.change
    assert before in snippet
    snippet = snippet.replace(before, after, 1) if before else snippet
    for option in options:
        # The address is of this machine, so without TLS; said where the library asks for it.
        host = f'"{address.removeprefix("http://")}/v1", protocol: "http"'
        snippet = snippet.replace("OPTIONS", option.replace('"waypost.shop.example/v1"', host))
    snippet = snippet.replace("WRITE_KEY", key).replace("https://waypost.shop.example", address)
    if GOOGLES.search(snippet):
        snippet = GOOGLES.sub("", snippet) + f"<script>{TAG.read_text(encoding='utf-8')}</script>"
    return f"<!doctype html><title>Mug</title><h1>Mug</h1>{snippet}"


@pytest.fixture(scope="module")
def visitors(browser: Browser, storefront: Storefront, shop: KeyedServer, node: Node) -> Iterator[Any]:
    """Opens the page of a client in a browser of its own, with what the page had to complain of."""
    contexts = []

    def opened(name: str, address: str = shop.server.address) -> tuple[Page, list[str]]:
        storefront.pages[f"/{name}"] = written(CLIENTS[name], shop.write, address)
        context = browser.new_context()
        contexts.append(context)
        page = context.new_page()
        complaints: list[str] = []
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto(f"{storefront.address}/{name}")
        return page, complaints

    yield opened
    for context in contexts:
        context.close()


def say(page: Page, call: str, user: str) -> None:
    """Let a page call its client, without waiting for what becomes of it."""
    page.evaluate(f"() => {{ const USER = {user!r}; {call} }}")


def until(shop: KeyedServer, customer: str, *kinds: str) -> Counter[str]:
    """The kinds of a customer's events, once these are among them."""
    deadline = time.monotonic() + SECONDS
    while True:
        found = shop.kinds(customer)
        if not Counter(kinds) - found:
            return found
        assert time.monotonic() < deadline, (customer, kinds, found)
        time.sleep(0.05)


@pytest.mark.parametrize("name", CLIENTS)
def test_a_visit_from_the_first_page_to_an_order_and_a_page_closed_right_after(
    visitors: Any, shop: KeyedServer, name: str
) -> None:
    calls, user = CLIENTS[name].calls, f"browser-{name}-ann"
    page, complaints = visitors(name)
    for step in ("page", "viewed", "added"):
        say(page, calls[step], user)
    anonymous = anonymous_id(page, name)
    until(shop, anonymous, "PAGE_VIEW", "ITEM_VIEW", "CART_ADD")
    say(page, calls["identify"], user)
    until(shop, user, "IDENTIFY")
    assert complaints == []
    say(page, calls["ordered"], user)
    address, visitor = page.url, page.context
    page.close()
    if CLIENTS[name].resumes:
        visitor.new_page().goto(address)
    until(shop, user, *VISIT)
    shop.holds_the_visit(user, anonymous)


def anonymous_id(page: Page, name: str) -> str:
    """The id that the client gave its visitor."""
    ways = {
        "segment": "async () => (await analytics.user()).anonymousId()",
        "rudder": "() => new Promise(resolve => analytics.ready(() => resolve(analytics.getAnonymousId())))",
        "google": "() => localStorage.getItem('_ga')",
    }
    found = page.evaluate(ways[name.partition("-")[0]])
    assert isinstance(found, str)
    return found


@pytest.mark.parametrize("name", ["segment", "rudder-plain"])
@pytest.mark.parametrize("fault", ["500", "dropped", "lost"])
def test_what_is_sent_again_arrives_once(visitors: Any, shop: KeyedServer, name: str, fault: Fault) -> None:
    """A browser asks leave for the headers that a client adds when it sends again."""
    user = f"browser-{name}-{fault}"
    with FaultyProxy(shop.server.port, "pass", fault) as proxy:
        page, _ = visitors(name, proxy.address)
        say(page, SEGMENT["identify"], user)
        until(shop, user, "IDENTIFY")
        say(page, SEGMENT["ordered"], user)
        deadline = time.monotonic() + SECONDS
        # A slow machine may have the client send more than once more.
        while len(proxy.statuses) < 3 or proxy.statuses[-1] != 200:
            assert time.monotonic() < deadline, proxy.statuses
            page.wait_for_timeout(50)
    assert proxy.statuses[:2] == [200, None if fault != "500" else 500]
    assert until(shop, user, "PURCHASE")["PURCHASE"] == 1


def test_the_page_asks_for_its_visitor_with_a_token(visitors: Any, shop: KeyedServer) -> None:
    """The code is that of the page about keys."""
    (code,) = re.findall(r"```js\n(const answer = await fetch.+?)```", KEYS.read_text(encoding="utf-8"), re.DOTALL)
    code = code.replace("https://waypost.shop.example", shop.server.address)
    asked = f"async ([token, customer]) => {{ {code}; return [answer.status, await answer.json()] }}"
    page, _ = visitors("segment")
    user = "browser-visitor"
    say(page, SEGMENT["identify"], user)
    say(page, "analytics.track('Product Viewed', {product_id: 'item-2'})", user)
    until(shop, user, "IDENTIFY", "ITEM_VIEW")
    token = sign_token(user, shop.sign.split("_")[2], shop.sign.encode(), int(time.time()), 600)
    status, told = page.evaluate(asked, [token, user])
    assert (status, told["customer"], told["known"], len(told["items"])) == (200, user, True, 5)
    assert any("item-2" in each["reason"] for each in told["items"])
    status, told = page.evaluate(asked, [token, "somebody-else"])
    assert (status, told["code"]) == (403, "customer_refused")


@pytest.mark.parametrize("way", ["new Image().src = HIT", "fetch(HIT, {mode: 'no-cors', keepalive: true})"])
def test_a_hit_may_be_a_picture_or_a_plain_request(visitors: Any, shop: KeyedServer, way: str) -> None:
    page, complaints = visitors("google")
    user = f"browser-{'picture' if 'Image' in way else 'plain'}"
    hit = f"{shop.server.address}/g/collect?v=2&cid={user}&en=login&ep.api_secret={shop.write}"
    page.evaluate(f"() => {{ const HIT = {hit!r}; {way} }}")
    until(shop, user, "LOGIN")
    assert complaints == []
