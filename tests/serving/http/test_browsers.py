"""What clients in browsers ask and send on paths of their own, over HTTP."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from starlette.testclient import TestClient

from features.sources.formats.collect import hits, measured
from serving.http.protocols.tracking import TrackingAnswer
from serving.http.resources.client_settings import SettingsAnswer, SourceConfigAnswer
from serving.http.route import Route
from serving.http.routes import ROUTES
from tests.serving.answers import fails, ok
from tests.serving.conftest import Place, serve
from tests.serving.holders import Holders

ALIASES = [(route, alias) for route in ROUTES for alias in route.aliases]
TEXT = {"content-type": "text/plain;charset=UTF-8"}

PURCHASE = (
    "v=2&tid=G-1&gtm=45je5&_p=1766755449798&gcd=13l3l3l3l1&npa=0&cid=77.1764678332&ul=en-us&sr=1920x1080&_s=2&cu=EUR"
    "&sid=1766755460&sct=2&seg=0&dl=https%3A%2F%2Fshop.example%2Fdone&dt=Thank%20you&en=purchase&_ee=1"
    "&pr1=idmug~nmMug%20~~%20blue~caKitchen~pr10.5~k0colour~v0blue~qt2&pr2=idbowl~nmBowl~pr20~qt1"
    "&ep.transaction_id=o-1&epn.value=41&epn.tax=3.6&epn.shipping=5.99&_et=12&tfd=18058"
)


def events(client: TestClient, customer: str) -> list[Any]:
    told: list[Any] = client.get(f"/v1/customers/{customer}").json()["events"]
    return told


def kinds(client: TestClient, customer: str) -> list[str]:
    return [event["kind"] for event in reversed(events(client, customer))]


@pytest.mark.parametrize(("route", "alias"), ALIASES, ids=lambda value: value if isinstance(value, str) else "")
def test_an_alias_answers_as_its_long_form(client: TestClient, route: Route, alias: str) -> None:
    def asked(path: str, content: bytes | None) -> Any:
        response = client.request(route.method, path, content=content, headers=TEXT)
        told = response.json()
        for name in ("instance", "request_id"):
            told.pop(name, None)
        # An order that was told before is a duplicate, by whatever path.
        told["taken"] = told.pop("accepted", 0) + told.pop("duplicates", 0)
        return response.status_code, told

    example = next(iter(route.also_reads.values()), "").replace('"messageId"', '"unknown"')
    for content in (example.encode(), b"{", b"[]") if route.method == "POST" else (None,):
        assert asked(route.path, content) == asked(alias, content)
    assert f"`{alias}`" in route.description


def test_a_beacon_may_hold_its_key_in_the_address(place: Place) -> None:
    holders = Holders(place)
    body = b'{"batch": [{"type": "page", "anonymousId": "web-1"}]}'
    with serve(place, client="203.0.113.7") as client:
        address = f"/beacon/v1/batch?writeKey={holders.texts['write']}"
        assert ok(client.post(address, content=body, headers=TEXT), TrackingAnswer)["accepted"] == 1
        fails(client.post("/beacon/v1/batch?writeKey=WK", content=body, headers=TEXT), "key_unknown")


def test_one_letter_a_message_is_what_analytics_js_posts(client: TestClient) -> None:
    def post(path: str, **body: Any) -> None:
        told = ok(client.post(path, content=json.dumps(body), headers=TEXT), TrackingAnswer)
        assert (told["accepted"], told["rejected"]) == (1, [])

    post("/v1/p", type="page", anonymousId="web-1", name="Home", messageId="1")
    post("/v1/t", type="track", anonymousId="web-1", event="Product Viewed", properties={"product_id": "mug"})
    post("/v1/i", type="identify", userId="ann", anonymousId="web-1", traits={})
    post("/v1/b", batch=[{"type": "track", "anonymousId": "web-2", "event": "Product Viewed", "messageId": "2"}])
    assert sorted(kinds(client, "ann")) == ["IDENTIFY", "ITEM_VIEW", "PAGE_VIEW"]
    assert kinds(client, "web-2") == ["ITEM_VIEW"]


def test_the_settings_lead_here_and_nowhere_else(client: TestClient) -> None:
    settings = ok(client.get("/v1/projects/a%22b/settings"), SettingsAnswer)
    assert settings["integrations"].keys() == {"Segment.io"}
    assert settings["integrations"]["Segment.io"] == {
        "apiKey": 'a"b',
        "apiHost": "127.0.0.1/v1",
        "protocol": "http",
        "deliveryStrategy": {"config": {"keepalive": True}},
    }
    far = client.get("/v1/projects/k/settings", headers={"host": "waypost.shop.example:8443"}).json()
    assert far["integrations"]["Segment.io"]["apiHost"] == "waypost.shop.example:8443/v1"
    assert far["integrations"]["Segment.io"]["protocol"] == "https"
    source = ok(client.get("/sourceConfig/?p=npm&v=3&writeKey=k"), SourceConfigAnswer)["source"]
    assert (source["writeKey"], source["enabled"], source["destinations"]) == ("k", True, [])


def test_an_order_of_googles_tag_is_its_amount_and_its_products(client: TestClient) -> None:
    for _ in range(2):
        assert client.post(f"/g/collect?{PURCHASE}", headers=TEXT).status_code == 204
    order, *lines = sorted(events(client, "77.1764678332"), key=lambda event: event["item"] or "")
    assert (order["kind"], order["amount"], order["quantity"], order["order_id"]) == ("PURCHASE", 41, 3, "o-1")
    assert [(line["item"], line["amount"], line["quantity"]) for line in lines] == [("bowl", 20, 1), ("mug", 21, 2)]
    assert order["properties"]["page_location"] == "https://shop.example/done"


def test_several_events_stand_on_the_lines_of_the_body(client: TestClient) -> None:
    query = (
        "v=2&tid=G-1&_p=1&cid=7.8&cu=EUR&_s=1&dl=https%3A%2F%2Fshop.example%2F%3Futm_source%3Dnews%26utm_medium%3Demail"
    )
    body = "en=page_view&_fv=1&_ss=1&_et=3\r\nen=view_item&pr1=idmug~pr10\r\nen=view_item&pr1=idmug~pr10&uid=ann\r\n"
    for _ in range(2):
        assert client.post(f"/g/collect?{query}", content=body, headers=TEXT).status_code == 204
    found = events(client, "ann")
    assert [event["customer"] for event in found].count("ann") == 2
    assert sorted(kinds(client, "ann")) == sorted(
        ["OTHER", "SESSION_START", "PAGE_VIEW", "ITEM_VIEW", "IDENTIFY", "ITEM_VIEW"]
    )
    assert {event["channel"] for event in found if event["kind"] == "PAGE_VIEW"} == {"EMAIL"}


def test_a_hit_may_be_an_address_or_a_form_and_a_key_anywhere_in_it(place: Place) -> None:
    holders = Holders(place)
    key = holders.texts["write"]
    form = {"content-type": "application/x-www-form-urlencoded"}
    with serve(place, client="203.0.113.7") as client:
        for secret in ("api_secret", "ep.api_secret"):
            hit = f"en=login&cid=1.2&{secret}={key}"
            for method, query, body, headers in (
                ("GET", hit, "", {}),
                ("POST", "", hit, form),
                ("POST", "cid=1.2", hit.replace("&cid=1.2", ""), TEXT),
            ):
                place.now += 1
                assert client.request(method, f"/g/collect?{query}", content=body, headers=headers).status_code == 204
        fails(client.get("/g/collect?en=login&cid=1.2&ep.api_secret=WK"), "key_unknown")
        fails(client.post("/g/collect", content=b"en=login&cid=1.2", headers=TEXT), "key_missing")
        read = holders.bearer("read")
        told = client.get("/v1/customers/1.2", headers=read).json()["events"]
    assert [event["kind"] for event in told] == ["LOGIN"] * 6
    for file in place.folder.glob("waypost.db*"):
        assert key.encode() not in file.read_bytes()


@pytest.mark.parametrize(
    ("said", "withdrawn"), [("npa=1", True), ("gcs=G100", True), ("gcs=G101", False), ("npa=0", False)]
)
def test_a_visitor_who_refuses_is_left_in_peace_until_he_agrees(
    client: TestClient, place: Place, said: str, withdrawn: bool
) -> None:
    client.get(f"/g/collect?cid=1.2&en=page_view&{said}")
    place.now += 2_000_000
    client.get("/g/collect?cid=1.2&en=page_view")
    assert ("PAGE_VIEW" in kinds(client, "1.2")) != withdrawn
    client.get("/g/collect?cid=1.2&en=login&gcs=G111&gcu=1")
    place.now += 2_000_000
    client.get("/g/collect?cid=1.2&en=search&ep.search_term=mugs")
    assert "SEARCH" in kinds(client, "1.2")


@pytest.mark.parametrize("hit", ["", "en=login", "cid=1.2", "pr0=&pr1=&en", "%ff=%ff"])
def test_what_is_at_fault_is_answered_as_google_does_and_kept(client: TestClient, place: Place, hit: str) -> None:
    assert client.get(f"/g/collect?{hit}").status_code == 204
    assert client.post("/g/collect", content=hit.encode(), headers=TEXT).status_code == 204
    engine = place.engine()
    letters = engine.states.log.dead_letters(10)
    engine.states.close()
    assert [letter.source for letter in letters] == ["measurement"], "the same fault is kept once"


words = st.text(st.characters(codec="utf-8", exclude_characters="\r\n"), min_size=1, max_size=8)


@given(names=st.lists(words, min_size=1, max_size=4), price=st.floats(0, 1e6))
def test_products_survive_their_encoding_whatever_their_names_hold(names: list[str], price: float) -> None:
    """The encoding is that of the tag: a tilde parts the fields of a product, and is doubled within one."""
    products = [f"id{number}~pr{price!r}~nm{name.replace('~', '~~')}" for number, name in enumerate(names)]
    query = "&".join(f"pr{number}={quote(product)}" for number, product in enumerate(products, 1))
    ((event,),) = [each["events"] for each in measured(hits(f"en=view_item&{query}", ""))]
    items = event["params"]["items"]
    assert [(item["item_id"], item["price"], item["item_name"]) for item in items] == [
        (str(number), price, name) for number, name in enumerate(names)
    ]
