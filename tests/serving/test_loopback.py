"""Without keys only the machine itself is answered, whoever pretends to be it."""

from __future__ import annotations

import pytest

from serving.loopback import is_loopback, names_loopback
from tests.serving.answers import fails
from tests.serving.conftest import Place, serve
from tests.serving.holders import EVENT, MESSAGE


@pytest.mark.parametrize(
    ("client", "host", "headers", "answered"),
    [
        ("127.0.0.1", "127.0.0.1", {}, True),
        ("127.8.9.1", "localhost", {}, False),  # the server's own address is what counts, not its name
        ("::1", "[::1]", {}, True),
        ("::ffff:127.0.0.1", "127.0.0.1", {}, True),
        ("::ffff:10.0.0.1", "127.0.0.1", {}, False),
        ("10.0.0.1", "127.0.0.1", {}, False),
        ("fe80::1", "[::1]", {}, False),
        ("testclient", "127.0.0.1", {}, False),
        ("127.0.0.1", "10.0.0.2", {}, False),
        ("127.0.0.1", "0.0.0.0", {}, False),
        ("127.0.0.1", "127.0.0.1", {"x-forwarded-for": "127.0.0.1"}, False),
        ("127.0.0.1", "127.0.0.1", {"forwarded": "for=127.0.0.1"}, False),
        ("127.0.0.1", "127.0.0.1", {"host": "rebound.example"}, False),
        ("127.0.0.1", "127.0.0.1", {"host": "localhost:3000"}, True),
        ("127.0.0.1", "127.0.0.1", {"origin": "https://elsewhere.example"}, False),
        ("127.0.0.1", "127.0.0.1", {"origin": "null"}, False),
        ("127.0.0.1", "127.0.0.1", {"origin": "http://localhost:8080"}, True),
    ],
)
def test_without_keys_only_this_machine_is_answered(
    place: Place, client: str, host: str, headers: dict[str, str], answered: bool
) -> None:
    with serve(place, client, host) as opened:
        for path, body in (("/v1/scores", {"customer": "a"}), ("/v1/track", MESSAGE), ("/v1/events", EVENT)):
            response = opened.post(path, json=body, headers=headers)
            if answered:
                assert response.status_code == 200, response.text
            else:
                assert "waypost keys create" in fails(response, "keys_required")["detail"]
        assert opened.get("/", headers=headers).status_code == (200 if answered else 403)
        assert opened.get("/livez", headers=headers).status_code == 200


def test_the_log_says_once_that_there_are_no_keys(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    with serve(place) as client:
        for _ in range(3):
            client.post("/v1/scores", json={"customer": "a"})
    assert caplog.text.count("waypost keys create") == 1


def test_what_is_loopback() -> None:
    assert all(map(is_loopback, ("127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1")))
    assert not any(map(is_loopback, ("", "0.0.0.0", "::", "10.0.0.1", "::ffff:10.0.0.1", "localhost", "1.2.3", "::2")))
    assert all(map(names_loopback, ("localhost", "LOCALHOST:80", "127.0.0.1:3000", "[::1]:3000", "[::1]", "::1")))
    assert not any(map(names_loopback, ("", "a.localhost.example", "127.0.0.1.example:80", "[::2]:1", "0.0.0.0", "[")))
