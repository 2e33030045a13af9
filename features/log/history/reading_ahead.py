"""Chunks that threads prepare while earlier ones are used."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Bounds = TypeVar("Bounds")
Chunk = TypeVar("Chunk")


def ahead(read: Callable[[Bounds], Chunk], parts: Iterable[Bounds], *, threads: int = 2) -> Iterator[Chunk]:
    """What `read` makes of each part, in order; as many parts as `threads` are read ahead of the one that is used.

    With one thread, a part is begun when the one before it is made.
    """
    coming: deque[Future[Chunk]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for part in parts:
                coming.append(pool.submit(read, part))
                if len(coming) > threads:
                    yield coming.popleft().result()
            while coming:
                yield coming.popleft().result()
        finally:
            for future in coming:
                future.cancel()
