"""The event log in PostgreSQL. See `features.log.postgres.log.PostgresLog`."""

from features.log.postgres.log import PostgresLog

__all__ = ["PostgresLog"]
