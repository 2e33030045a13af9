"""The store, the bundle and the scoreboard that commands use, from the options or the environment."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, cast

from features.log import is_postgres, open_log, shown
from features.times import iso
from serving.settings import Settings, read_settings
from waypost.console import UsageProblem, clock

if TYPE_CHECKING:
    from features.log.contract import DatabaseLog, EventLog
    from serving.engine.engine import Engine
    from serving.engine.scoreboard import Generation
    from serving.engine.state.contract import StateChunk


def settings(store: str | None = None) -> Settings:
    """The settings of the environment, with the store of the command line if one was given."""
    environment = dict(os.environ)
    if store:
        environment["WAYPOST_STORE"] = store
    return read_settings(environment)


def store_url(store: str | None) -> str:
    """The store to use."""
    return settings(store).store


def store_shown(store: str | None) -> str:
    """The store to use, for messages: without a password in its URL."""
    return shown(store_url(store))


def existing_log(store: str | None) -> EventLog:
    """The log of the store. Raises LogMissing when nothing was ever imported."""
    return open_log(store_url(store), create=False)


def existing_database(store: str | None) -> DatabaseLog:
    """The log of the store, which must be a database. Raises LogMissing, or UsageProblem for a folder of files."""
    from features.log.sqlite import SqliteLog

    log = existing_log(store)
    if isinstance(log, SqliteLog) or is_postgres(store_url(store)):
        return cast("DatabaseLog", log)
    log.close()
    raise UsageProblem(f"{store_shown(store)} is a folder of files already; expected a database")


def journal_folder() -> Path:
    """The folder of the kept journal."""
    return settings().journal


def bundle_folder() -> Path:
    """The folder of the champion."""
    return settings().bundle


def engine_of(store: str | None) -> Engine:
    """The engine over the store with the champion loaded, if there is one."""
    from features.journey import JOURNEY
    from models.bundle.loaded import Champions
    from serving.engine.engine import Engine
    from serving.engine.state import open_states

    chosen = settings(store)
    existing_log(store).close()
    champions = Champions(chosen.bundle, JOURNEY)
    champions.refresh()
    return Engine(open_states(chosen.store, JOURNEY, busy_seconds=chosen.busy_seconds), JOURNEY, champions)


@contextmanager
def swept(store: str | None, at: int | None) -> Iterator[tuple[Engine, Generation]]:
    """All customers as of a moment (the end of the log when None), without touching the server's scoreboard.

    For a moment before the end of the log, the profiles known then are replayed from the events received until then.
    Raises UsageProblem for a moment before the log begins.
    """
    from features.journey import JOURNEY
    from serving.engine.scoreboard import Scoreboard, sweep

    engine = engine_of(store)
    span = engine.states.log.span()
    moment = at if at is not None else (span[1] if span else clock())
    if span and moment < span[0]:
        engine.states.close()
        raise UsageProblem(f"nothing was known at {iso(moment)}: the log begins at {iso(span[0])}; give a later --at")
    try:
        with tempfile.TemporaryDirectory() as folder:
            board = Scoreboard(Path(folder), JOURNEY.fingerprint)
            past = states_at(engine, moment) if span and moment < span[1] else None
            yield engine, sweep(engine, board, moment, past)
    finally:
        engine.states.close()


def states_at(engine: Engine, moment: int) -> StateChunk:
    """The states of the profiles that were known at a moment, replayed from the log up to it."""
    from features.replay.replay import final_states
    from features.replay.snapshots import known_at, read_past
    from serving.engine.state.contract import StateChunk

    known = known_at(read_past(engine.states.log, moment), moment)
    return StateChunk(known.customers, final_states(engine.fold, known))
