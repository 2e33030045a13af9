"""The event log in PostgreSQL: see `features.log.postgres.log.PostgresLog`."""

from features.log.postgres.log import PostgresLog

__all__ = ["PostgresLog"]
