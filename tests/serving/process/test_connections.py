"""Connections come to all workers alike, however fast one of them is, and a worker that hangs is not waited for."""

from __future__ import annotations

import asyncio
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from serving.process.connections import FILE, LEAVE_SECONDS, MOST_LEFT, SILENT_SECONDS, SLOT, EvenServer, Shares
from tests.serving.conftest import Place
from tests.serving.server_process import ROOT, Server


class Caller(asyncio.Protocol):
    """What answers a caller: nothing."""


def held(folder: Path) -> list[int]:
    """How many connections each worker that ever told says it holds."""
    return [count for count, told in SLOT.iter_unpack((folder / FILE).read_bytes()) if told]


ANOTHER = """
import select, sys
from pathlib import Path
from serving.process.connections import Shares
shares = Shares(Path(sys.argv[1]))
shares.publish(int(sys.argv[2]))
print("told", flush=True)
while not select.select([sys.stdin], [], [], 0.05)[0]:
    shares.publish()
"""
"""Another worker: says how many connections it holds, and keeps saying it until it is told to end."""


@contextmanager
def another(folder: Path, connections: int) -> Iterator[int]:
    """A worker in a process of its own that holds so many connections; the number of the process."""
    command = [sys.executable, "-c", ANOTHER, str(folder), str(connections)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=ROOT) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "told\n"
        try:
            yield process.pid
        finally:
            os.kill(process.pid, signal.SIGCONT)
            process.communicate("end\n", timeout=20)


def test_who_holds_more_than_a_living_worker_is_busier(tmp_path: Path) -> None:
    shares = Shares(tmp_path)
    shares.publish(5)
    assert not shares.is_busier()
    with another(tmp_path, 3) as other:
        assert shares.is_busier()
        shares.publish(-2)
        assert not shares.is_busier()
        shares.publish(1)
        assert shares.is_busier()
        os.kill(other, signal.SIGSTOP)
        time.sleep(SILENT_SECONDS + 0.1)
        assert not shares.is_busier(), "it hangs"
        os.kill(other, signal.SIGCONT)
        deadline = time.monotonic() + 10
        while not shares.is_busier():
            assert time.monotonic() < deadline
    with another(tmp_path, 1):
        assert len(held(tmp_path)) == 2, "the slot of one that ended is the next one's"
    shares.close()


def test_a_connection_is_left_to_others_for_moments_only(tmp_path: Path) -> None:
    async def accepted() -> tuple[float, int]:
        loop, shares = asyncio.get_running_loop(), Shares(tmp_path)
        shares.publish(7)
        with socket.create_server(("127.0.0.1", 0)) as door:
            door.setblocking(False)
            server = EvenServer(loop, Caller, door, shares, None)
            begun = loop.time()
            caller = socket.create_connection(door.getsockname())
            while shares.held == 7:
                await asyncio.sleep(0)
            waited = loop.time() - begun
            caller.close()
            while shares.held > 7:
                await asyncio.sleep(0)
            server.close()
            await server.wait_closed()
        count = shares.held
        shares.close()
        return waited, count

    with another(tmp_path, 2):
        waited, count = asyncio.run(asyncio.wait_for(accepted(), 20))
    assert MOST_LEFT * LEAVE_SECONDS <= waited < 0.5 and count == 7


def test_a_burst_is_shared_by_all_workers(place: Place) -> None:
    server = Server(place.folder, place.environment(WAYPOST_WORKERS="2", WAYPOST_SWEEP_SECONDS="0"))
    try:
        server.wait()
        deadline = time.monotonic() + 20
        while len(held(place.folder / "scoreboard")) < 2:
            assert time.monotonic() < deadline, "one worker never told"
            time.sleep(0.1)
        clients = [http.client.HTTPConnection("127.0.0.1", server.port, timeout=20) for _ in range(16)]
        for client in clients:
            client.connect()
        for client in clients:
            client.request("GET", "/livez")
            with closing(client.getresponse()) as answer:
                assert answer.status == 200
                answer.read()
        shared = held(place.folder / "scoreboard")
        assert sum(shared) == 16 and max(shared) <= 10, shared
        for client in clients:
            client.close()
        deadline = time.monotonic() + 5
        while sum(held(place.folder / "scoreboard")):
            assert time.monotonic() < deadline, "connections that are gone are still counted"
            time.sleep(0.05)
    finally:
        assert server.stop() == 0
