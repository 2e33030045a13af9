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
from queue import SimpleQueue
from types import TracebackType
from typing import IO, Any, Generic, TypeVar, cast

from features.sources.contract import SourceError

Job = TypeVar("Job")
Answer = TypeVar("Answer")


class WorkerFailed(SourceError):
    """A worker could not do its job; the message says why."""


class Workers(Generic[Job, Answer]):
    """So many processes that do `task`, which is pickled once, for jobs and with answers that can be pickled."""

    def __init__(self, task: Callable[[Job], Answer], count: int) -> None:
        self._count = count
        self._processes = [_started(task) for _ in range(count)]
        self._idle: SimpleQueue[subprocess.Popen[bytes]] = SimpleQueue()
        for process in self._processes:
            self._idle.put(process)
        self._threads = ThreadPoolExecutor(count)

    def __enter__(self) -> Workers[Job, Answer]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._processes:
            process.kill()  # first, as a thread may wait for its answer
        self._threads.shutdown(cancel_futures=True)
        for process in self._processes:
            process.wait()
            for pipe in (process.stdin, process.stdout):
                _close(pipe)

    def answers(self, jobs: Iterable[Job]) -> Iterator[tuple[Job, Answer]]:
        """Each job and its answer, in the order of the jobs, of which a few are under way. Raises WorkerFailed."""
        waiting: deque[tuple[Job, Future[Answer]]] = deque()
        for job in jobs:
            waiting.append((job, self._threads.submit(self._ask, job)))
            if len(waiting) > 2 * self._count:
                first, answer = waiting.popleft()
                yield first, answer.result()
        for job, answer in waiting:
            yield job, answer.result()

    def _ask(self, job: Job) -> Answer:
        process = self._idle.get()
        try:
            pickle.dump(job, _open(process.stdin), pickle.HIGHEST_PROTOCOL)
            _open(process.stdin).flush()
            done, answer = pickle.load(_open(process.stdout))
        except (OSError, EOFError, pickle.UnpicklingError):
            raise WorkerFailed(f"a worker ended with status {process.wait()} in the middle of its job") from None
        finally:
            self._idle.put(process)
        if not done:
            raise WorkerFailed(answer)
        return cast(Answer, answer)


def _started(task: Callable[[Any], Any]) -> subprocess.Popen[bytes]:
    process = subprocess.Popen(
        [sys.executable, "-P", "-c", f"from {__name__} import work; work()"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path)), "POLARS_MAX_THREADS": "1"},
        start_new_session=True,  # an interrupt from the keyboard is for us, and we end the workers
    )
    try:
        pickle.dump(task, _open(process.stdin), pickle.HIGHEST_PROTOCOL)
    except BrokenPipeError:
        raise WorkerFailed(f"a worker ended with status {process.wait()} before it began") from None
    return process


def _open(pipe: IO[bytes] | None) -> IO[bytes]:
    return cast("IO[bytes]", pipe)


def _close(pipe: IO[bytes] | None) -> None:
    with suppress(BrokenPipeError):  # a job that nobody takes any more
        _open(pipe).close()


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
        except EOFError:
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
