"""A person logs in with a key, and a browser then reads; nobody else's page reads with it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from features.events import DAY
from serving.access.scopes import SCOPES
from serving.access.sessions import COOKIE, open_session
from serving.http.protocols.tracking import TrackingAnswer
from tests.serving.answers import fails, ok
from tests.serving.conftest import NOW, Place, serve
from tests.serving.holders import MESSAGE, Holders

PAGE = {"accept": "text/html,application/xhtml+xml,*/*;q=0.8"}
FORM = "application/x-www-form-urlencoded"
OWN = {"origin": "http://127.0.0.1", "sec-fetch-site": "same-origin"}


def test_a_browser_without_a_key_is_led_to_the_form_and_a_program_is_not(place: Place) -> None:
    Holders(place)
    with serve(place) as client:
        for path, where in (("/", "./login"), ("/metrics", "./login"), ("/v1/segments/new", "./../../login")):
            led = client.get(path, headers=PAGE, follow_redirects=False)
            assert (led.status_code, led.headers["location"]) == (303, where)
            fails(client.get(path), "key_missing")
            fails(client.get(path, headers=PAGE | {"x-api-key": "x"}), "key_unknown")
        form = client.get("/", headers=PAGE)
        assert (
            form.url.path == "/login" and 'action="./login"' in form.text and "form-action 'self'" in str(form.headers)
        )


@pytest.mark.parametrize("name", ["read", "admin"])
def test_a_key_that_reads_opens_the_pages_by_get_alone(place: Place, name: str) -> None:
    holders = Holders(place)
    with serve(place) as client:
        sent = client.post("/login", data={"key": f" {holders.texts[name]} "}, headers=OWN, follow_redirects=False)
        assert (sent.status_code, sent.headers["location"]) == (303, "./")
        cookie = sent.headers["set-cookie"]
        assert cookie.endswith("; HttpOnly; SameSite=Strict") and holders.texts[name].split("_")[3] not in cookie
        by_tls = client.post("/login", data={"key": holders.texts[name]}, headers=OWN | {"x-forwarded-proto": "https"})
        assert by_tls.history[0].headers["set-cookie"].endswith("; HttpOnly; SameSite=Strict; Secure")
        client.post("/login", data={"key": holders.texts[name]}, headers=OWN)
        for path in ("/", "/metrics", "/v1/segments", "/v1/customers/household-1"):
            assert client.get(path).status_code in (200, 503), path
            assert client.get(path, headers={"sec-fetch-site": "same-origin"}).status_code in (200, 503)
            fails(client.get(path, headers={"sec-fetch-site": "cross-site"}), "foreign_origin")
        fails(client.delete("/v1/customers/household-1"), "scope_missing")
        fails(client.get("/v1/customers/household-1/export"), "scope_missing")
        fails(client.post("/v1/scores", json={"customer": "a"}), "scope_missing")
        fails(client.post("/v1/events", json={"customer": "a", "kind": "LOGIN"}), "scope_missing")


def test_a_session_ends_by_itself_and_with_its_key(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("serving.access.keys.LOOK_SECONDS", 0.0)
    holders = Holders(place)
    holders.keys["read"] = replace(holders.keys["read"], expires=NOW + 2 * DAY)
    holders.save("read", "admin")
    with serve(place) as client:
        client.post("/login", data={"key": holders.texts["read"]}, headers=OWN)
        assert client.get("/metrics").status_code == 200
        place.now += DAY // 2 - 1
        assert client.get("/metrics").status_code == 200
        place.now += 1
        fails(client.get("/metrics"), "key_missing")
        place.now = NOW
        holders.save("admin")
        fails(client.get("/metrics"), "key_missing")


def test_whoever_holds_a_key_that_does_not_read_can_sign_no_session(place: Place) -> None:
    holders = Holders(place)
    with serve(place) as client:
        for scope in SCOPES:
            signed = {"cookie": f"{COOKIE.decode()}={open_session(holders.keys[scope], NOW)}"}
            answer = client.get("/v1/customers/household-1", headers=signed)
            if scope in ("read", "admin"):
                assert answer.status_code == 200
            else:
                fails(answer, "key_missing")


def test_who_is_logged_in_is_a_visitor_of_the_shop_too(place: Place) -> None:
    holders = Holders(place)
    with serve(place) as client:
        client.post("/login", data={"key": holders.texts["read"]}, headers=OWN)
        keyed = MESSAGE | {"writeKey": holders.texts["write"]}
        assert ok(client.post("/v1/track", json=keyed), TrackingAnswer)["accepted"] == 1
        hit = f"/mp/collect?api_secret={holders.texts['write']}"
        assert client.post(hit, json={"client_id": "1.2", "events": [{"name": "page_view"}]}).status_code == 204
        fails(client.post("/v1/track", json=MESSAGE), "key_missing")
        assert client.get("/metrics", auth=("somebody", "of the proxy in front")).status_code == 200


def test_other_keys_and_other_sites_forms_are_refused(place: Place) -> None:
    holders = Holders(place)
    with serve(place, WAYPOST_REQUESTS_PER_SECOND="0.1") as client:
        for name, told in (("write", "write"), ("sign", "sign"), ("decide", "decide"), ("expired", "not known")):
            refused = client.post("/login", data={"key": holders.texts[name]}, headers=OWN)
            assert refused.status_code == 422 and told in refused.text and "set-cookie" not in refused.headers
            assert holders.texts[name] not in refused.text
        fails(client.post("/login", data={"key": "guess"}, headers=OWN), "rate_limited")
        for page in ({"origin": "https://evil.example"}, {"sec-fetch-site": "cross-site"}, {"origin": "null"}):
            fails(client.post("/login", data={"key": holders.texts["read"]}, headers=page), "foreign_origin")
    with serve(place) as client:
        for form in (b"key=\xe1&\xff", b"key=%ff%00", b"", b"=&&=", b"key"):
            sent = client.post("/login", content=form, headers=OWN | {"content-type": FORM})
            assert sent.status_code == 422
        fails(client.post("/mp/collect?api_secret=\xe1%ff", json={}), "key_unknown")
    with serve(place, WAYPOST_KEYS="none") as client:
        assert client.post("/login", data={"key": ""}, headers=OWN).status_code == 422
