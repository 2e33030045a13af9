"""The event log in one SQLite file: the log (`log`), its tables (`schema`, `members`, `vocabulary`, `dead_letters`)."""

from features.log.sqlite.log import SqliteLog

__all__ = ["SqliteLog"]
