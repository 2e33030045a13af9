"""The thread that writes: many requests share a commit, only the guilty fails, and what waits is bounded."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import closing
from typing import Any

import pytest

from features.events import Event, Kind
from features.log.contract import DeadLetter, LogBusy, LogError
from serving.engine.batch import Batch, BatchResult
from serving.engine.engine import Engine
from serving.http.app import problem_of
from serving.process import group_commit
from serving.process.group_commit import GroupCommit, Overloaded
from tests.serving.conftest import NOW, Place


def batch(*names: str, who: str = "anna", letters: int = 0) -> Batch:
    """An intake of page views with these message ids."""
    events = [Event(name, who, Kind.PAGE_VIEW, NOW, NOW) for name in names]
    return Batch(events, [DeadLetter("api", place, "", names[0], b"{}", NOW) for place in range(letters)])


def run(place: Place, work: Callable[[GroupCommit], Coroutine[Any, Any, Any]], patience: float = 30.0) -> Any:
    """What `work` gives, with a writer over the place."""

    async def main() -> Any:
        writer = GroupCommit(place.engine, patience)
        try:
            return await work(writer)
        finally:
            await writer.close()

    return asyncio.run(main())


async def behind(writer: GroupCommit, *others: Coroutine[Any, Any, Any]) -> list[Any]:
    """What becomes of `others` when all of them wait behind one slow write."""
    gate = threading.Event()
    slow = asyncio.ensure_future(writer.ask(lambda engine: gate.wait(10)))
    await asyncio.sleep(0.01)
    asked = [asyncio.ensure_future(each) for each in others]
    await asyncio.sleep(0.01)
    gate.set()
    await slow
    return await asyncio.gather(*asked, return_exceptions=True)


def test_what_waits_is_written_together_and_each_is_told_its_own(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    sizes: list[int] = []
    take = Engine.take

    def counted(engine: Engine, batches: Any) -> list[BatchResult]:
        sizes.append(len(batches))
        return take(engine, batches)

    monkeypatch.setattr(Engine, "take", counted)

    async def work(writer: GroupCommit) -> list[Any]:
        asked = [writer.take(batch(f"m-{number}", f"m-{number - 1}")) for number in range(1, 101)]
        return await behind(writer, *asked)

    answers = run(place, work)
    assert answers[0].outcomes == ["accepted", "accepted"]
    assert all(each.outcomes == ["accepted", "duplicate"] for each in answers[1:])
    assert sizes == [64, 36]


def test_only_the_guilty_fails(place: Place) -> None:
    def fails(engine: Engine) -> None:
        engine.take([batch("undone")])
        raise LookupError("a sentence of its own")

    async def work(writer: GroupCommit) -> list[Any]:
        broken = batch("half \ud800 a character")
        shared = writer.ask(fails, alone=False)
        good = writer.ask(lambda engine: engine.take([batch("undone")])[0].outcomes, alone=False)
        return await behind(writer, writer.take(batch("a")), writer.take(broken), shared, writer.take(batch("b")), good)

    first, guilty, sentence, last, good = run(place, work)
    assert first.outcomes == last.outcomes == ["accepted"]
    assert isinstance(guilty, UnicodeEncodeError) and isinstance(sentence, LookupError)
    assert good == ["accepted"]  # what the failed sentence wrote was undone


def test_a_failing_store_fails_all_and_is_asked_again(place: Place) -> None:
    async def work(writer: GroupCommit) -> list[Any]:
        await writer.take(batch("first"))
        with closing(sqlite3.connect(place.folder / "waypost.db", isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            failed = await behind(writer, *(writer.take(batch(f"m-{number}", letters=1)) for number in range(5)))
            other.execute("ROLLBACK")
        again = [await writer.take(batch(f"m-{number}", letters=1)) for number in range(5)]
        return [failed, again]

    failed, again = run(place, work)
    assert all(isinstance(each, LogBusy) for each in failed)
    assert all(each.outcomes == ["accepted"] for each in again)


def test_what_waits_is_bounded(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "MOST_WAITING", 4)
    monkeypatch.setattr(group_commit, "MOST_EVENTS_WAITING", 5)
    monkeypatch.setattr(group_commit, "MOST_BYTES_WAITING", 1000)

    async def by_requests(writer: GroupCommit) -> list[Any]:
        return await behind(writer, *(writer.take(batch(f"m-{number}")) for number in range(5)))

    async def by_events(writer: GroupCommit) -> list[Any]:
        return await behind(writer, writer.take(batch("a", "b", letters=2)), writer.take(batch("c", "d")))

    async def by_bytes(writer: GroupCommit) -> list[Any]:
        large = Batch(batch("e").events, size=999)
        return await behind(writer, writer.take(large), writer.take(Batch(batch("f").events, size=2)))

    for work in (by_requests, by_events, by_bytes):
        *kept, refused = run(place, work)
        kept = [each for each in kept if isinstance(each, BatchResult)]
        assert kept and isinstance(refused, Overloaded)
        problem = problem_of(refused)
        assert (problem.code, problem.headers["Retry-After"]) == ("overloaded", "2")
    # A single request is never too large for an empty queue, and what was answered makes room again.
    assert run(place, lambda writer: writer.take(batch(*(f"n-{number}" for number in range(9))))).outcomes


def test_what_waited_too_long_is_refused_at_once(place: Place) -> None:
    async def work(writer: GroupCommit) -> list[Any]:
        slow = [writer.ask(lambda engine: time.sleep(0.25)) for _ in range(20)]
        return list(await asyncio.gather(*slow, return_exceptions=True))

    begun = time.monotonic()
    first, *others = run(place, work, patience=0.1)
    assert first is None and all(isinstance(each, LogBusy) for each in others)
    assert time.monotonic() - begun < 3


def test_closing_writes_what_waits_and_takes_no_more(place: Place) -> None:
    async def main() -> tuple[list[Any], Any]:
        writer = GroupCommit(place.engine)
        asked = [asyncio.ensure_future(writer.take(batch(f"m-{number}"))) for number in range(150)]
        await asyncio.sleep(0)
        await writer.close()
        late = await asyncio.gather(writer.take(batch("late")), return_exceptions=True)
        return await asyncio.gather(*asked), late[0]

    answers, late = asyncio.run(main())
    assert len(answers) == 150 and isinstance(late, LogError)
    engine = place.engine()
    assert len(engine.states.log.events("anna", 1000)) == 150
    engine.states.close()


def test_whoever_left_is_written_all_the_same(place: Place) -> None:
    async def work(writer: GroupCommit) -> list[Any]:
        gone = asyncio.ensure_future(writer.take(batch("gone")))
        await asyncio.sleep(0)
        gone.cancel()
        return [await writer.take(batch("gone", "here"))]

    assert run(place, work)[0].outcomes == ["duplicate", "accepted"]
