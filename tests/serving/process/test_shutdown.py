"""A server told to stop under load: it says so, answers what it has, refuses the rest, and loses nothing."""

from __future__ import annotations

import http.client
import json
import signal
import socket
import sqlite3
import threading
import time
from collections import Counter
from contextlib import closing

from tests.serving.conftest import Place
from tests.serving.server_process import Server


class Load:
    """Clients that send without pause until the server refuses them; some keep their connection, some do not."""

    def __init__(self, port: int, clients: int) -> None:
        self.outcomes: Counter[str] = Counter()
        self.acknowledged: list[str] = []
        self._port = port
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._run, args=(number,)) for number in range(clients)]
        for thread in self._threads:
            thread.start()

    def join(self) -> None:
        """Wait until every client was refused."""
        for thread in self._threads:
            thread.join(30)

    def _run(self, number: int) -> None:
        connection: http.client.HTTPConnection | None = None
        for turn in range(1_000_000):
            if connection is None:
                connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
                try:
                    connection.connect()
                except ConnectionRefusedError:
                    self._count("refused")
                    return
            identity = f"{number}-{turn}"
            try:
                keep = self._send(connection, identity) and number % 2 == 0
            except (OSError, http.client.HTTPException) as error:
                self._count(f"cut off: {type(error).__name__}")
                keep = False
            if not keep:
                connection.close()
                connection = None

    def _send(self, connection: http.client.HTTPConnection, identity: str) -> bool:
        """Send an event; whether the connection may be used again."""
        body = json.dumps({"customer": f"client-{identity[0]}", "kind": "PAGE_VIEW", "message_id": identity})
        connection.request("POST", "/v1/events", body, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        if answer.status == 200:
            with self._lock:
                self.acknowledged.append(identity)
        self._count(str(answer.status))
        return answer.getheader("connection") != "close"

    def _count(self, outcome: str) -> None:
        with self._lock:
            self.outcomes[outcome] += 1


def test_nothing_is_cut_off_and_nothing_is_lost(place: Place) -> None:
    settings = {"WAYPOST_WORKERS": "2", "WAYPOST_BUSY_SECONDS": "5", "WAYPOST_DRAIN_SECONDS": "0.5"}
    server = Server(place.folder, place.environment(**settings))
    server.wait()
    load = Load(server.port, clients=6)
    time.sleep(0.7)
    server.process.send_signal(signal.SIGTERM)
    time.sleep(0.2)
    ready, serving = _readiness(server.port)
    assert (ready, serving) == (503, False)
    load.join()
    assert server.process.wait(30) == 0
    assert set(load.outcomes) == {"200", "refused"}, (load.outcomes, server.log.read_text()[-2000:])
    assert load.outcomes["refused"] == 6
    with closing(sqlite3.connect(place.folder / "waypost.db")) as connection:
        kept = {identity for (identity,) in connection.execute("SELECT message_id FROM events")}
    assert len(load.acknowledged) > 20 and kept.issuperset(load.acknowledged)
    assert "Traceback" not in server.log.read_text()


def _readiness(port: int) -> tuple[int, bool]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    connection.request("GET", "/readyz")
    answer = connection.getresponse()
    checks = json.loads(answer.read())["checks"]
    connection.close()
    return answer.status, checks["serving"]["ok"]


def test_workers_do_not_outlive_their_supervisor(place: Place) -> None:
    for started in (2.0, None):
        server = Server(place.folder, place.environment(WAYPOST_SWEEP_SECONDS="0"))
        if started:
            time.sleep(started)  # workers are still importing
        else:
            server.wait()
        server.process.kill()
        server.process.wait()
        deadline = time.monotonic() + 20
        while _is_listening(server.port):
            assert time.monotonic() < deadline, "a worker still holds the port"
            time.sleep(0.2)


def _is_listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
