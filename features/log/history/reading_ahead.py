"""Chunks that threads prepare while earlier ones are used."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Bounds = TypeVar("Bounds")
Chunk = TypeVar("Chunk")

THREADS = 2
"""Threads that read: each chunk is decoded on every core already, and what follows needs one."""


def ahead(read: Callable[[Bounds], Chunk], parts: Iterable[Bounds]) -> Iterator[Chunk]:
    """What `read` makes of each part, in order; `THREADS` parts are read ahead of the one that is used."""
    coming: deque[Future[Chunk]] = deque()
    with ThreadPoolExecutor(THREADS) as pool:
        try:
            for part in parts:
                coming.append(pool.submit(read, part))
                if len(coming) > THREADS:
                    yield coming.popleft().result()
            while coming:
                yield coming.popleft().result()
        finally:
            for future in coming:
                future.cancel()
