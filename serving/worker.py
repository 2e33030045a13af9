"""One process of the server: reads on the event loop, writes in a thread of its own, sweeps in another."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from features.fold import Fold
from features.log.contract import LogBusy, LogError, LogMissing
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
"""Rest before a sweep that the store put off is tried again, and between two looks for a new champion."""

FAILED_SECONDS = 30.0
"""Rest after a look for a new champion that failed in a way nobody thought of, so that the log does not fill."""

CHECK_SECONDS = 1.0
"""Longest wait of the readiness check for other writers."""

Result = TypeVar("Result")
logger = logging.getLogger("waypost")


class Desk:
    """An engine in a thread of its own; whatever is asked of it is answered in order.

    What has waited `patience` seconds for its turn is refused at once with `LogBusy`: else, while the store is locked,
    each of those who wait would wait for the lock again, one after the other.
    """

    def __init__(self, name: str, open_engine: Callable[[], Engine], patience: float = float("inf")) -> None:
        self._executor = ThreadPoolExecutor(1, thread_name_prefix=f"waypost-{name}")
        self._open = open_engine
        self._patience = patience
        self._engine: Engine | None = None
        self.waiting = 0

    async def ask(self, question: Callable[[Engine], Result]) -> Result:
        """Answer `question` in the desk's thread, opening the store first when it is not open."""
        self.waiting += 1
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._executor, self._answer, question, time.monotonic())
        finally:
            self.waiting -= 1

    def _answer(self, question: Callable[[Engine], Result], asked: float) -> Result:
        waited = time.monotonic() - asked
        if waited > self._patience:
            raise LogBusy(f"waited {waited:.1f} s for earlier writes; nothing was written, try again")
        if self._engine is None:
            self._engine = self._open()
        self._engine.states.refresh()
        return question(self._engine)

    async def close(self) -> None:
        """Finish what was asked, then close the store."""
        if self._engine is not None:
            await asyncio.get_running_loop().run_in_executor(self._executor, self._engine.states.close)
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
        self._store_identity: object = None
        busy, check = settings.busy_seconds, min(settings.busy_seconds, CHECK_SECONDS)
        self._writer = Desk("writer", self._open_engine, patience=busy)
        self._checker = Desk("checker", lambda: self._open_engine(check), patience=check)
        self._reader = Desk("reader", self._open_engine)
        self._sweeper = Desk("sweeper", self._open_engine)
        self._background: list[asyncio.Task[None]] = []
        self._told_problem = ""
        self._told_fault = ""

    async def open(self) -> None:
        """Load the fold, the champion and the store, and start sweeping. A fault of model or store is not fatal."""
        self.fold.compile()
        self._look_for_champion()
        metrics.BUILD.labels(__version__, self.fold.fingerprint).set(1)
        self._open_store()
        self._background = [asyncio.create_task(self._keep_champion()), asyncio.create_task(self._keep_fresh())]

    async def close(self) -> None:
        """Stop sweeping, finish the writes that wait, close the store."""
        for task in self._background:
            task.cancel()
        for desk in (self._sweeper, self._writer, self._checker, self._reader):
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

    def check_store(self) -> Awaitable[None]:
        """Return when the store could be written to just now, beside the writes that wait. Raises a `LogError`."""
        return self._checker.ask(lambda engine: engine.states.check())

    def generation(self) -> Generation:
        """The newest sweep of all customers. Raises a `Problem` when there is none yet."""
        generation = self.scoreboard.current()
        if generation is None:
            raise Problem(
                "scoreboard_missing", "The customers are being swept for the first time. Try again in a moment."
            )
        return generation

    def _open_engine(self, busy_seconds: float | None = None) -> Engine:
        """Open the store; once it was open, only the same file again: never a new one in its place."""
        wait = self.settings.busy_seconds if busy_seconds is None else busy_seconds
        states = open_states(self.settings.store, self.fold, wait, create=self._store_identity is None)
        if self._store_identity not in (None, states.identity):
            states.close()
            raise LogMissing(f"the log {self.settings.store} was replaced; put it back, or restart the server")
        self._store_identity = states.identity
        return Engine(states, self.fold, self.champions)

    def _open_store(self) -> None:
        try:
            self._engine, self.store_fault = self._open_engine(), None
        except LogError as error:
            self.store_fault = error
        self._tell_fault(self.store_fault)

    async def _keep_fresh(self) -> None:
        """Heal stale states and sweep, again and again."""
        if not self.settings.sweep_seconds:
            return
        while True:
            try:
                pause = await self._sweeper.ask(self._refresh)
                self._tell_fault(None)
            except LogError as error:
                self._tell_fault(error)
                pause = HEARTBEAT_SECONDS
            except (
                Exception
            ) as error:  # a failed sweep must not end all sweeping: the place is logged, and it is tried again
                note_failure(logger, "the sweep", error)
                pause = self.settings.sweep_seconds
            await asyncio.sleep(pause)

    async def _keep_champion(self) -> None:
        """Look for a new champion, again and again: while there is none, that is one look at a file's date."""
        while True:
            await asyncio.sleep(HEARTBEAT_SECONDS)
            try:
                await asyncio.to_thread(self._look_for_champion)
            except Exception as error:  # a bundle that fails in a new way must not end the looking
                note_failure(logger, "the look for a new model", error)
                await asyncio.sleep(FAILED_SECONDS)

    def _look_for_champion(self) -> None:
        if self.champions.refresh():
            self._announce()
        if self.champions.problem != self._told_problem:
            self._told_problem = self.champions.problem
            if self._told_problem:
                logger.warning("the model bundle is not used: %s", self._told_problem)

    def _tell_fault(self, fault: LogError | None) -> None:
        """Log a fault of the store when it is another than before, and its end."""
        told = "" if fault is None else type(fault).__name__
        if told != self._told_fault:
            self._told_fault = told
            logger.warning("the store %s", f"fails: {told}; run `waypost doctor`" if told else "works again")

    def _refresh(self, engine: Engine) -> float:
        """One round in the sweeper's thread. The seconds to rest after it."""
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
