"""The routes over HTTP, in one process: what they answer."""

from __future__ import annotations

import csv
import json
import math
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import pytest
from starlette.testclient import TestClient

from features.events import DAY
from features.journey import JOURNEY
from insights.catalogue import INSIGHTS
from serving.engine.scoreboard import Scoreboard, sweep
from serving.http.resources.customers import CustomerAnswer
from serving.http.resources.decisions import DecisionAnswer
from serving.http.resources.events import EventsAnswer
from serving.http.resources.insights import answer_of
from serving.http.resources.rewards import RewardAnswer
from serving.http.resources.scores import ScoresAnswer
from serving.http.resources.segment_members import SegmentAnswer
from serving.http.resources.segments import SegmentsAnswer
from serving.http.routes import ROUTES
from tests.serving.answers import fails, ok
from tests.serving.conftest import NOW, Place, serve
from tests.serving.shop import customer

AS_OF = "2026-05-28T20:26:40Z"


@pytest.fixture
def swept(place: Place) -> Iterator[TestClient]:
    """A client of a server that has swept."""
    engine = place.engine()
    sweep(engine, Scoreboard(place.folder / "scoreboard", JOURNEY.fingerprint), NOW)
    engine.states.close()
    with serve(place) as client:
        yield client


def test_an_event_sent_is_in_the_next_score(client: TestClient) -> None:
    sent = {"customer": "anna", "kind": "item_view", "item": "item-1", "message_id": "w-1"}
    before = ok(client.post("/v1/scores", json={"customer": "anna"}), ScoresAnswer)
    assert before["results"][0]["known"] is False
    taken = ok(client.post("/v1/events", json=sent), EventsAnswer)
    assert (taken["accepted"], taken["duplicates"], taken["rejected"]) == (1, 0, [])
    after = ok(client.post("/v1/scores", json={"customer": "anna"}), ScoresAnswer)
    assert after["results"][0]["known"] is True and after["results"][0]["stage"] == "consideration"
    assert after["as_of"] == AS_OF
    assert after["model"]["fingerprint"] == JOURNEY.fingerprint
    again = ok(client.post("/v1/events", json=sent), EventsAnswer)
    assert (again["accepted"], again["duplicates"]) == (0, 1)


def test_events_come_as_one_as_a_list_as_an_object_or_as_lines(client: TestClient) -> None:
    one = {"customer": "anna", "kind": "SEARCH"}
    assert client.post("/v1/events", json=one).json()["accepted"] == 1
    assert client.post("/v1/events", json=[one, one]).json()["accepted"] == 2
    assert client.post("/v1/events", json={"events": [one, one, one]}).json()["accepted"] == 3
    lines = json.dumps(one) + "\n\n" + json.dumps(one)
    headers = {"content-type": "application/x-ndjson"}
    assert client.post("/v1/events", content=lines, headers=headers).json()["accepted"] == 2
    assert len(client.get("/v1/customers/anna").json()["events"]) == 8


def test_good_events_are_kept_and_bad_ones_named(client: TestClient, place: Place) -> None:
    future = "2026-05-30T20:26:40Z"
    events: list[Any] = [
        {"customer": "anna", "kind": "PURCHASE", "amount": 10, "message_id": "good"},
        {"customer": "anna", "kind": "TELEPORT", "message_id": "odd"},
        {"customer": "anna", "kind": "PURCHASE", "amount": -1},
        {"customer": "anna", "kind": "PURCHASE", "at": future},
        {"customer": "", "kind": "PURCHASE"},
        {"customer": "anna", "kind": "SURVEY_NPS", "score": 11},
        {"customer": "anna", "kind": "PURCHASE", "colour": "red"},
        "PURCHASE",
        {"customer": "anna", "kind": "DECISION"},
    ]
    answer = ok(client.post("/v1/events", json=events), EventsAnswer)
    assert answer["accepted"] == 3
    assert [(each["index"], each["field"], each["code"]) for each in answer["warnings"]] == [
        (2, "amount", "negative"),
        (6, "colour", "unknown_field"),
    ]
    assert [(each["index"], each["code"]) for each in answer["rejected"]] == [
        (1, "invalid_kind"),
        (3, "invalid_at"),
        (4, "invalid_customer"),
        (5, "invalid_score"),
        (7, "invalid_event"),
        (8, "invalid_kind"),
    ]
    assert "TELEPORT" in answer["rejected"][0]["detail"] and answer["rejected"][0]["message_id"] == "odd"
    engine = place.engine()
    letters = engine.states.log.dead_letters(100)
    engine.states.close()
    assert [json.loads(each.raw) for each in letters] == [events[place] for place in (1, 3, 4, 5, 7, 8)]


def test_after_a_withdrawn_consent_events_are_withheld_and_told_so(client: TestClient) -> None:
    events = [{"customer": "anna", "kind": kind} for kind in ("LOGIN", "CONSENT_WITHDRAW", "PURCHASE", "LOGIN")]
    answer = ok(client.post("/v1/events", json=[*events, {"customer": "bert", "kind": "LOGIN"}]), EventsAnswer)
    assert (answer["accepted"], answer["withheld"], answer["rejected"]) == (3, 2, [])


def test_an_id_may_hold_anything(client: TestClient) -> None:
    strange = "Jane Doe/ü?#&"
    client.post("/v1/events", json={"customer": strange, "kind": "LOGIN"})
    told = ok(client.get(f"/v1/customers/{quote(strange, safe='')}"), CustomerAnswer)
    assert (told["customer"], told["known"]) == (strange, True)


def test_the_clock_of_a_sender_may_be_a_little_ahead(client: TestClient) -> None:
    ahead = {"customer": "anna", "kind": "PURCHASE", "at": "2026-05-28T21:00:00Z"}
    assert client.post("/v1/events", json=ahead).json()["accepted"] == 1
    (event,) = client.get("/v1/customers/anna").json()["events"]
    assert event["at"] == event["received"] == AS_OF


def test_a_request_keeps_its_id_when_it_is_a_plain_word(client: TestClient) -> None:
    assert client.get("/livez", headers={"x-request-id": "web-7.a_b"}).headers["x-request-id"] == "web-7.a_b"
    assert client.get("/livez", headers={"x-request-id": "a b\tc"}).headers["x-request-id"] != "a b\tc"
    assert client.get("/nothing", headers={"x-request-id": "web-7"}).json()["request_id"] == "web-7"


def test_a_decision_its_repetition_and_its_reward(client: TestClient) -> None:
    ask = {"customer": customer(3), "decision_id": "d-1"}
    first = ok(client.post("/v1/next-best-action", json=ask), DecisionAnswer)
    again = ok(client.post("/v1/next-best-action", json=ask), DecisionAnswer)
    assert (first["repeated"], again["repeated"]) == (False, True)
    assert {name: first[name] for name in ("action", "propensities")} == {
        name: again[name] for name in ("action", "propensities")
    }
    assert len(first["considered"]) >= 15
    reward = {"customer": customer(3), "decision_id": "d-1", "value": 5.5, "money": True}
    assert ok(client.post("/v1/rewards", json=reward), RewardAnswer)["accepted"] is True
    assert ok(client.post("/v1/rewards", json=reward), RewardAnswer)["accepted"] is False
    fails(client.post("/v1/next-best-action", json={"customer": "ben", "decision_id": "d-1"}), "decision_conflict")


def test_an_action_that_shows_products_brings_them(client: TestClient) -> None:
    shown = set()
    for number in range(150):
        ask = {"customer": customer(number), "decision_id": f"show-{number}"}
        answer = client.post("/v1/next-best-action", json=ask).json()
        if answer["items"]:
            shown.add(answer["action"])
            assert client.post("/v1/next-best-action", json=ask).json()["items"] == answer["items"]
    assert shown


def test_a_thousand_customers_are_scored_as_each_alone(client: TestClient) -> None:
    customers = [customer(number) for number in range(200)] + [f"stranger-{number}" for number in range(800)]
    together = ok(client.post("/v1/scores", json={"customers": customers}), ScoresAnswer)
    assert [each["customer"] for each in together["results"]] == customers
    for number in (0, 57, 199, 900):
        alone = client.post("/v1/scores", json={"customer": customers[number]}).json()
        assert alone["results"] == [together["results"][number]]


def test_a_customer_is_told_with_stage_features_segments_and_events(client: TestClient) -> None:
    known = ok(client.get(f"/v1/customers/{customer(3)}?events=2"), CustomerAnswer)
    assert set(known["features"]) == set(JOURNEY.names)
    assert len(known["events"]) == 2
    assert known["scores"]["conversion_7d"]["base_rate"] == 0.35
    unknown = ok(client.get("/v1/customers/nobody"), CustomerAnswer)
    assert (unknown["known"], unknown["stage"], unknown["segments"], unknown["events"]) == (False, None, [], [])


def test_segments_are_told_paged_and_streamed(swept: TestClient) -> None:
    told = ok(swept.get("/v1/segments"), SegmentsAnswer)
    sizes = {each["name"]: each["customers"] for each in told["segments"]}
    name = max(sizes, key=lambda each: sizes[each])
    assert told["customers"] == 200 and sizes[name] > 7
    members, cursor, pages = [], "", 0
    while cursor is not None:
        query = f"?limit=7&cursor={cursor}" if cursor else "?limit=7"
        page = ok(swept.get(f"/v1/segments/{name}{query}"), SegmentAnswer)
        members += [each["customer"] for each in page["members"]]
        cursor, pages = page["next_cursor"], pages + 1
    assert len(members) == len(set(members)) == sizes[name] and pages == -(-sizes[name] // 7)
    streamed = swept.get(f"/v1/segments/{name}", headers={"accept": "text/csv"})
    assert streamed.headers["content-type"] == "text/csv; charset=utf-8"
    assert streamed.headers["x-as-of"].startswith("2026-05-28T20:26:40")
    header, *rows = streamed.text.splitlines()
    assert header.startswith("customer,stage,lapsing,conversion_7d,conversion_7d_low,conversion_7d_high,churn_28d,")
    assert header.endswith(",reasons")
    assert [row.split(",")[0] for row in rows] == members
    assert {row.split(",")[2] for row in rows} <= {"true", "false"}
    assert streamed.text == swept.get(f"/v1/segments/{name}?format=csv").text


def test_the_customers_at_risk_are_as_many_as_asked_for_each_with_reasons(swept: TestClient) -> None:
    told = ok(swept.get("/v1/segments/at-risk"), SegmentAnswer)
    assert told["customers"] == math.ceil(told["candidates"] / 5) > 1
    stakes = [each["scores"]["churn_28d"] * each["features"]["spend_net_90d"] for each in told["members"]]
    assert stakes == sorted(stakes, reverse=True) and stakes[-1] > 0
    for each in told["members"]:
        interval = each["intervals"]["churn_28d"]
        assert interval["low"] <= each["scores"]["churn_28d"] <= interval["high"]
    for size, customers in (("1", told["candidates"]), ("2", 2), ("0.5", math.ceil(told["candidates"] / 2))):
        assert swept.get(f"/v1/segments/at-risk?size={size}").json()["customers"] == customers
    rows = list(csv.DictReader(swept.get("/v1/segments/at-risk?format=csv&size=3").text.splitlines()))
    assert [row["customer"] for row in rows] == [each["customer"] for each in told["members"][:3]]
    for row, member in zip(rows, told["members"], strict=False):
        assert row["reasons"] == "; ".join(each["words"] for each in member["reasons"]["churn_28d"])
    for size in ("0", "2.5", "much"):
        fails(swept.get(f"/v1/segments/at-risk?size={size}"), "invalid_request")


def test_a_page_of_a_revision_dropped_meanwhile_says_to_begin_again(swept: TestClient, place: Place) -> None:
    page = swept.get("/v1/segments/loyal?limit=1").json()
    for places in (place.folder / "scoreboard").glob("*/loyal-*.npy"):
        places.unlink()
    refused = swept.get(f"/v1/segments/loyal?limit=1&cursor={page['next_cursor']}")
    assert (refused.status_code, refused.json()["code"]) == (410, "cursor_expired")


def test_a_segment_holds_the_customers_who_say_they_are_in_it(swept: TestClient) -> None:
    for segment in ("cart-abandoners", "loyal", "at-risk", "new"):
        page = swept.get(f"/v1/segments/{segment}?limit=1000").json()
        members = {each["customer"] for each in page["members"]}
        for number in range(0, 200, 9):
            told = swept.get(f"/v1/customers/{customer(number)}").json()
            assert (segment in told["segments"]) == (customer(number) in members)


def test_the_journey_counts_every_customer_once(swept: TestClient) -> None:
    journey = ok(swept.get("/v1/journey"), answer_of(INSIGHTS["journey"]))
    assert sum(each["customers"] for each in journey["stages"]) == journey["customers"] == 200
    assert [each["stage"] for each in journey["stages"]] == [
        "awareness",
        "consideration",
        "purchase",
        "retention",
        "advocacy",
    ]
    assert {each["name"] for each in journey["figures"]} >= {"customers", "revenue_gross_28d"}
    assert journey["as_of"] == AS_OF


def test_every_page_is_served_without_asking_another_host(swept: TestClient) -> None:
    for route in ROUTES:
        if route.tag != "pages":
            continue
        response = swept.get(route.path)
        assert response.status_code == 200
        text = response.text.replace("http://www.w3.org/2000/svg", "")
        assert "http:" not in text and "https:" not in text and "<script" not in text
        if response.headers["content-type"].startswith("text/html"):
            assert "default-src 'none'" in response.headers["content-security-policy"]
            assert "style=" not in text


def test_the_page_waits_for_the_first_sweep(client: TestClient) -> None:
    assert "first report is being prepared" in client.get("/").text


def test_the_sweeper_sweeps_when_there_is_something_new(place: Place) -> None:
    with serve(place, WAYPOST_SWEEP_SECONDS="0.05") as client:
        for expected in (200, 201):
            for _ in range(200):
                response = client.get("/v1/segments")
                if response.status_code == 200 and response.json()["customers"] == expected:
                    break
                time.sleep(0.05)
            assert response.json()["customers"] == expected
            client.post("/v1/events", json={"customer": "somebody-new", "kind": "LOGIN"})
        place.now += DAY
        assert client.get("/readyz").json()["checks"]["scoreboard"]["ok"] is True
