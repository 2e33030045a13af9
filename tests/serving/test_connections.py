"""Connections come to all workers alike, however fast one of them is, and a worker that hangs is not waited for."""

from __future__ import annotations

import asyncio
import http.client
import multiprocessing
import os
import signal
import socket
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from multiprocessing.connection import Connection
from pathlib import Path

from serving.connections import FILE, LEAVE_SECONDS, MOST_LEFT, SILENT_SECONDS, SLOT, EvenServer, Shares
from tests.serving.conftest import Place
from tests.serving.process import Server


class Caller(asyncio.Protocol):
    """What answers a caller: nothing."""


def held(folder: Path) -> list[int]:
    """How many connections each worker that ever told says it holds."""
    return [count for count, told in SLOT.iter_unpack((folder / FILE).read_bytes()) if told]


def _another(folder: Path, pipe: Connection) -> None:
    """Another worker: says what it is told to say, and keeps saying it until it is told to end."""
    shares = Shares(folder)
    shares.tell(pipe.recv())
    pipe.send(True)
    while not pipe.poll(0.05):
        shares.tell()


@contextmanager
def another(folder: Path, connections: int) -> Iterator[multiprocessing.Process]:
    """A worker in a process of its own that holds so many connections."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=_another, args=(folder, theirs))
    process.start()
    ours.send(connections)
    ours.recv()
    try:
        yield process  # type: ignore[misc]
    finally:
        os.kill(process.pid or 0, signal.SIGCONT)
        ours.send(None)
        process.join(20)


def test_who_holds_more_than_a_living_worker_is_busier(tmp_path: Path) -> None:
    shares = Shares(tmp_path)
    shares.tell(5)
    assert not shares.is_busier()
    with another(tmp_path, 3) as process:
        assert shares.is_busier()
        shares.tell(-2)
        assert not shares.is_busier()
        shares.tell(1)
        assert shares.is_busier()
        os.kill(process.pid or 0, signal.SIGSTOP)
        time.sleep(SILENT_SECONDS + 0.1)
        assert not shares.is_busier(), "it hangs"
        os.kill(process.pid or 0, signal.SIGCONT)
        deadline = time.monotonic() + 10
        while not shares.is_busier():
            assert time.monotonic() < deadline
    with another(tmp_path, 1):
        assert len(held(tmp_path)) == 2, "the slot of one that ended is the next one's"
    shares.close()


def test_a_connection_is_left_to_others_for_moments_only(tmp_path: Path) -> None:
    async def accepted() -> tuple[float, int]:
        loop, shares = asyncio.get_running_loop(), Shares(tmp_path)
        shares.tell(7)
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
