"""One process of the server: reads on the event loop; writes, maintenance and sweeps in threads of their own."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from typing import Any, TypeVar

from features.events import Channel, Kind, hours
from features.fold.fold import Fold
from features.identity.rules import joined
from features.log.contract import LogBusy, LogError, LogFull
from features.sources.fields.currencies import Currencies
from models.bundle.loaded import Champion, Champions
from serving import __version__, metrics
from serving.engine.batch import Batch, BatchResult
from serving.engine.decisions import Decided
from serving.engine.engine import Engine
from serving.engine.erasure import Receipt, Step, Steps
from serving.engine.scoreboard import Generation, Scoreboard, Sweeper
from serving.engine.store import StoreFactory
from serving.process.decisions import decide
from serving.process.engine_threads import EngineThread
from serving.process.failures import note_failure
from serving.process.group_commit import GroupCommit
from serving.process.maintenance import Maintenance
from serving.process.monitor_gauges import Monitoring
from serving.process.sealing import Sealing
from serving.process.shadow import Shadow
from serving.settings import Settings

HEARTBEAT_SECONDS = 1.0
"""Pause between two checks of the store and for a new champion, and before failed store work is tried again."""

FAILED_SECONDS = 30.0
"""Pause after background work that failed unexpectedly, so that the log does not fill."""

CHECK_SECONDS = 1.0
"""Longest wait of the readiness check for other writers."""

PROMPT_SECONDS = 2.0
"""How long the start waits for the rebuild of the states, so that a small shop is ready at once."""

Result = TypeVar("Result")
logger = logging.getLogger("waypost")


class ScoreboardMissing(Exception):
    """There was no sweep of the customers yet."""


class Worker:
    """Everything one process needs to answer. `clock` gives the time in microseconds UTC."""

    def __init__(self, settings: Settings, fold: Fold, clock: Callable[[], int]) -> None:
        self.settings = settings
        self.fold = fold
        self.clock = clock
        self.champions = Champions(settings.bundle, fold)
        self.shadow = Shadow(settings.shadow, fold, settings.shadow_share)
        self.currencies = Currencies(settings.rates)
        self.monitoring = Monitoring(settings.bundle)
        self.scoreboard = Scoreboard(settings.scoreboard, fold.fingerprint)
        sealing = Sealing(hours(settings.seal_hours), clock, copies=settings.has_copies)
        self.maintenance = Maintenance(settings.scoreboard, fold, settings.audit_seconds, clock(), sealing)
        self.opening = StoreFactory(settings, fold, self.champions)
        self.store_fault: LogError | None = None
        self.stopping = False
        """Whether the server is stopping: it still answers, and reports that it is not ready."""
        self._rounds = Sweeper(self.scoreboard, settings.sweep_seconds)
        self._instant: bool | None = None
        """Whether the event loop may read the store itself; None until the store was opened once."""
        self._engine: Engine | None = None
        busy, check = settings.busy_seconds, min(settings.busy_seconds, CHECK_SECONDS)
        self._writer = GroupCommit(self.opening.engine, patience=busy)
        self._checker = EngineThread("checker", lambda: self.opening.engine(check), patience=check)
        self._reader = EngineThread("reader", self.opening.engine, patience=busy)
        self._judge = EngineThread("judge", self.opening.engine, patience=busy)
        self._sweeper = EngineThread("sweeper", self.opening.engine)
        self._keeper = EngineThread("keeper", self.opening.engine)
        self._background: list[asyncio.Task[None]] = []
        self._logged_problem = ""
        self._logged_fault = ""

    async def open(self) -> None:
        """Load the fold, the champion and the store, and start maintenance. A fault of model or store is not fatal."""
        self.fold.compile()
        self._look_for_champion()
        metrics.BUILD.labels(__version__, self.fold.fingerprint).set(1)
        self._open_store()
        rebuilt = asyncio.Event()
        self._background = [
            asyncio.create_task(self._again("the maintenance", lambda: self._keep_states(rebuilt))),
            asyncio.create_task(self._again("the check for a new model", self._keep_champion)),
            asyncio.create_task(self._again("the check of the store", self._keep_store)),
        ]
        if self.settings.shadow_share:
            self._background.append(asyncio.create_task(self._again("the shadow", self._keep_shadow)))
        if self.settings.sweep_seconds:
            self._background.append(asyncio.create_task(self._again("the sweep", lambda: self._keep_fresh(rebuilt))))
        with suppress(TimeoutError):
            await asyncio.wait_for(rebuilt.wait(), PROMPT_SECONDS)

    def stop(self) -> None:
        """Report from now on that the server is not ready, while it goes on answering."""
        self.stopping = True

    async def close(self) -> None:
        """Finish the waiting writes, end the background work, close the store."""
        self.stop()
        for task in self._background:
            task.cancel()
        self.maintenance.stop()
        await self._writer.close()
        for engine_thread in (self._sweeper, self._keeper, self._checker, self._reader, self._judge):
            await engine_thread.close()
        self._rounds.release()
        self.maintenance.release()
        if self._engine is not None:
            self._engine.states.close()
            self._engine = None

    async def record(self, batch: Batch) -> BatchResult:
        """Write a batch; returns once it is on disk and in every later answer.

        Raises `Overloaded` when too many writes wait already, or a `LogError`; then nothing was written.
        """
        result = await self._writer.take(batch)
        withheld = result.outcomes.count("withheld")
        if withheld:
            metrics.WITHHELD.inc(withheld)
        declared = sum(event.kind is Kind.IDENTIFY and joined(event) is not None for event in batch.events)
        if declared:
            metrics.MERGES.labels("merged").inc(result.merges)
            metrics.MERGES.labels("unchanged").inc(declared - result.merges)
        return result

    def write(self, operation: Callable[[Engine], Result], *, alone: bool = True) -> Awaitable[Result]:
        """Run `operation` in the thread that writes; unless `alone`, in one commit with other requests.

        Raises `Overloaded` when too many writes wait already, a `LogError`, or the operation's own error.
        """
        return self._writer.ask(operation, alone=alone)

    def decide(
        self, customer: str, decision_id: str, now: int, channels: Collection[Channel] | None = None
    ) -> Awaitable[Decided]:
        """Choose the next best action and write the decision. Raises as `serving.process.decisions.decide`."""
        return decide(self._judge, self._writer, customer, decision_id, now, channels)

    async def ask(self, question: Callable[[Engine], Result]) -> Result:
        """Answer a question about a few customers: on the event loop where the store never waits, else in a thread.

        Raises a `LogError`, or the question's own error.
        """
        if not self._instant:
            return await self._reader.ask(question)
        if self._engine is None:
            self._open_store()
        if self._engine is None:
            raise self.store_fault or LogError("the store is closed")
        try:
            return question(self._engine)
        except LogError as error:
            self._lose(error)
            raise

    def read(self, question: Callable[[Engine], Result]) -> Awaitable[Result]:
        """Answer `question` in a thread, outside of the event loop: for questions that take milliseconds."""
        return self._reader.ask(question)

    async def erase(self, steps: Steps) -> Receipt:
        """Run the steps of an erasure, each in its thread. Raises what `write` and `read` do."""
        try:
            step = next(steps)
            while True:
                try:
                    done = await self._run(step)
                except BaseException as error:  # the steps clean up after a cancelled request too
                    step = steps.throw(error)
                else:
                    step = steps.send(done)
        except StopIteration as end:
            receipt: Receipt = end.value
            return receipt

    def _run(self, step: Step) -> Awaitable[Any]:
        if step.thread == "writer":
            return self.write(step.run)
        return self.read(step.run) if step.thread == "reader" else asyncio.to_thread(step.run)

    def check_store(self) -> Awaitable[None]:
        """Check that the store can be written to, without waiting for the queue. Raises a `LogError`."""
        return self._checker.ask(lambda engine: engine.states.check())

    def generation(self) -> Generation:
        """The newest sweep of all customers. Raises `ScoreboardMissing` when there is none yet."""
        generation = self.scoreboard.current()
        if generation is None:
            raise ScoreboardMissing("The customers are being swept for the first time. Try again in a moment.")
        return generation

    def _open_store(self) -> None:
        """Open the store for the event loop, if its answers never wait."""
        try:
            engine, self.store_fault = self.opening.engine(), None
        except LogError as error:
            self.store_fault = error
        else:
            self._instant = engine.states.instant
            if self._instant:
                self._engine = engine
            else:
                engine.states.close()
        self._tell_fault(self.store_fault)

    def _lose(self, error: LogError) -> None:
        """Close a store that failed for good in every thread; each thread opens it again on its next use."""
        self._tell_fault(error)
        if isinstance(error, LogBusy | LogFull):
            return
        self.store_fault = error
        for thread in (self._writer, self._checker, self._reader, self._judge, self._sweeper, self._keeper):
            thread.give_up()
        engine, self._engine = self._engine, None
        if engine is not None:
            engine.states.close()

    async def _again(self, what: str, work: Callable[[], Awaitable[float]]) -> None:
        """Repeat background work, with the pause that it returns. No failure ends it."""
        while True:
            try:
                pause = await work()
            except LogError as error:
                self._lose(error)
                pause = HEARTBEAT_SECONDS
            except Exception as error:  # its place in the code is logged, and the work is tried again
                note_failure(logger, what, error)
                pause = FAILED_SECONDS
            await asyncio.sleep(pause)

    async def _keep_store(self) -> float:
        """Check that the store is still there, and the same."""
        try:
            await self._checker.ask(_touch)
        except LogBusy:
            return HEARTBEAT_SECONDS
        self.store_fault = None
        if self._engine is None and self._instant is not False:
            self._open_store()
        self._tell_fault(self.store_fault)
        free = self.opening.free_bytes()
        if free is not None:
            metrics.STORE_FREE_BYTES.set(free)
        return HEARTBEAT_SECONDS

    async def _keep_states(self, rebuilt: asyncio.Event) -> float:
        pause = await self._keeper.ask(self.maintenance.round)
        if self.maintenance.report().rebuilt:
            rebuilt.set()
        return pause

    async def _keep_fresh(self, rebuilt: asyncio.Event) -> float:
        """Sweep, once the states are rebuilt."""
        await rebuilt.wait()
        return await self._sweeper.ask(self._refresh)

    async def _keep_champion(self) -> float:
        """Check for a new champion and a new report of the monitor, by the dates of two files."""
        await asyncio.to_thread(self._look_for_champion)
        await asyncio.to_thread(self.monitoring.refresh)
        return HEARTBEAT_SECONDS

    async def _keep_shadow(self) -> float:
        """Score the customers that wait for the shadow bundle."""
        return await asyncio.to_thread(self.shadow.round)

    def _look_for_champion(self) -> None:
        before = self.champions.current
        if self.champions.refresh() or self.champions.stand_in(self.fold):
            self._announce(before)
        metrics.BUNDLE_REFUSED.set(bool(self.champions.problem))
        if self.champions.problem != self._logged_problem:
            self._logged_problem = self.champions.problem
            if self._logged_problem:
                logger.warning("the model bundle is not used: %s", self._logged_problem)

    def _tell_fault(self, fault: LogError | None) -> None:
        """Log a fault of the store when it differs from the one logged before, and when it ends."""
        name = "" if fault is None else type(fault).__name__
        if name != self._logged_fault:
            self._logged_fault = name
            logger.warning("the store %s", f"fails: {name}; run `waypost doctor`" if name else "works again")

    def _refresh(self, engine: Engine) -> float:
        """One round in the sweeper's thread. Returns the seconds to pause after it."""
        done = self._rounds.refresh(engine, self.clock)
        if done.swept is not None:
            metrics.SWEEP_SECONDS.set(done.swept)
        current = self.scoreboard.current()
        if current is not None:
            metrics.SCOREBOARD_AGE.set((self.clock() - current.as_of) / 1e6)
        return done.rest

    def _announce(self, before: Champion | None) -> None:
        """Write to the log and the metrics which champion answers from now on."""
        bundle = self.champions.require().bundle
        if before is not None:
            for target in before.bundle.models:
                metrics.MODEL.labels(target, before.bundle.version, "").set(0)
        for target in bundle.models:
            metrics.MODEL.labels(target, bundle.version, "").set(1)
        logger.info("champion %s answers", bundle.version)


def _touch(engine: Engine) -> None:
    """Acquire and release the store's lock: fails when the store is gone, was replaced, or is locked."""
    with engine.states.transaction():
        pass
