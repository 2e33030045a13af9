"""Places for new stores: SQLite files and Parquet logs in a folder, databases on a PostgreSQL server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path


@dataclass(frozen=True)
class Places:
    """Where stores of one kind can be made; each call of `new` gives the URL of an empty one."""

    new: Callable[[], str]


@contextmanager
def places(folder: Path, postgres: str | None, stores: Sequence[str]) -> Iterator[dict[str, Places]]:
    """Places by kind of store. PostgreSQL is the server at `postgres`, else one that runs for as long as this does."""
    numbers = count()
    found = {
        "sqlite": Places(lambda: f"sqlite:///{folder}/store-{next(numbers)}.db"),
        "parquet": Places(lambda: f"parquet:{folder}/log-{next(numbers)}"),
    }
    if "postgresql" not in stores:
        yield found
        return
    from tests.postgres import server

    with server(postgres) as running:
        found["postgresql"] = Places(running.new_database)
        yield found
