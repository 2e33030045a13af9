"""The server in processes of its own, two workers on one store."""

from __future__ import annotations

import json
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx2
import pytest

from insights.catalogue import INSIGHTS
from serving.http.resources.customers import CustomerAnswer
from serving.http.resources.decisions import DecisionAnswer
from serving.http.resources.events import EventsAnswer
from serving.http.resources.insights import answer_of
from serving.http.resources.operations import LiveAnswer, ReadyAnswer
from serving.http.resources.recommendations import RecommendationsAnswer
from serving.http.resources.rewards import RewardAnswer
from serving.http.resources.scores import ScoresAnswer
from serving.http.resources.segments import SegmentsAnswer
from serving.service import keep_control_inside
from tests.outside import Outside
from tests.serving.answers import fails, ok
from tests.serving.conftest import Place
from tests.serving.ports import listening
from tests.serving.server_process import ROOT, Server
from tests.serving.shop import customer


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, champion: Path, stocked: Path) -> Place:
    """A place whose store holds the shop's history."""
    folder = tmp_path_factory.mktemp("server")
    shutil.copy(stocked, folder / "waypost.db")
    return Place(folder, champion)


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory) -> Outside:
    """What the server asks of other machines."""
    return Outside(tmp_path_factory.mktemp("outside"))


@pytest.fixture(scope="module")
def server(place: Place, outside: Outside) -> Iterator[Server]:
    """A server with two workers, ready."""
    environment = place.environment(WAYPOST_SWEEP_SECONDS="0.3", WAYPOST_BUSY_SECONDS="5")
    running = Server(place.folder, environment, base=outside.environment())
    try:
        running.wait()
        yield running
    finally:
        code = running.stop()
    assert code == 0


@pytest.fixture
def http(server: Server) -> Iterator[httpx2.Client]:
    """A client that opens a connection for each request, so that either worker may answer."""
    limits = httpx2.Limits(max_keepalive_connections=0)
    with httpx2.Client(base_url=server.address, limits=limits, timeout=20) as client:
        yield client


def test_an_acknowledged_event_is_in_the_next_score_of_any_worker(http: httpx2.Client) -> None:
    def follow(number: int) -> None:
        who = f"writer-{number}"
        for turn in range(1, 6):
            sent = {"customer": who, "kind": "PURCHASE", "amount": 1, "message_id": f"{who}-{turn}"}
            assert http.post("/v1/events", json=sent).json()["accepted"] == 1
            for _ in range(3):
                known = http.post("/v1/scores", json={"customer": who}).json()["results"][0]
                assert (known["known"], known["stage"]) == (True, "retention")
            told = http.get(f"/v1/customers/{who}?events=0").json()
            assert told["features"]["purchases_ever"] == turn

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(follow, range(4)))


def test_the_main_flow(http: httpx2.Client) -> None:
    who = customer(5)
    ok(http.post("/v1/events", json={"customer": who, "kind": "ITEM_VIEW", "item": "item-3"}), EventsAnswer)
    ok(http.post("/v1/scores", json={"customers": [who, "nobody"]}), ScoresAnswer)
    found = ok(http.post("/v1/recommendations", json={"customer": who, "limit": 5}), RecommendationsAnswer)
    assert len(found["items"]) == 5
    decision = ok(http.post("/v1/next-best-action", json={"customer": who}), DecisionAnswer)
    reward = {"customer": who, "decision_id": decision["decision_id"], "value": 1}
    assert ok(http.post("/v1/rewards", json=reward), RewardAnswer)["action"] == decision["action"]
    told = ok(http.get(f"/v1/customers/{who}"), CustomerAnswer)
    # That nothing was done is not told among the newest events.
    newest = ["REWARD", "ITEM_VIEW"] if decision["action"] == "do_nothing" else ["REWARD", "DECISION"]
    assert [each["kind"] for each in told["events"][:2]] == newest
    assert ok(http.get("/readyz"), ReadyAnswer)["ready"]
    assert ok(http.get("/livez"), LiveAnswer)["alive"]


def test_segments_and_report_come_from_a_sweep(http: httpx2.Client) -> None:
    for _ in range(100):
        if http.get("/v1/segments").status_code == 200:
            break
        time.sleep(0.1)
    assert ok(http.get("/v1/segments"), SegmentsAnswer)["customers"] >= 200
    ok(http.get("/v1/journey"), answer_of(INSIGHTS["journey"]))
    assert "on their journey" in http.get("/").text
    assert http.get("/v1/segments/new?format=csv").text.startswith("customer,")


def test_the_page_and_the_problems_are_ours_not_the_frameworks(http: httpx2.Client) -> None:
    for path in ("/", "/docs"):
        page = http.get(path)
        assert "Waypost" in page.text and "bento" not in page.text.lower()
        assert "default-src 'none'" in page.headers["content-security-policy"]
    fails(http.get("/nothing"), "not_found")
    fails(http.post("/v1/scores", content=b"{", headers={"content-type": "application/json"}), "malformed_json")


def test_the_metrics_are_ours_and_the_frameworks_of_all_workers(http: httpx2.Client) -> None:
    for _ in range(20):
        http.post("/v1/scores", json={"customer": "nobody"})
        http.get("/docs.json")
    text = http.get("/metrics").text
    for name in (
        "waypost_http_request_duration_seconds_bucket",
        "waypost_events_ingested_total",
        "waypost_decisions_total",
        "waypost_model_predict_duration_seconds_count",
        "waypost_model_info",
        "waypost_build_info",
        "bentoml_service_request_total",
    ):
        assert name in text, text
    counted = [line for line in text.splitlines() if line.startswith("waypost_http_request_duration_seconds_count")]
    scores = [float(line.split()[-1]) for line in counted if 'route="/v1/scores",status="200"' in line]
    assert sum(scores) >= 20


def test_the_server_listens_on_its_own_port_and_nothing_else(server: Server) -> None:
    assert listening(server.process.pid) == {("tcp", str(server.port))}


def test_the_process_manager_is_never_commanded_from_outside() -> None:
    class Supervisor:
        def __init__(self, watchers: list[object], **options: object) -> None:
            self.options = options

    keep_control_inside(Supervisor)
    ports = {"endpoint": "tcp://127.0.0.1:1", "pubsub_endpoint": "tcp://127.0.0.1:2"}
    assert Supervisor([], **ports).options == {"endpoint": "inproc://control", "pubsub_endpoint": "inproc://events"}
    with pytest.raises(SystemExit, match="without --reload"):
        Supervisor([], **ports, plugins=[{"use": "reload"}])


def test_nothing_is_told_to_anybody(server: Server, outside: Outside) -> None:
    assert outside.calls() == []


def test_a_large_body_is_refused_before_it_is_read(server: Server, http: httpx2.Client) -> None:
    head = (
        "POST /v1/events HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        "Content-Length: 10485760\r\n\r\n"
    )
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall(head.encode() + b"[" * 100)
        assert connection.recv(100).startswith(b"HTTP/1.1 413")
    fails(
        http.post("/v1/events", content=b" " * 10_485_760, headers={"content-type": "application/json"}),
        "body_too_large",
    )


def test_no_personal_data_reaches_the_log(server: Server, http: httpx2.Client) -> None:
    address = "jane.doe@example.com"
    json_type = {"content-type": "application/json"}
    http.post("/v1/events", json={"customer": address, "kind": address, "amount": address})
    http.post("/v1/events", json={"customer": address, "kind": "PURCHASE", "amount": -1, address: address})
    http.post("/v1/events", content=f'{{"customer": "{address}'.encode(), headers=json_type)
    http.post("/v1/events", json={"customer": address, "kind": "LOGIN", "properties": {"email": address}})
    http.post("/v1/scores", json={"customer": [address], address: 1})
    http.post("/v1/scores", content=address.encode(), headers={"content-type": address})
    http.post("/v1/next-best-action", json={"customer": address, "channels": [address]})
    http.post("/v1/rewards", json={"customer": address, "decision_id": address, "value": 1})
    http.get(f"/v1/customers/{address}")
    http.get(f"/v1/segments/{address}?cursor={address}")
    http.get(f"/{address}", headers={"x-request-id": address, "user-agent": address})
    http.request("DELETE", f"/v1/customers/{address}")
    with socket.create_connection(("127.0.0.1", server.port), timeout=5) as connection:
        connection.sendall(f"NOT HTTP {address}\r\n\r\n".encode())
        connection.recv(100)
    text = server.log.read_text()
    assert "jane" not in text and "example.com" not in text
    assert "Traceback" not in text
    assert "jane" not in http.get("/metrics").text


def test_what_was_answered_is_there_after_a_restart(place: Place, server: Server, http: httpx2.Client) -> None:
    sent = {"customer": "stayer", "kind": "PURCHASE", "amount": 7, "message_id": "stay-1"}
    assert http.post("/v1/events", json=sent).json()["accepted"] == 1
    other = Server(place.folder, place.environment(WAYPOST_WORKERS="1"))
    try:
        other.wait()
        told = httpx2.get(f"{other.address}/v1/customers/stayer", timeout=20).json()
        assert told["features"]["spend_gross_ever"] == 7
        assert httpx2.post(f"{other.address}/v1/events", json=sent, timeout=20).json()["duplicates"] == 1
    finally:
        assert other.stop() == 0


def test_the_server_loads_nothing_of_training() -> None:
    program = (
        "import json, sys\nfrom serving import service\nservice.Waypost.to_asgi()\nservice.worker().fold.compile()\n"
        "print(json.dumps(sorted({name.split('.')[0] for name in sys.modules})))"
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    loaded = set(json.loads(ran.stdout.splitlines()[-1]))
    assert not loaded & {"lightgbm", "matplotlib", "mlflow", "pandas", "pyarrow", "sklearn", "training"}
