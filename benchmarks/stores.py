"""Factories of new stores: SQLite files and Parquet logs in a folder, databases on a PostgreSQL server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path


@dataclass(frozen=True)
class Places:
    """A factory of stores of one kind; every call of `new` gives the URL of an empty store."""

    new: Callable[[], str]


@contextmanager
def places(folder: Path, postgres: str | None, stores: Sequence[str]) -> Iterator[dict[str, Places]]:
    """Factories by kind of store. PostgreSQL is the server at `postgres`, else one that is started for the context."""
    numbers = count()
    kinds = {
        "sqlite": Places(lambda: f"sqlite:///{folder}/store-{next(numbers)}.db"),
        "parquet": Places(lambda: f"parquet:{folder}/log-{next(numbers)}"),
    }
    if "postgresql" not in stores:
        yield kinds
        return
    from tests.postgres import server

    with server(postgres) as running:
        kinds["postgresql"] = Places(running.new_database)
        yield kinds
