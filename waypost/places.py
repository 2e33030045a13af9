"""Where things are kept: the store, the bundle and the scoreboard, from the options or the environment."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from features.log import open_log, shown
from serving.settings import Settings, read_settings
from waypost.console import clock

if TYPE_CHECKING:
    from features.log.contract import EventLog
    from serving.engine import Engine
    from serving.scoreboard import Generation


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
    """The store to use, for messages: without the password that its URL may hold."""
    return shown(store_url(store))


def existing_log(store: str | None) -> EventLog:
    """The log of the store. Raises LogMissing when nothing was ever imported."""
    return open_log(store_url(store), create=False)


def server_clock(store: str | None) -> int:
    """The time on the clock of a server of this environment, microseconds UTC: shifted as that one's is."""
    return clock() + settings(store).clock_shift


def bundle_folder() -> Path:
    """Where the champion is exported to."""
    return settings().bundle


def engine_of(store: str | None) -> Engine:
    """The engine over the store with the champion loaded, if there is one."""
    from features.journey import JOURNEY
    from serving.champion import Champions
    from serving.engine import Engine
    from serving.state import open_states

    chosen = settings(store)
    existing_log(store).close()
    champions = Champions(chosen.bundle, JOURNEY)
    champions.refresh()
    return Engine(open_states(chosen.store, JOURNEY, busy_seconds=chosen.busy_seconds), JOURNEY, champions)


@contextmanager
def swept(store: str | None, at: int | None) -> Iterator[tuple[Engine, Generation]]:
    """All customers as of a moment (the end of the log when None), without touching the server's scoreboard."""
    from features.journey import JOURNEY
    from serving.scoreboard import Scoreboard, sweep

    engine = engine_of(store)
    span = engine.states.log.span()
    moment = at if at is not None else (span[1] if span else clock())
    try:
        with tempfile.TemporaryDirectory() as folder:
            yield engine, sweep(engine, Scoreboard(Path(folder), JOURNEY.fingerprint), moment)
    finally:
        engine.states.close()
