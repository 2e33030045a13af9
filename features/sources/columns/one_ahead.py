"""The next batch of an import is made while the last one is written."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor, wait
from typing import TypeVar

Made = TypeVar("Made")


def one_ahead(batches: Iterator[Made]) -> Generator[Made, None, None]:
    """The batches in order, each made by a thread of its own while the one before it is used."""
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(next, batches, None)
        try:
            while (batch := coming.result()) is not None:
                coming = pool.submit(next, batches, None)
                yield batch
        finally:
            wait([coming])
            if isinstance(batches, Generator):
                batches.close()
