"""One process of the server: threads that do not wait for ever, a champion noticed soon, faults told once."""

from __future__ import annotations

import asyncio
import logging
import shutil
import sqlite3
import threading
import time
from contextlib import closing

import pytest

from features.journey import JOURNEY
from features.log.contract import LogBusy, LogError
from serving.process.engine_threads import MOST_WAITING, EngineThread
from serving.process.worker import Worker
from serving.settings import read_settings
from tests.serving.conftest import Place, serve


def worker_at(place: Place) -> Worker:
    """A worker that never sweeps."""
    return Worker(read_settings(place.environment(WAYPOST_SWEEP_SECONDS="0")), JOURNEY, lambda: place.now)


def test_what_waited_too_long_is_refused_at_once(place: Place) -> None:
    engine_thread = EngineThread("test", place.engine, patience=0.1)

    async def ask() -> list[object]:
        asked = [engine_thread.ask(lambda engine: time.sleep(0.25)) for _ in range(20)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        await engine_thread.close()
        return list(answers)

    begun = time.monotonic()
    first, *others = asyncio.run(ask())
    assert first is None and all(isinstance(each, LogBusy) for each in others)
    assert time.monotonic() - begun < 3


def test_no_more_than_so_many_wait_for_a_thread(place: Place) -> None:
    engine_thread, gate = EngineThread("test", place.engine), threading.Event()

    async def ask() -> list[object]:
        asked = [
            asyncio.ensure_future(engine_thread.ask(lambda engine: gate.wait(10))) for _ in range(MOST_WAITING + 5)
        ]
        done, _ = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        assert len(done) == 5
        gate.set()
        answers = await asyncio.gather(*asked, return_exceptions=True)
        assert await engine_thread.ask(lambda engine: 1) == 1
        await engine_thread.close()
        return list(answers)

    answers = asyncio.run(ask())
    assert answers[:MOST_WAITING] == [True] * MOST_WAITING
    assert all(isinstance(each, LogBusy) for each in answers[MOST_WAITING:])


def test_reads_do_not_queue_for_ever_behind_a_slow_one(place: Place) -> None:
    worker = worker_at(place)

    async def read() -> list[object]:
        await worker.open()
        asked = [worker.read(lambda engine: time.sleep(0.25)) for _ in range(20)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        await worker.close()
        return list(answers)

    first, *others = asyncio.run(read())
    assert first is None and all(isinstance(each, LogBusy) for each in others)


def test_the_check_does_not_queue_behind_writes(place: Place) -> None:
    worker = worker_at(place)

    async def check() -> bool:
        await worker.open()
        slow = asyncio.ensure_future(worker.write(lambda engine: time.sleep(1)))
        await asyncio.sleep(0.05)
        await worker.check_store()
        waited = slow.done()
        await slow
        await worker.close()
        return waited

    assert asyncio.run(check()) is False


def test_a_new_champion_is_noticed_though_nothing_is_swept(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("serving.process.worker.HEARTBEAT_SECONDS", 0.02)
    bundle, place.champion = place.champion, place.folder / "champion"
    with caplog.at_level(logging.WARNING, "waypost"), serve(place) as client:
        assert client.post("/v1/scores", json={"customer": "anna"}).status_code == 503
        time.sleep(0.2)
        assert len([each for each in caplog.messages if "not used" in each]) == 1
        shutil.copytree(bundle, place.folder / "draft")
        (place.folder / "draft").rename(place.champion)
        for _ in range(100):
            if client.post("/v1/scores", json={"customer": "anna"}).status_code == 200:
                return
            time.sleep(0.05)
    raise AssertionError("the champion was not noticed")


def test_a_store_fault_is_told_once(place: Place, caplog: pytest.LogCaptureFixture) -> None:
    worker = worker_at(place)
    with caplog.at_level(logging.WARNING, "waypost"):
        for fault in (LogBusy("a"), LogBusy("b"), LogError("c"), None, None):
            worker._tell_fault(fault)
    assert len(caplog.messages) == 3


def test_a_store_replaced_while_serving_is_not_written_and_none_is_made(place: Place) -> None:
    with serve(place) as client:
        assert client.get("/readyz").json()["checks"]["store"]["ok"] is True
        (place.folder / "waypost.db").rename(place.folder / "away.db")
        assert client.post("/v1/events", json={"customer": "a", "kind": "LOGIN"}).status_code == 503
        assert client.get("/readyz").json()["checks"]["store"]["ok"] is False
        assert not (place.folder / "waypost.db").exists()
        with closing(sqlite3.connect(place.folder / "waypost.db")) as other:
            other.execute("CREATE TABLE t (x)")
        assert client.post("/v1/events", json={"customer": "a", "kind": "LOGIN"}).status_code == 503
        (place.folder / "waypost.db").unlink()
