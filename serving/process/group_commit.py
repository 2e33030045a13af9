"""Group commit: the one thread of a worker that writes commits all waiting requests together.

The cost of a commit is the wait for the disk, however much it writes. So while one group is committed the next one
gathers, without added delay, and every request is answered after the commit that contains it.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue
from typing import Any, NamedTuple, TypeVar

from features.log.contract import LogError
from serving import metrics
from serving.engine.batch import Batch, BatchResult
from serving.engine.engine import Engine
from serving.process.engine_threads import Held, check_patience

MOST_TOGETHER = 64
"""Requests of one commit."""

MOST_EVENTS_TOGETHER = 5_000
"""Events of one commit, which the last request may exceed: so many take some hundred milliseconds."""

MOST_WAITING = 512
"""Requests that may wait in one worker; more are refused, so that memory stays flat when the store is slow."""

MOST_EVENTS_WAITING = 50_000
"""Events and dead letters that may wait in one worker."""

MOST_BYTES_WAITING = 64 << 20
"""Bytes of the requests that may wait in one worker."""


class Overloaded(Exception):
    """The queue of writes is full. Nothing of the request was kept."""


Result = TypeVar("Result")
Operation = Callable[[Engine], Any]


@dataclass(slots=True)
class _Request:
    """One waiting request: a batch or an operation, its future answer, and its size."""

    what: Batch | Operation
    future: asyncio.Future[Any]
    alone: bool = False
    """Whether it must not share a transaction with others."""
    events: int = 0
    bytes: int = 0
    asked: float = field(default_factory=time.monotonic)


class _Answer(NamedTuple):
    """The answer to a request: its result, or its error."""

    request: _Request
    result: Any
    error: Exception | None = None


class GroupCommit:
    """A queue of requests and the thread that commits them. To be called from one event loop.

    A request that has waited `patience` seconds for its turn is refused with `LogBusy`.
    """

    def __init__(self, open_engine: Callable[[], Engine], patience: float = float("inf")) -> None:
        self._held = Held(open_engine)
        self._patience = patience
        self._queue: SimpleQueue[_Request | None] = SimpleQueue()
        self._kept: _Request | None = None
        self._thread: threading.Thread | None = None
        self._closing = False
        self._requests = self._events = self._bytes = 0

    async def take(self, batch: Batch) -> BatchResult:
        """Write a batch; returns once it is on disk. Raises `Overloaded` when too much waits, or a `LogError`."""
        events = len(batch.events) + len(batch.dead_letters)
        result: BatchResult = await self._enqueue(batch, events=events, size=batch.size)
        return result

    async def ask(self, operation: Callable[[Engine], Result], *, alone: bool = True) -> Result:
        """Run an operation that writes. Unless it must be `alone`, it shares a commit with other requests; if it fails,
        it alone is rolled back. Raises `Overloaded` when too much waits, a `LogError`, or its own error."""
        answer: Result = await self._enqueue(operation, alone=alone)
        return answer

    def _enqueue(
        self, what: Batch | Operation, *, alone: bool = False, events: int = 0, size: int = 0
    ) -> asyncio.Future[Any]:
        self._check_room(events, size)
        loop = asyncio.get_running_loop()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, args=(loop,), name="waypost-writer", daemon=True)
            self._thread.start()
        request = _Request(what, loop.create_future(), alone, events, size)
        self._account(request, 1)
        self._queue.put(request)
        return request.future

    def _check_room(self, events: int, size: int) -> None:
        if self._closing:
            raise LogError("the server is stopping; nothing was written, send it to another or try again")
        for number, more, most, what in (
            (self._requests, 1, MOST_WAITING, "requests"),
            (self._events, events, MOST_EVENTS_WAITING, "events"),
            (self._bytes, size, MOST_BYTES_WAITING, "bytes"),
        ):
            if number and number + more > most:
                raise Overloaded(f"{number} {what} wait to be written already; nothing was kept. Send it again.")

    def _account(self, request: _Request, sign: int) -> None:
        self._requests += sign
        self._events += sign * request.events
        self._bytes += sign * request.bytes
        metrics.WRITES_WAITING.inc(sign)

    def give_up(self) -> None:
        """Let the store be opened again for the next group."""
        self._held.give_up()

    async def close(self) -> None:
        """Accept no more requests, write those that wait, close the store."""
        self._closing = True
        if self._thread is not None:
            self._queue.put(None)
            await asyncio.to_thread(self._thread.join)
            await asyncio.sleep(0)  # lets the loop deliver the last answers

    def _run(self, loop: asyncio.AbstractEventLoop) -> None:
        """The thread: commit group after group until it is stopped."""
        while group := self._gather():
            answers = self._answer(group)
            try:
                loop.call_soon_threadsafe(self._deliver, answers)
            except RuntimeError:  # the loop is closed: nobody waits for an answer any more
                break
        self._held.close()

    def _gather(self) -> list[_Request]:
        """The waiting requests of the next commit, in order: at least one; none at the end."""
        first = self._kept or self._queue.get()
        self._kept = None
        if first is None:
            return []
        group, events = [first], first.events
        while not first.alone and len(group) < MOST_TOGETHER and events < MOST_EVENTS_TOGETHER:
            try:
                following = self._queue.get_nowait()
            except Empty:
                break
            if following is None:
                self._queue.put(None)
                break
            if following.alone:
                self._kept = following
                break
            group.append(following)
            events += following.events
        return group

    def _answer(self, group: Sequence[_Request]) -> list[_Answer]:
        """Commit a group; the answer of each of its requests."""
        fresh, answers = [], []
        for request in group:
            try:
                check_patience(request.asked, self._patience)
                fresh.append(request)
            except LogError as error:
                answers.append(_Answer(request, None, error))
        if fresh:
            begun = time.perf_counter()
            answers += self._committed(fresh)
            metrics.COMMIT_SECONDS.observe(time.perf_counter() - begun)
            metrics.COMMIT_REQUESTS.observe(len(fresh))
        return answers

    def _committed(self, group: Sequence[_Request]) -> list[_Answer]:
        try:
            with self._held.lent() as engine:
                return list(_alone(engine, group[0]) if group[0].alone else _together(engine, group))
        except LogError as error:
            return [_Answer(request, None, error) for request in group]
        except Exception as error:
            if len(group) == 1:
                return [_Answer(group[0], None, error)]
            # One request is at fault: run one by one, only that one fails.
            return [answer for request in group for answer in self._committed([request])]

    def _deliver(self, answers: Sequence[_Answer]) -> None:
        """In the event loop: resolve the futures of a group."""
        for request, result, error in answers:
            self._account(request, -1)
            if request.future.done():
                continue  # the request was cancelled
            if error is None:
                request.future.set_result(result)
            else:
                request.future.set_exception(error)


def _alone(engine: Engine, request: _Request) -> Iterator[_Answer]:
    assert not isinstance(request.what, Batch)
    engine.states.refresh()
    yield _Answer(request, request.what(engine))


def _together(engine: Engine, group: Sequence[_Request]) -> Iterator[_Answer]:
    """Write a whole group in one transaction; the answers hold once the iterator is exhausted."""
    batches = [(request, request.what) for request in group if isinstance(request.what, Batch)]
    operations = [(request, request.what) for request in group if not isinstance(request.what, Batch)]
    with engine.states.transaction():
        results = engine.take([batch for _, batch in batches]) if batches else []
        answers = [_Answer(request, result) for (request, _), result in zip(batches, results, strict=True)]
        answers += [_tried(engine, request, operation) for request, operation in operations]
    yield from answers


def _tried(engine: Engine, request: _Request, operation: Operation) -> _Answer:
    """Run an operation in the group's transaction: if it fails, it alone is rolled back; a failing store fails all."""
    try:
        with engine.states.transaction():
            return _Answer(request, operation(engine))
    except LogError:
        raise
    except Exception as error:
        return _Answer(request, None, error)
