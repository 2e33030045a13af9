"""The customers' states: the contract of a store (`contract`), the store beside the SQLite log (`sqlite`) and the one
beside the PostgreSQL log (`postgres`)."""

from features.fold.fold import Fold
from features.log import is_postgres
from serving.engine.state import sqlite
from serving.engine.state.contract import CustomerState, StateStore
from serving.engine.state.sqlite import SqliteStateStore, StoreUnknown

__all__ = ["CustomerState", "SqliteStateStore", "StateStore", "StoreUnknown", "open_states"]


def open_states(store: str, fold: Fold, busy_seconds: float, *, create: bool = True) -> StateStore:
    """The states in the store at a URL or path. A write waits `busy_seconds` for other writers.

    Without `create` the store must exist.

    Raises `sqlite.StoreUnknown` for a log that keeps no states, such as Parquet files, and the other `LogError`s.
    """
    if is_postgres(store):
        from features.log.postgres import PostgresLog
        from serving.engine.state.postgres import PostgresStateStore

        return PostgresStateStore(PostgresLog(store, create=create, busy_seconds=busy_seconds), fold)
    return sqlite.open_states(store, fold, busy_seconds, create=create)
