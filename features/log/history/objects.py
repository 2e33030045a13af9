"""A history in an object store, such as S3, and the copies of its segments on this machine.

Segments are mapped into memory and decoded in part, so a process reads copies in a folder of its machine. They are
fetched when they are first needed, or by the server's regular look, and go once the store does not hold their file any
more. `fsspec` speaks to the store, through a driver for each kind, such as `s3fs`.
"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

from features import files
from features.log.contract import HistoryUnreachable, LogError
from features.log.history.disk import FULL, explained
from features.log.history.store import LOCK, MARK, RETIRED, Store

if TYPE_CHECKING:
    from fsspec import AbstractFileSystem

_FETCHING = "fetching"
"""The folder of copies under way, and the name of the lock whose holder fetches one."""

_COPY = re.compile(r"events-\d{8}\.(?:parquet|index)")


class ObjectStore(Store):
    """The objects below a URL, and `folder` for the copies; whoever changes the history holds a lock in it.

    Raises LogError when there is no driver for the URL.
    """

    def __init__(self, url: str, folder: Path) -> None:
        super().__init__(without_password(url), folder)
        self._url = url.rstrip("/")
        self._protocol = url.partition("://")[0]
        self._sizes: dict[str, int] | None = None
        self._times: dict[str, datetime] = {}
        self._identity: str | None = None
        self._compared = False
        _check_driver(self._protocol, self.place)

    @contextmanager
    def changing(self) -> Iterator[None]:
        """Know what the store holds by one listing: nobody else changes it meanwhile."""
        self._sizes = self._listed()
        try:
            yield
        finally:
            self._sizes = None

    def names(self, under: str = "") -> list[str]:
        """The names of the objects that lie right in the store, or in a folder of it."""
        return [name for name in self._held() if name.rpartition("/")[0] == under]

    def path(self, name: str) -> Path:
        """The copy of an object, fetched unless it is here. Raises FileNotFoundError when the store has none."""
        copy = self.folder / name
        if not copy.exists():
            self._fetch(name, copy)
        return copy

    def share(self, names: Sequence[str]) -> None:
        """Upload files, and see that they arrived whole."""
        with self._asked("the upload", missing="the bucket is not there") as (fs, root):
            for name in names:
                size = (self.folder / name).stat().st_size
                self._note(name, size)
                fs.put_file(str(self.folder / name), f"{root}/{name}")
                arrived = _size(fs, f"{root}/{name}")
                if arrived != size:
                    raise HistoryUnreachable(
                        f"{self.place}/{name} has {arrived} of {size} bytes after its upload; nothing was written, "
                        "try again"
                    )

    def read(self, name: str) -> bytes | None:
        """What an object holds now; None when there is none."""
        with suppress(FileNotFoundError), self._asked("the download") as (fs, root):
            content: bytes = fs.cat_file(f"{root}/{name}")
            return content
        return None

    def write(self, name: str, content: bytes) -> None:
        """Replace an object, or make it."""
        with self._asked("the upload", missing="the bucket is not there") as (fs, root):
            self._note(name, len(content))
            fs.pipe_file(f"{root}/{name}", content)

    def remove(self, names: Iterable[str]) -> None:
        """Delete objects and their copies, those that are there."""
        with self._asked("the deletion") as (fs, root):
            for name in names:
                with suppress(FileNotFoundError):
                    fs.rm_file(f"{root}/{name}")
                (self.folder / name).unlink(missing_ok=True)
                if self._sizes is not None:
                    self._sizes.pop(name, None)

    def retire(self, names: Iterable[str]) -> None:
        """Rename objects, which the store does by itself; their copies stay for those who read them."""
        with self._asked("the renaming") as (fs, root):
            for name in names:
                fs.cp_file(f"{root}/{name}", f"{root}/{RETIRED}/{name}")
                fs.rm_file(f"{root}/{name}")
                if self._sizes is not None:
                    self._sizes[f"{RETIRED}/{name}"] = self._sizes.pop(name)

    def tidy(self, seconds: float) -> None:
        """Delete objects that were put away `seconds` ago or earlier, drafts, and copies that the store does not
        hold."""
        retired = [name for name in self._held() if name.startswith(f"{RETIRED}/")]
        self.remove(self._older(retired, seconds) if retired and seconds else retired)
        self._drop_copies(self._held())

    def look(self, listed: Collection[str], seconds: float) -> None:
        """Delete the copies of what the store does not hold any more, and fetch those `listed` that are missing.

        No download begins after so many seconds.

        Whoever changes the history on this machine meanwhile does so as well. The first look compares all sizes.
        """
        began = time.monotonic()
        if self.folder.is_dir():
            with suppress(TimeoutError), files.alone(self.folder / LOCK, 0):
                if not self._compared or self._copies() - set(listed):
                    self._drop_copies(self._listed())
                    self._compared = True
            with suppress(TimeoutError), files.alone(self._fetching_lock, 0):
                self._drop_begun()
        for name in sorted(listed, key=lambda name: name.endswith(".parquet")):
            if time.monotonic() - began < seconds:
                with suppress(FileNotFoundError):
                    self.path(name)

    def identity(self) -> str | None:
        """The identity of the log whose history this is; None when it is nobody's yet.

        It is kept beside the copies: what is here can be read while the store does not answer.
        """
        kept = self.folder / MARK
        if self._identity is None and kept.exists():
            self._identity = kept.read_text()
        if self._identity is None and (identity := super().identity()):
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            files.replace(kept, identity)
            self._identity = identity
        return self._identity

    def _held(self) -> Mapping[str, int]:
        return self._listed() if self._sizes is None else dict(self._sizes)

    def _listed(self) -> dict[str, int]:
        """The names of all objects, and their sizes in bytes."""
        with suppress(FileNotFoundError), self._asked("the listing") as (fs, root):
            listed = fs.find(root, detail=True)
            return {path[len(root) + 1 :]: int(about["size"]) for path, about in listed.items()}
        return {}

    def _note(self, name: str, size: int) -> None:
        """Remember that the store holds an object, or a part of it if the upload fails."""
        if self._sizes is not None:
            self._sizes[name] = size

    def _older(self, retired: Sequence[str], seconds: float) -> list[str]:
        """Those of the objects that were put away `seconds` ago or earlier, by the clock of the store."""
        with self._asked("the listing") as (fs, root):
            fs.pipe_file(f"{root}/{LOCK}", b"")
            now = fs.modified(f"{root}/{LOCK}")
            self._times = {name: self._times.get(name) or fs.modified(f"{root}/{name}") for name in retired}
        return [name for name, at in self._times.items() if (now - at).total_seconds() >= seconds]

    def _copies(self) -> set[str]:
        return {path.name for path in self.folder.glob("events-*") if _COPY.fullmatch(path.name)}

    def _drop_copies(self, held: Mapping[str, int]) -> None:
        """Delete drafts, and the copies of what the store does not hold, or holds in another size."""
        for draft in self.folder.glob(".*"):
            draft.unlink(missing_ok=True)
        for name in self._copies():
            size = held.get(name, held.get(f"{RETIRED}/{name}"))
            copy = self.folder / name
            with suppress(FileNotFoundError):
                if copy.stat().st_size != size:
                    copy.unlink()

    @property
    def _fetching_lock(self) -> Path:
        return self.folder / f"{_FETCHING}.lock"

    def _drop_begun(self) -> None:
        """Delete what processes that were killed have fetched in part. Under the lock of those who fetch."""
        for begun in (self.folder / _FETCHING).glob("*"):
            begun.unlink()

    def _fetch(self, name: str, copy: Path) -> None:
        """Download an object, one at a time on this machine, so that no two processes fetch the same."""
        with explained(self.folder):
            (self.folder / _FETCHING).mkdir(mode=0o700, parents=True, exist_ok=True)
            with files.alone(self._fetching_lock):
                if copy.exists():
                    return
                self._drop_begun()
                begun = self.folder / _FETCHING / name
                with self._asked("the download") as (fs, root):
                    source, size = _first(fs, [f"{root}/{name}", f"{root}/{RETIRED}/{name}"])
                    fs.get_file(source, str(begun))
                    arrived = begun.stat().st_size
                if arrived != size:
                    raise HistoryUnreachable(f"{self.place}/{name}: {arrived} of {size} bytes arrived; try again")
                files.settle(begun, copy)

    @contextmanager
    def _asked(self, what: str, *, missing: str = "") -> Iterator[tuple[AbstractFileSystem, str]]:
        """The file system and the path of the store in it; what goes wrong there is raised as a `LogError`.

        FileNotFoundError is passed on, unless it is said what is `missing` then.
        """
        try:
            yield self._connected()
        except LogError:
            raise
        except PermissionError as error:
            raise HistoryUnreachable(
                f"the object store {self.place} refuses {what}: {error}; give it credentials that may list, read, "
                "write and delete there; see docs/howto/postgresql.md"
            ) from error
        except Exception as error:  # every driver has errors of its own
            if isinstance(error, FileNotFoundError) and not missing:
                raise
            if getattr(error, "errno", None) in FULL:  # the disk of this machine
                raise
            said = missing if isinstance(error, FileNotFoundError) else f"{type(error).__name__}: {error}"
            raise HistoryUnreachable(
                f"the object store {self.place}: {what} failed: {said}; nothing is lost, try again"
            ) from error

    def _connected(self) -> tuple[AbstractFileSystem, str]:
        """The file system, one for each process and thread, with no memory of what others have changed since."""
        from fsspec.core import url_to_fs

        local = {"auto_mkdir": True} if self._protocol in ("file", "local") else {}
        fs, root = url_to_fs(self._url, **local)
        fs.invalidate_cache()
        return fs, root


def without_password(url: str) -> str:
    """A URL as it may be shown."""
    return re.sub(r"(://[^/@:]*):[^/@]*@", r"\1@", url)


def _size(fs: AbstractFileSystem, path: str) -> int:
    return int(fs.info(path)["size"])


def _first(fs: AbstractFileSystem, paths: Sequence[str]) -> tuple[str, int]:
    """The first of some paths that is there, and its size."""
    for path in paths:
        with suppress(FileNotFoundError):
            return path, _size(fs, path)
    raise FileNotFoundError(paths[0])


def _check_driver(protocol: str, place: str) -> None:
    """Raise LogError unless the driver for a kind of URL is installed."""
    from fsspec import get_filesystem_class
    from fsspec.registry import known_implementations

    try:
        get_filesystem_class(protocol)
    except ImportError as error:
        package = known_implementations[protocol]["class"].partition(".")[0]
        advice = str(error) if package == "fsspec" else f"pip install {package}"
        raise LogError(f"the driver for {place} is missing; install it with: {advice}") from error
    except ValueError as error:
        raise LogError(
            f"the history cannot lie at {place}: {error}; expected a folder, or a URL such as s3://BUCKET/FOLDER, "
            "gs://BUCKET/FOLDER or az://CONTAINER/FOLDER"
        ) from error
