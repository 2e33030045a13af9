"""Pages of other origins: they may send events where that is allowed, and ask nothing."""

from __future__ import annotations

from serving.http.routes import ROUTES
from tests.serving.answers import fails
from tests.serving.conftest import Place, serve
from tests.serving.holders import MESSAGE, Holders

PREFLIGHT = {"origin": "https://shop.example", "access-control-request-method": "POST"}

PATHS = [(each, path) for each in ROUTES for path in each.paths]
CLIENT_HEADERS = {"content-type", "x-retry-count", "anonymousid", "sentat", "rsa-retry-attempt", "rsa-retry-reason"}
"""What browsers ask leave to send for analytics.js and RudderStack's SDK, the first time and again."""


def test_pages_of_allowed_origins_may_send_events_and_nothing_else(place: Place) -> None:
    holders = Holders(place)
    with serve(place, client="203.0.113.7", WAYPOST_ALLOWED_ORIGINS="https://shop.example") as client:
        for route, path in PATHS:
            preflight = PREFLIGHT | {"access-control-request-method": route.method}
            asked = client.options(path, headers=preflight)
            if route.from_pages and not route.path_parameters:
                assert asked.status_code == 204
                assert asked.headers["access-control-allow-methods"] == route.method
                assert asked.headers["access-control-allow-origin"] == "https://shop.example"
                assert "authorization" in asked.headers["access-control-allow-headers"]
                assert set(asked.headers["access-control-allow-headers"].split(", ")) >= CLIENT_HEADERS
            else:
                fails(asked, "method_not_allowed")
            refused = client.options(path, headers=preflight | {"origin": "https://b.example"})
            told = fails(refused, "method_not_allowed")["detail"]
            assert "WAYPOST_ALLOWED_ORIGINS=https://b.example" in told, "whoever looks at the network is told the cure"
        origin = {"origin": "https://shop.example"}
        sent = client.post("/v1/track", json=MESSAGE, headers=origin | holders.bearer("write"))
        assert sent.json()["accepted"] == 1
        for answer in (sent, client.post("/v1/track", json=MESSAGE, headers=origin)):
            assert answer.headers["access-control-allow-origin"] == "https://shop.example"
            assert answer.headers["vary"] == "Origin"
            assert answer.headers["cross-origin-resource-policy"] == "cross-origin"
        settings = client.get("/v1/projects/any/settings", headers=origin)
        assert settings.headers["access-control-allow-origin"] == "https://shop.example"
        read = client.post("/v1/scores", json={"customer": "a"}, headers=origin | holders.bearer("read"))
        other = client.post("/v1/track", json=MESSAGE, headers={"origin": "https://b.example"})
        fails(read, "foreign_origin")
        assert "access-control-allow-origin" not in other.headers


def test_all_origins_may_be_allowed_and_none_is_by_default(place: Place) -> None:
    Holders(place)
    with serve(place, WAYPOST_ALLOWED_ORIGINS="*") as client:
        assert client.options("/v1/track", headers=PREFLIGHT).headers["access-control-allow-origin"] == "*"
    with serve(place) as client:
        fails(client.options("/v1/track", headers=PREFLIGHT), "method_not_allowed")
