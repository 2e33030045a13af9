"""Logs whose older events leave the database for a history of files: what their owner does with it."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from features.log.contract.log import EventLog


class Sealable(Protocol):
    """The history beside a database. Every method may raise a `LogError`: LogBusy while another process changes it."""

    @property
    def folder(self) -> Path:
        """The folder of this machine in which its files are read."""
        ...

    def seal(self, before: int, *, least: int = 1) -> int:
        """Move the oldest events that were `received` before `before` (microseconds UTC) into the history.

        Some thousands at a time, and none if there are fewer than `least`. Returns how many.
        """
        ...

    def look(self) -> None:
        """Bring the copies of files on this machine, if there are any, in line with the history as it is now.

        What the history does not hold any more is deleted, and some of what is missing fetched.
        """
        ...

    def compact(self) -> int:
        """Write small files of the history as one, where it is due. Returns how many there were."""
        ...


class DatabaseLog(EventLog, Protocol):
    """A log in a database."""

    @property
    def keeping(self) -> Sealable:
        """The history beside it."""
        ...

    def segments(self) -> object | None:
        """The history as it is now; None when no event ever left the database for one."""
        ...

    def has_unsealed(self, before: int, least: int) -> bool:
        """Whether the oldest `least` events that were never sealed were `received` before `before`; a look of
        milliseconds."""
        ...
