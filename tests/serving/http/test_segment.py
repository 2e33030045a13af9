"""Segment's tracking API over HTTP: what is taken, what is answered, and what every rule of it does."""

from __future__ import annotations

import gzip
import json
import tracemalloc
from datetime import timedelta
from typing import Any

import pytest
from prometheus_client import REGISTRY
from starlette.testclient import TestClient

from features.events import SECOND
from features.log.contract import DeadLetter
from features.times import moment
from serving.access.keys import change_keys, issue
from serving.http.protocols.tracking import MOST_MESSAGE_BYTES, TrackingAnswer
from serving.http.resources.tracking_batch import MOST_BATCH_BYTES
from tests.serving.answers import Response, fails, ok
from tests.serving.conftest import NOW, Place, serve

NO_WARNINGS = {"warnings": [], "more_warnings": 0}
SINGLES = ("identify", "track", "page", "screen", "group", "alias")
NEEDED = {"track": {"event": "Product Viewed"}, "group": {"groupId": "g"}, "alias": {"previousId": "a-1"}}


def message(kind: str = "track", **more: Any) -> dict[str, Any]:
    return {"type": kind, "userId": "ada", "anonymousId": None, **NEEDED.get(kind, {}), **more}


def batch(client: TestClient, *messages: Any, **more: Any) -> Any:
    return ok(client.post("/v1/batch", json={"batch": messages, **more}), TrackingAnswer)


def events(client: TestClient, customer: str) -> list[Any]:
    told: list[Any] = client.get(f"/v1/customers/{customer}").json()["events"]
    return told


def letters(place: Place) -> list[DeadLetter]:
    engine = place.engine()
    found = engine.states.log.dead_letters(100)
    engine.states.close()
    return found


def refused(response: Response, code: str, status: int = 400) -> Any:
    """A problem as Segment's clients need it: never a status they retry for ever, always `code` and `message`."""
    problem = fails(response, code)
    assert response.status_code == status
    assert problem["message"] == problem["detail"]
    return problem


@pytest.mark.parametrize("kind", SINGLES)
def test_every_single_call_is_taken_once(client: TestClient, kind: str) -> None:
    sent = {**message(kind, messageId="m-1"), "type": "whatever"}
    answer = ok(client.post(f"/v1/{kind}", json=sent), TrackingAnswer)
    assert answer == {"success": True, "accepted": 1, "duplicates": 0, "withheld": 0, "rejected": [], **NO_WARNINGS}
    again = client.post(f"/v1/{kind}", json=sent).json()
    assert (again["accepted"], again["duplicates"]) == (0, 1)
    assert len(events(client, "ada")) == 1


def test_a_batch_counts_messages_whatever_number_of_events_they_make(client: TestClient) -> None:
    products = [{"product_id": "item-1", "price": 2}, {"product_id": "item-2", "price": 3}]
    order = message(event="Order Completed", messageId="o", properties={"order_id": "o", "products": products})
    answer = batch(client, *(message(kind) for kind in SINGLES), order)
    assert (answer["accepted"], answer["rejected"]) == (7, [])
    assert batch(client, order)["duplicates"] == 1
    assert len(events(client, "ada")) == 6 + 3


def test_a_fault_is_told_with_its_place_and_kept_and_the_rest_is_taken(client: TestClient, place: Place) -> None:
    bad = [
        message(messageId="b-1", timestamp="noon"),
        "track",
        message("dance"),
        message(userId="null"),
        message(event="  "),
        message("alias", previousId=None),
        message(timestamp="2999-01-01T00:00:00Z"),
        message(messageId="x" * 101),
    ]
    answer = batch(client, message(), *bad, message(), sentAt=moment(NOW).isoformat(), writeKey="secret")
    assert answer["accepted"] == 2
    told = [(each["index"], each["messageId"], each["code"]) for each in answer["rejected"]]
    assert told == [
        (1, "b-1", "invalid_timestamp"),
        (2, None, "invalid_batch"),
        (3, None, "invalid_type"),
        (4, None, "invalid_userId"),
        (5, None, "invalid_event"),
        (6, None, "invalid_previousId"),
        (7, None, "invalid_timestamp"),
        (8, "x" * 101, "invalid_messageId"),
    ]
    assert answer["rejected"][0]["message"].startswith("timestamp: 'noon' is not an ISO 8601 time")
    kept = letters(place)
    assert [letter.position for letter in kept] == list(range(1, 9))
    assert {letter.source for letter in kept} == {"segment"}
    assert json.loads(kept[0].raw) == {**bad[0], "sentAt": moment(NOW).isoformat()}  # type: ignore[dict-item]
    assert json.loads(kept[1].raw) == "track"
    assert kept[0].customer == "ada" and b"secret" not in b"".join(letter.raw for letter in kept)


def test_a_request_of_faults_alone_is_200_too(client: TestClient) -> None:
    assert batch(client, message(userId=None))["accepted"] == 0
    answer = ok(client.post("/v1/track", json={"userId": "ada"}), TrackingAnswer)
    assert (answer["success"], answer["accepted"], answer["rejected"][0]["code"]) == (True, 0, "invalid_event")
    assert batch(client)["accepted"] == 0, "an empty batch is no fault"


@pytest.mark.parametrize(
    ("path", "body", "code"),
    [
        ("/v1/batch", b"{", "malformed_json"),
        ("/v1/batch", b"", "malformed_json"),
        ("/v1/batch", b"\xff", "malformed_json"),
        ("/v1/batch", b'{"batch":[,]}', "malformed_json"),
        ("/v1/batch", b'{"batch":' + b"[" * 100 + b"]" * 100 + b"}", "malformed_json"),
        ("/v1/batch", b"[]", "not_a_message"),
        ("/v1/batch", b'{"batch":{}}', "not_a_message"),
        ("/v1/batch", b"{}", "not_a_message"),
        ("/v1/track", b"7", "not_a_message"),
        ("/v1/batch", b'{"batch":[' + b",".join([b"0"] * 2501) + b"]}", "too_many_messages"),
        ("/v1/batch", b'{"batch":[],"context":"' + b"x" * MOST_BATCH_BYTES + b'"}', "message_too_large"),
        ("/v1/track", b'{"event":"' + b"x" * MOST_MESSAGE_BYTES + b'"}', "message_too_large"),
    ],
)
def test_what_cannot_be_taken_at_all_is_400_with_code_and_message(
    client: TestClient, path: str, body: bytes, code: str
) -> None:
    refused(client.post(path, content=body, headers={"content-type": "application/json"}), code)


def test_limits_are_what_is_still_taken(client: TestClient) -> None:
    most = [{"type": "page", "userId": "u", "messageId": f"m{number}"} for number in range(2500)]
    assert batch(client, *most)["accepted"] == 2500
    room = MOST_MESSAGE_BYTES - len(json.dumps(message(properties={"query": ""}), separators=(",", ":")))
    fits, burst = (message(properties={"query": "x" * number}) for number in (room, room + 1))
    answer = batch(client, fits, burst, message())
    assert (answer["accepted"], [each["index"] for each in answer["rejected"]]) == (2, [1])
    assert "32,769 bytes" in answer["rejected"][0]["message"]


def test_gzip_is_unpacked_and_a_bomb_is_not(client: TestClient) -> None:
    headers = {"content-encoding": "gzip", "content-type": "application/json"}

    def post(content: bytes, path: str = "/v1/batch") -> Response:
        return client.post(path, content=content, headers=headers)

    body = json.dumps({"batch": [message(messageId="g")]}).encode()
    assert post(gzip.compress(body)).json()["accepted"] == 1
    event = json.dumps({"customer": "ada", "kind": "LOGIN"}).encode()
    assert post(gzip.compress(event), "/v1/events").json()["accepted"] == 1
    for broken in (b"plain", gzip.compress(body)[:-9], gzip.compress(body) + b"more", b""):
        refused(post(broken), "malformed_gzip")
    bomb = gzip.compress(b"[" + b" " * (64 << 20) + b"]")
    assert len(bomb) < MOST_BATCH_BYTES
    tracemalloc.start()
    try:
        refused(post(bomb), "message_too_large")
        fails(post(bomb, "/v1/events"), "body_too_large")
        assert tracemalloc.get_traced_memory()[1] < 8 << 20
    finally:
        tracemalloc.stop()
    fails(client.post("/v1/batch", content=body, headers={"content-encoding": "br"}), "unsupported_encoding")


def test_the_senders_clock_is_corrected_and_only_when_it_says_when_it_sent(client: TestClient) -> None:
    """The sender's clock is an hour ahead, and the message waited 10 s in its queue."""
    theirs = moment(NOW) + timedelta(hours=1)
    forms = (
        (theirs - timedelta(seconds=10)).isoformat(timespec="milliseconds"),
        (theirs - timedelta(seconds=10)).isoformat(timespec="microseconds"),
        (theirs - timedelta(seconds=10)).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
    )
    messages = [message(timestamp=form) for form in forms]
    messages.append(message(originalTimestamp=forms[0], timestamp="2020-01-01T00:00:00Z"))
    assert batch(client, *messages, sentAt=theirs.isoformat())["accepted"] == 4
    assert {each["at"] for each in events(client, "ada")} == {"2026-05-28T20:26:30Z"}
    alone = message(userId="bob", timestamp="2026-05-01T00:00:00.000Z")
    batch(client, alone, message(userId="eve"))
    assert [each["at"] for each in events(client, "bob")] == ["2026-05-01T00:00:00Z"]
    assert [each["at"] for each in events(client, "eve")] == ["2026-05-28T20:26:40Z"]


def test_what_a_beacon_sends_as_text_is_json(client: TestClient) -> None:
    beacon = {"content-type": "text/plain;charset=UTF-8"}
    assert client.post("/v1/track", content=json.dumps(message()), headers=beacon).json()["accepted"] == 1
    fails(client.post("/v1/track", content="{}", headers={"content-type": "text/csv"}), "unsupported_media_type")


def test_the_context_of_a_batch_is_that_of_its_messages(client: TestClient) -> None:
    batch(client, message(), message(context={"channel": "store"}), context={"channel": "mobile"})
    assert {each["channel"] for each in events(client, "ada")} == {"APP", "STORE"}


def test_an_identify_joins_what_came_before(client: TestClient) -> None:
    batch(client, message(userId=None, anonymousId="a-9", event="Product Viewed"))
    assert batch(client, message("identify", anonymousId="a-9"))["accepted"] == 1
    assert len(events(client, "ada")) == 2


def test_a_withdrawn_consent_withholds_at_once_and_a_granted_one_ends_it(client: TestClient, place: Place) -> None:
    withdrawn = message("identify", traits={"profiling_consent": False})
    answer = batch(client, message(), withdrawn, message(), message())
    assert (answer["accepted"], answer["withheld"]) == (2, 2)
    place.now += 2 * SECOND
    answer = batch(client, message(), message(event="Consent Granted"), message())
    assert (answer["accepted"], answer["withheld"]) == (2, 1)
    place.now += 2 * SECOND
    refusing = {"consent": {"categoryPreferences": {"Marketing": False}}}
    assert batch(client, message(context=refusing), message())["withheld"] == 1


def test_personal_fields_never_reach_the_log(place: Place) -> None:
    personal = {"email": "ada@lovelace.example", "phone": "02079460018", "firstName": "Augusta", "address": {"x": "y"}}
    environment = {
        "WAYPOST_KEEP_PROPERTIES": "colour",
        "WAYPOST_HASH_PROPERTIES": "email",
        "WAYPOST_PRIVACY_KEY": "a key of the shop",
    }
    with serve(place, **environment) as client:
        sent = [
            message(properties={**personal, "colour": "red"}),
            message("identify", traits={**personal, "plan": "x"}),
        ]
        before = REGISTRY.get_sample_value("waypost_properties_dropped_total") or 0
        assert batch(client, *sent, context={"ip": "192.0.2.7", "userAgent": "Lynx"})["accepted"] == 2
        client.post("/v1/events", json={"customer": "ada", "kind": "LOGIN", "properties": personal})
        assert REGISTRY.get_sample_value("waypost_properties_dropped_total") == before + 9
        told = [each["properties"] for each in events(client, "ada")]
    digest = told[0].pop("email")
    assert len(digest) == 32 and int(digest, 16)
    assert told[0] == {}
    assert told[1] == {"traits": {"plan": "x", "email": digest}}
    assert told[2] == {"colour": "red", "email": digest}
    for file in place.folder.glob("waypost.db*"):
        content = file.read_bytes()
        assert not any(word in content for word in (b"lovelace", b"Augusta", b"02079460018", b"192.0.2.7", b"Lynx"))


def test_a_key_may_stand_in_the_header_or_in_the_body(place: Place) -> None:
    path = place.folder / "keys.json"
    write, text = issue("shop", "write", NOW, None)
    read, other = issue("page", "read", NOW, None)
    change_keys(path, lambda keys: [*keys, write, read])
    with serve(place, WAYPOST_KEYS=str(path)) as client:
        body = {"batch": [message()]}
        assert client.post("/v1/batch", json=body, auth=(text, "")).json()["accepted"] == 1
        bearer = {"authorization": f"Bearer {text}"}
        assert client.post("/v1/batch", json=body, headers=bearer).json()["accepted"] == 1
        assert client.post("/v1/batch", json={**body, "writeKey": text}).json()["accepted"] == 1
        assert client.post("/v1/track", json={**message(), "writeKey": text}).json()["accepted"] == 1
        token = {"authorization": "Bearer token"}
        assert client.post("/v1/batch", json={**body, "writeKey": text}, headers=token).json()["accepted"] == 1
        refused(client.post("/v1/batch", json=body), "key_missing", 401)
        refused(client.post("/v1/batch", json={**body, "writeKey": "WK"}), "key_unknown", 401)
        refused(client.post("/v1/batch", json={**body, "writeKey": other}), "scope_missing", 403)
        refused(client.post("/v1/batch", json=body, auth=(other, "")), "scope_missing", 403)
        assert client.post(f"/mp/collect?api_secret={text}", json={"client_id": "1", "events": []}).status_code == 204
        assert client.post("/mp/collect?api_secret=x", json={"client_id": "1", "events": []}).status_code == 401
        sent = events_with(client, read_key=other)
    assert len(sent) == 5


def events_with(client: TestClient, read_key: str) -> list[Any]:
    told: list[Any] = client.get("/v1/customers/ada", headers={"authorization": f"Bearer {read_key}"}).json()["events"]
    return told


def test_too_many_requests_are_told_when_to_come_back(place: Place) -> None:
    with serve(place, WAYPOST_REQUESTS_PER_SECOND="2") as client:
        answers = [client.post("/v1/batch", json={"batch": []}) for _ in range(12)]
    problem = refused(answers[-1], "rate_limited", 429)
    assert int(answers[-1].headers["retry-after"]) >= 1 and answers[-1].headers["x-ratelimit-reset"]
    assert problem["code"] == "rate_limited"


def test_bodies_that_cannot_be_read_for_a_key_are_counted_too(place: Place) -> None:
    path = place.folder / "keys.json"
    key, text = issue("shop", "write", NOW, None)
    change_keys(path, lambda keys: [*keys, key])
    with serve(place, WAYPOST_KEYS=str(path), WAYPOST_REQUESTS_PER_SECOND="2") as client:
        answers = [client.post("/v1/batch", content=b"{") for _ in range(12)]
        assert answers[0].status_code == 400
        refused(answers[-1], "rate_limited", 429)
        assert client.post("/v1/batch", json={"batch": [message()]}, auth=(text, "")).json()["accepted"] == 1
