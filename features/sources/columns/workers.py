"""Processes that do parts of one task side by side: Python reads one record after the other on one core alone.

Each is a new interpreter that takes pickled jobs from its standard input and answers on its standard output. It ends
when its input does, so it cannot outlive the process that started it. Neither a fork, which may copy the lock of a
thread that is gone, nor the program of the caller, which may be anything, is part of it.
"""

from __future__ import annotations

import gc
import os
import pickle
import subprocess
import sys
import traceback
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from queue import SimpleQueue
from types import TracebackType
from typing import IO, Generic, TypeVar, cast

from features.sources.contract import SourceError

Job = TypeVar("Job")
Answer = TypeVar("Answer")

MOST_WAITING = 4
"""Jobs for each worker whose answers are waited for: it goes on while the answers before are used."""


class WorkerFailed(SourceError):
    """A worker could not do its job; the message says why."""


class Workers(Generic[Job, Answer]):
    """So many processes that do `task`, which is pickled once, for jobs and with answers that can be pickled.

    Raises WorkerFailed when no process can be started.
    """

    def __init__(self, task: Callable[[Job], Answer], count: int) -> None:
        self._workers = [_Worker(task) for _ in range(count)]
        self._idle: SimpleQueue[_Worker] = SimpleQueue()
        for worker in self._workers:
            self._idle.put(worker)
        self._threads = ThreadPoolExecutor(count)

    def __enter__(self) -> Workers[Job, Answer]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._workers:
            worker.kill()  # first, as a thread may wait for its answer
        self._threads.shutdown(cancel_futures=True)
        for worker in self._workers:
            worker.close()

    def answers(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, Answer]]:
        """Each job and its answer, in the order of the jobs, of which a few are under way. Raises WorkerFailed."""
        waiting: deque[tuple[Job, Future[Answer]]] = deque()
        for job in jobs:
            waiting.append((job, self._threads.submit(self._ask, job)))
            if len(waiting) > MOST_WAITING * len(self._workers):
                first, answer = waiting.popleft()
                yield first, answer.result()
        for job, answer in waiting:
            yield job, answer.result()

    def _ask(self, job: Job) -> Answer:
        worker = self._idle.get()
        try:
            return cast(Answer, worker.ask(job))
        finally:
            self._idle.put(worker)


class _Worker:
    """One process."""

    def __init__(self, task: object) -> None:
        modules = os.pathsep.join(path or str(Path.cwd()) for path in sys.path)
        try:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-c", f"from {__name__} import work; work()"],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                env={**os.environ, "PYTHONPATH": modules, "POLARS_MAX_THREADS": "1"},
                start_new_session=True,  # an interrupt from the keyboard is for us, and we end the workers
            )
        except OSError as error:
            raise WorkerFailed(f"{sys.executable or 'Python'} cannot be started as a worker: {error}") from error
        self.pid = self._process.pid
        self._jobs = cast("IO[bytes]", self._process.stdin)
        self._answers = cast("IO[bytes]", self._process.stdout)
        with suppress(BrokenPipeError):  # then the first job says so
            pickle.dump(task, self._jobs, pickle.HIGHEST_PROTOCOL)

    def ask(self, job: object) -> object:
        """The answer to a job. Raises WorkerFailed."""
        try:
            pickle.dump(job, self._jobs, pickle.HIGHEST_PROTOCOL)
            self._jobs.flush()
            done, answer = pickle.load(self._answers)
        except (OSError, EOFError, pickle.UnpicklingError):
            status = self._process.wait()
            raise WorkerFailed(f"a worker ended with status {status} in the middle of its job") from None
        if not done:
            raise WorkerFailed(answer)
        return cast(object, answer)

    def kill(self) -> None:
        """End the process, whatever it does."""
        self._process.kill()

    def close(self) -> None:
        """Wait until the process has ended, and forget it."""
        self._process.wait()
        self._answers.close()
        with suppress(BrokenPipeError):  # a job that nobody takes any more
            self._jobs.close()


def work() -> None:
    """What a worker does: answer every job, until there are no more."""
    jobs, answers = sys.stdin.buffer, os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)  # what a library prints is no answer
    task = pickle.load(jobs)
    gc.freeze()
    gc.disable()  # every job makes many objects and keeps few: to look through them again and again takes a tenth
    while True:
        try:
            job = pickle.load(jobs)
        except (EOFError, pickle.UnpicklingError):  # no more jobs, or half a one of a process that is gone
            return
        try:
            answer = True, task(job)
        except Exception:
            answer = False, traceback.format_exc()
        try:
            pickle.dump(answer, answers, pickle.HIGHEST_PROTOCOL)
            answers.flush()
        except BrokenPipeError:
            os._exit(0)  # nobody waits for it any more
        gc.collect()
