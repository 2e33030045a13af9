"""Where the history of a PostgreSQL log lies: a folder or an object store that all servers of the database share.

It holds the identity of its log, so that no other log's files are taken for it, or swept away in it.
"""

from __future__ import annotations

import os
from functools import lru_cache
from hashlib import blake2b
from pathlib import Path
from urllib.parse import quote

from features import files
from features.log.contract import LogDenied, LogError
from features.log.history.store import LOCK, MARK, Folder, Store

VARIABLE = "WAYPOST_SEGMENTS"
"""Names the folder of the histories of all PostgreSQL logs, or a URL such as `s3://bucket/waypost`."""

UNNAMED = "data"
"""That folder when the environment names none."""

COPIES = "WAYPOST_SEGMENTS_COPIES"
"""Names the folder of the copies on this machine of files that lie at a URL."""

COPIES_FOLDER = "data/segments"
"""That folder when the environment names none, as in `serving.settings`."""


def is_named() -> bool:
    """Whether the environment names the folder. Without a name, events stay in the database: a folder of one machine
    would keep all others from opening the log."""
    return bool(os.environ.get(VARIABLE))


def is_url(place: str) -> bool:
    """Whether a place is a URL, of an object store, and not a folder."""
    return "://" in place


def history_store(log: str, database: str, schema: str) -> Store:
    """The store of the log with the identity `log`, in a schema of a database.

    It is `history-of-DATABASE`, or `history-of-DATABASE.SCHEMA`. Raises LogError when no driver knows its URL.
    """
    name = database if schema == "public" else f"{database}.{schema}"
    home, named = os.environ.get(VARIABLE) or UNNAMED, f"history-of-{quote(name, safe='')}"
    if not is_url(home):
        return Folder(Path(home).absolute() / named)
    return _object_store(f"{home.rstrip('/')}/{named}", Path(os.environ.get(COPIES) or COPIES_FOLDER).absolute(), log)


@lru_cache
def _object_store(url: str, copies: Path, log: str) -> Store:
    """The store at a URL. Its copies lie apart from those of every other URL and every other log."""
    from features.log.history.objects import ObjectStore  # Polars, which a log without history does not need

    return ObjectStore(url, copies / f"{log}-{blake2b(url.encode(), digest_size=4).hexdigest()}")


def is_of(store: Store, identity: str) -> bool:
    """Whether a store is that of the log of an identity."""
    return store.identity() == identity


def claim(store: Store, identity: str) -> None:
    """Make the store that of the log of an identity. Raises LogError when it is another one's."""
    try:
        if not store.folder.is_dir():
            store.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            files.synchronise(store.folder.parent)
        if store.read(MARK) is None:
            with files.alone(store.folder / LOCK):
                if store.read(MARK) is None:
                    store.write(MARK, identity.encode())
        mark = store.read(MARK)
    except OSError as error:
        raise LogDenied(
            f"the folder of the history {store.folder} cannot be used: {error}; name another with {VARIABLE}, or with "
            f"{COPIES} where that is a URL"
        ) from error
    if mark != identity.encode():
        raise LogError(f"{store.place} holds the history of another log; name another place with {VARIABLE}")


def check(store: Store, identity: str, listed: str) -> None:
    """Raise LogError unless a store is that of the log of an identity, whose segments were written at `listed`."""
    if not is_of(store, identity):
        what = "is not there" if store.identity() is None else "is that of another log"
        raise LogError(
            f"the history of the log {what} at {store.place}; it was written at {listed}. All servers of a database "
            f"share one place: mount the folder here, or let this machine into the bucket, and name it with {VARIABLE}"
        )
