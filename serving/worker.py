"""One process of the server: reads on the event loop, writes in a thread of its own, sweeps in another."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from features.fold import Fold
from features.log.contract import LogError
from serving import __version__, metrics
from serving.champion import Champions
from serving.engine import Engine
from serving.failures import note_failure
from serving.problems import Problem, store_problem
from serving.scoreboard import Generation, Scoreboard, Sweeper
from serving.settings import Settings
from serving.state import open_states

MOST_WAITING = 512
"""Writes that may wait in one worker; more are refused, so that memory stays flat when the store is slow."""

HEARTBEAT_SECONDS = 1.0

Result = TypeVar("Result")
logger = logging.getLogger("waypost")


class Desk:
    """An engine in a thread of its own; whatever is asked of it is answered in order."""

    def __init__(self, name: str, open_engine: Callable[[], Engine]) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=f"waypost-{name}")
        self._open = open_engine
        self._engine: Engine | None = None
        self.waiting = 0

    async def ask(self, question: Callable[[Engine], Result]) -> Result:
        """Answer `question` in the desk's thread, opening the store first when it is not open."""
        self.waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._executor, self._answer, question)
        finally:
            self.waiting -= 1

    def _answer(self, question: Callable[[Engine], Result]) -> Result:
        if self._engine is None:
            self._engine = self._open()
        self._engine.states.refresh()
        return question(self._engine)

    async def close(self) -> None:
        """Finish what was asked, then close the store."""
        if self._engine is not None:
            await self.ask(lambda engine: engine.states.close())
        self._executor.shutdown()


class Worker:
    """Everything one process needs to answer. `clock` gives the time in microseconds UTC."""

    def __init__(self, settings: Settings, fold: Fold, clock: Callable[[], int]) -> None:
        self.settings = settings
        self.fold = fold
        self.clock = clock
        self.champions = Champions(settings.bundle, fold)
        self.scoreboard = Scoreboard(settings.scoreboard, fold.fingerprint)
        self._rounds = Sweeper(self.scoreboard, settings.sweep_seconds)
        self.store_fault: LogError | None = None
        self._engine: Engine | None = None
        self._writer = Desk("writer", self._open_engine)
        self._reader = Desk("reader", self._open_engine)
        self._sweeper = Desk("sweeper", self._open_engine)
        self._background: asyncio.Task[None] | None = None

    async def open(self) -> None:
        """Load the fold, the champion and the store, and start sweeping. A fault of model or store is not fatal."""
        self.fold.compile()
        if self.champions.refresh():
            self._announce()
        metrics.BUILD.labels(__version__, self.fold.fingerprint).set(1)
        self._open_store()
        self._background = asyncio.create_task(self._keep_fresh())

    async def close(self) -> None:
        """Stop sweeping, finish the writes that wait, close the store."""
        if self._background is not None:
            self._background.cancel()
        for desk in (self._sweeper, self._writer, self._reader):
            await desk.close()
        self._rounds.release()
        if self._engine is not None:
            self._engine.states.close()
            self._engine = None

    @property
    def engine(self) -> Engine:
        """The engine that reads on the event loop: only for what takes microseconds."""
        if self._engine is None:
            self._open_store()
        if self._engine is None:
            raise store_problem(self.store_fault or LogError("closed"))
        return self._engine

    def write(self, sentence: Callable[[Engine], Result]) -> Awaitable[Result]:
        """Answer `sentence` in the thread that writes. Raises a `Problem` when too many writes wait already."""
        if self._writer.waiting >= MOST_WAITING:
            raise Problem(
                "overloaded", f"{MOST_WAITING} writes wait already; nothing was kept. Send the request again."
            )
        return self._writer.ask(sentence)

    def read(self, question: Callable[[Engine], Result]) -> Awaitable[Result]:
        """Answer `question` beside the event loop: for what takes milliseconds."""
        return self._reader.ask(question)

    def generation(self) -> Generation:
        """The newest sweep of all customers. Raises a `Problem` when there is none yet."""
        generation = self.scoreboard.current()
        if generation is None:
            raise Problem(
                "scoreboard_missing", "The customers are being swept for the first time. Try again in a moment."
            )
        return generation

    def _open_engine(self) -> Engine:
        states = open_states(self.settings.store, self.fold, self.settings.busy_seconds)
        return Engine(states, self.fold, self.champions)

    def _open_store(self) -> None:
        try:
            self._engine, self.store_fault = self._open_engine(), None
        except LogError as error:
            self.store_fault = error

    async def _keep_fresh(self) -> None:
        """Look for a new champion, heal stale states and sweep, again and again, each in its own time."""
        if not self.settings.sweep_seconds:
            return
        while True:
            try:
                pause = await self._sweeper.ask(self._refresh)
            except LogError as error:
                logger.warning("the sweep is put off, the store fails: %s", type(error).__name__)
                pause = HEARTBEAT_SECONDS
            except (
                Exception
            ) as error:  # a failed sweep must not end all sweeping: the place is logged, and it is tried again
                note_failure(logger, "the sweep", error)
                pause = self.settings.sweep_seconds
            await asyncio.sleep(pause)

    def _refresh(self, engine: Engine) -> float:
        """One round in the sweeper's thread. The seconds to rest after it."""
        if self.champions.refresh():
            self._announce()
        pause, took = self._rounds.refresh(engine, self.clock)
        if took is not None:
            metrics.SWEEP_SECONDS.set(took)
        current = self.scoreboard.current()
        if current is not None:
            metrics.SCOREBOARD_AGE.set((self.clock() - current.as_of) / 1e6)
        return pause

    def _announce(self) -> None:
        champion = self.champions.current
        if champion is not None:
            version = champion.bundle.version
            logger.info("champion %s answers", version)
            for target in champion.bundle.scorers:
                metrics.MODEL.labels(target, version, "").set(1)
