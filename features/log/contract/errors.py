"""What can go wrong with a log. Every method of a store may raise a `LogError`."""

from __future__ import annotations


class LogError(Exception):
    """A log cannot do what was asked; the message says why, and what to do."""


class LogMissing(LogError):
    """There is no log where one was expected."""


class LogBusy(LogError):
    """Another process held the log for longer than the store waits; nothing was written. Trying again is safe."""


class HistoryUnreachable(LogBusy):
    """The object store of a log's history does not answer as it should; trying again is safe."""


class LogFull(LogError):
    """The disk has no room left; nothing was written."""


class LogDenied(LogError):
    """The file system does not let this user read or write the log."""


class LogCorrupt(LogError):
    """The file is not a log, or its contents are damaged."""


class LogVersion(LogError):
    """The log was written by a newer release, or is another program's database."""
