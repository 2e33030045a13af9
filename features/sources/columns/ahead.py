"""Work on the parts of a file on several threads, ahead of the one that puts the results together in their order."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from types import TracebackType
from typing import Generic, TypeVar

from features.cores import thread_count
from features.sources.contract import FileUnreadable

MOST_THREADS = 4
"""More would wait for the one that puts the results together, and each has some parts in memory."""

Part = TypeVar("Part")
Result = TypeVar("Result")


class Ahead(Generic[Part, Result]):
    """The results of `work` on each of the parts: the one that it is at, and those after it."""

    def __init__(self, parts: Iterator[Part], work: Callable[[Part], Result]) -> None:
        self._parts = parts
        self._work = work
        self._threads = min(MOST_THREADS, thread_count(None))
        self._pool = ThreadPoolExecutor(self._threads)
        self._results: deque[Future[Result]] = deque()
        self._fault: FileUnreadable | None = None

    def __enter__(self) -> Ahead[Part, Result]:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._pool.shutdown(cancel_futures=True)

    def __iter__(self) -> Iterator[Result]:
        """The results, one after the other. Raises FileUnreadable where the file breaks off."""
        while (result := self.after(0)) is not None:
            yield result
            self._results.popleft()

    def after(self, number: int) -> Result | None:
        """The result so many after the one it is at; None after the last. Raises FileUnreadable where the file breaks
        off."""
        while len(self._results) <= max(number, self._threads) and self._fault is None:
            try:
                part = next(self._parts, None)
            except FileUnreadable as error:
                self._fault = error
                break
            if part is None:
                break
            self._results.append(self._pool.submit(self._work, part))
        if number < len(self._results):
            return self._results[number].result()
        if self._fault is not None:
            raise self._fault
        return None
