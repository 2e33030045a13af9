"""Opens the store, and again when its file was missing or replaced."""

from __future__ import annotations

import shutil
from pathlib import Path

from features.files import Identity, identity
from features.fold.fold import Fold
from features.log.contract import LogMissing
from models.bundle.loaded import Champions
from serving.engine.engine import Engine
from serving.engine.state import open_states
from serving.settings import Settings

_SQLITE = "sqlite:///"


class StoreFactory:
    """Opens engines on the store of a server.

    Only the first engine of a process, also of a restarted worker, may create a store, and only where the settings
    allow it. Later a missing store is waited for, never created: an empty log in the place of a full one would accept
    events as if nothing had been there.
    """

    def __init__(self, settings: Settings, fold: Fold, champions: Champions) -> None:
        self._settings = settings
        self._fold = fold
        self._champions = champions
        self._opened = False
        self._log: Identity | None = None
        self._ahead: Identity | None = None

    def engine(self, busy_seconds: float | None = None) -> Engine:
        """An engine of the calling thread; its writes wait `busy_seconds` for others (default: the setting).

        Raises a `LogError`.
        """
        log, ahead = self._files()
        if self._opened and log != self._log and ahead is not None and ahead == self._ahead:
            raise LogMissing(
                f"the log {self._settings.store} was replaced, but the -wal file beside it is that of the old one and "
                "would damage the new one: move the -wal and -shm files away"
            )
        wait = self._settings.busy_seconds if busy_seconds is None else busy_seconds
        create = self._settings.create_store and not self._opened
        states = open_states(self._settings.store, self._fold, wait, create=create)
        self._opened = True
        self._log, self._ahead = self._files()
        return Engine(states, self._fold, self._champions)

    def free_bytes(self) -> int | None:
        """Free bytes on the fullest disk that the server writes to; None when unknown."""
        folders = [self._settings.scoreboard]
        path = self._path()
        if path is not None:
            folders.append(path.parent)
        free = [shutil.disk_usage(folder).free for folder in folders if folder.is_dir()]
        return min(free, default=None)

    def _path(self) -> Path | None:
        """The file of the store; None for a store that is not a file."""
        store = self._settings.store
        if "://" in store and not store.startswith(_SQLITE):
            return None
        return Path(store.removeprefix(_SQLITE))

    def _files(self) -> tuple[Identity | None, Identity | None]:
        path = self._path()
        if path is None:
            return None, None
        return identity(path), identity(path.with_name(f"{path.name}-wal"))
