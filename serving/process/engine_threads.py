"""Threads that hold an engine each and answer one question after the other, outside of the event loop."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

from features.log.contract import LogBusy, LogError, LogFull
from serving import metrics
from serving.engine.engine import Engine

MOST_WAITING = 1_024
"""Questions that may wait for one thread; more are refused, so that memory stays flat when the store is slow."""

Result = TypeVar("Result")


class Held:
    """The engine of one thread: opened on demand, closed when its store fails, then opened again on demand.

    A store that is only busy or full is kept open, because it will work again.
    """

    def __init__(self, open_engine: Callable[[], Engine]) -> None:
        self._open = open_engine
        self._engine: Engine | None = None
        self._given_up = False

    def give_up(self) -> None:
        """Let the store be opened again on the next use. Any thread may call this."""
        self._given_up = True

    @contextmanager
    def lent(self) -> Iterator[Engine]:
        """The engine. A `LogError` within is counted, and closes the engine if its store failed."""
        try:
            if self._given_up:
                self.close()
            if self._engine is None:
                self._engine = self._open()
            yield self._engine
        except LogError as error:
            metrics.STORE_ERRORS.labels(type(error).__name__).inc()
            if not isinstance(error, LogBusy | LogFull):
                self.close()
            raise

    def close(self) -> None:
        """Close the store; closing twice is harmless."""
        engine, self._engine, self._given_up = self._engine, None, False
        if engine is not None:
            with suppress(LogError):
                engine.states.close()


class EngineThread:
    """An engine in a thread of its own, which answers questions in order.

    A question that has waited `patience` seconds for its turn is refused with `LogBusy`. Otherwise, while the store is
    locked, every waiting question would wait for the lock again, one after the other.
    """

    def __init__(self, name: str, open_engine: Callable[[], Engine], patience: float = float("inf")) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=f"waypost-{name}")
        self._held = Held(open_engine)
        self._patience = patience
        self._waiting = 0

    async def ask(self, question: Callable[[Engine], Result]) -> Result:
        """Answer `question` in this thread, opening the store first when it is not open.

        Raises `LogBusy` when too many wait already.
        """
        if self._waiting >= MOST_WAITING:
            raise LogBusy(f"{self._waiting} questions wait to be answered already; try again")
        loop = asyncio.get_running_loop()
        answer = loop.run_in_executor(self._executor, self._answer, question, time.monotonic())
        self._waiting += 1
        answer.add_done_callback(self._answered)
        return await answer

    def _answered(self, answer: asyncio.Future[Any]) -> None:
        self._waiting -= 1

    def give_up(self) -> None:
        """Let the store be opened again for the next question."""
        self._held.give_up()

    def _answer(self, question: Callable[[Engine], Result], asked: float) -> Result:
        check_patience(asked, self._patience)
        with self._held.lent() as engine:
            engine.states.refresh()
            return question(engine)

    async def close(self) -> None:
        """Finish what was asked, then close the store."""
        await asyncio.get_running_loop().run_in_executor(self._executor, self._held.close)
        self._executor.shutdown()


def check_patience(asked: float, patience: float) -> None:
    """Raise `LogBusy` for a question `asked` (by the monotonic clock) longer than `patience` seconds ago."""
    waited = time.monotonic() - asked
    if waited > patience:
        raise LogBusy(f"waited {waited:.1f} s for earlier questions; nothing was written, try again")
