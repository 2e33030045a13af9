"""Servers of one log whose history lies in an object store, each with copies of its own."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from features.events import Event
from features.log.frame import frame_of
from features.log.postgres import PostgresLog
from features.log.postgres.folder import COPIES, VARIABLE
from tests import postgres


class Servers:
    """Servers of one log, by name, each with a folder of copies; the store is the folder `bucket`."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch, stack: ExitStack) -> None:
        self.url = postgres.place(folder)
        self.bucket = folder / "bucket"
        self._folder = folder
        self._patch = patch
        self._stack = stack
        self._patch.setenv(VARIABLE, f"file://{self.bucket}")

    def __call__(self, name: str, *, busy_seconds: float = 5.0) -> PostgresLog:
        """A server that was just started."""
        self.turn(name)
        log = self._stack.enter_context(closing(PostgresLog(self.url, busy_seconds=busy_seconds)))
        assert log.keeping.folder.is_relative_to(self.copies(name))
        return log

    def turn(self, name: str) -> None:
        """What is opened from now on is opened on the machine of a server."""
        self._patch.setenv(COPIES, str(self.copies(name)))

    def copies(self, name: str) -> Path:
        """The folder of the copies of a server."""
        return self._folder / f"copies-{name}"


@pytest.fixture
def servers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Servers]:
    """Servers of an empty log."""
    with ExitStack() as stack:
        yield Servers(tmp_path, monkeypatch, stack)


def add(log: PostgresLog, *events: Event) -> list[bool]:
    """Import events in columns."""
    accepted: list[bool] = log.append_columns(frame_of(events, range(len(events)))).tolist()
    return accepted


def objects(bucket: Path) -> list[str]:
    """The names of all objects of segments."""
    return sorted(str(path.relative_to(bucket)) for path in bucket.rglob("events-*"))
