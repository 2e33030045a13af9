"""Where the files of a history lie: what a place for them has to do, and the folder, which is the simplest one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterable, Sequence
from contextlib import AbstractContextManager, nullcontext, suppress
from pathlib import Path

from features import files

RETIRED = "retired"
"""The folder of segments that others have replaced: scans that began before may still read them."""

LOCK = "lock"
"""The file that whoever changes the history holds; its time tells what the clock of the files says now."""

MARK = "log"
"""The file that holds the identity of the log."""


class Store(ABC):
    """The files of one history, for all who share it. Names are relative to it: `customers/names-1-2.parquet`.

    Segments and their indexes never change once they are listed. Other files may: they are read and written whole.
    What changes the store is called by the one who changes the history. Every method may raise a `LogError`.
    """

    def __init__(self, place: str, folder: Path) -> None:
        self.place = place
        """How messages and the manifest name it."""
        self.folder = folder
        """The folder of this machine in which segments are read, and in which they are written first."""

    def changing(self) -> AbstractContextManager[None]:
        """Whoever changes the history does it within this."""
        return nullcontext()

    @abstractmethod
    def names(self, under: str = "") -> list[str]:
        """The names of the files that lie right in the store, or in a folder of it."""

    @abstractmethod
    def path(self, name: str) -> Path:
        """The file of a segment on this machine, be it one that was put away. Raises FileNotFoundError, or whoever
        opens the file does, when there is none."""

    @abstractmethod
    def share(self, names: Sequence[str]) -> None:
        """Make files that were written in `folder` part of the store; they outlast a crash when this returns."""

    @abstractmethod
    def read(self, name: str) -> bytes | None:
        """What a file that may change holds now; None when there is none."""

    @abstractmethod
    def write(self, name: str, content: bytes) -> None:
        """Replace such a file, or make it; it outlasts a crash when this returns."""

    @abstractmethod
    def remove(self, names: Iterable[str]) -> None:
        """Delete files, those that are there."""

    @abstractmethod
    def retire(self, names: Iterable[str]) -> None:
        """Put the files of segments away that are no longer part of the log."""

    @abstractmethod
    def tidy(self, seconds: float) -> None:
        """Delete what processes that were killed have begun, and files that were put away `seconds` ago or earlier."""

    def look(self, listed: Collection[str], seconds: float) -> None:  # noqa: B027
        """Delete the copies on this machine of files that the store does not hold any more, and fetch missing ones of
        those `listed` for about so long, where there are copies."""

    def identity(self) -> str | None:
        """The identity of the log whose history this is; None when it is nobody's yet."""
        mark = self.read(MARK)
        return None if mark is None else mark.decode()


class Folder(Store):
    """A folder, which all processes of a log read and write in place."""

    def __init__(self, folder: Path) -> None:
        super().__init__(str(folder), folder)

    def names(self, under: str = "") -> list[str]:
        """The names of the files that lie right in the folder, or in a folder of it."""
        home = self.folder / under
        return [f"{under}/{path.name}" if under else path.name for path in home.glob("*") if path.is_file()]

    def path(self, name: str) -> Path:
        """The file of a segment, be it one that was put away."""
        path, retired = self.folder / name, self.folder / RETIRED / name
        return retired if not path.exists() and retired.exists() else path

    def share(self, names: Sequence[str]) -> None:
        """Nothing: who writes a file here has shared it."""

    def read(self, name: str) -> bytes | None:
        """What a file holds; None when there is none."""
        with suppress(FileNotFoundError, NotADirectoryError):
            return (self.folder / name).read_bytes()
        return None

    def write(self, name: str, content: bytes) -> None:
        """Replace a file, or make it, all or nothing."""
        path = self.folder / name
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        files.replace(path, content)

    def remove(self, names: Iterable[str]) -> None:
        """Delete files, those that are there; it outlasts a crash when this returns."""
        folders = set()
        for name in names:
            path = self.folder / name
            path.unlink(missing_ok=True)
            folders.add(path.parent)
        for folder in folders:
            files.synchronise(folder)

    def retire(self, names: Iterable[str]) -> None:
        """Move the files of segments to the folder of those that were put away."""
        home = self.folder / RETIRED
        home.mkdir(mode=0o700, exist_ok=True)
        for name in names:
            self.path(name).rename(home / name)

    def tidy(self, seconds: float) -> None:
        """Delete drafts, and files that were put away `seconds` ago or earlier."""
        for draft in list(self.folder.rglob(".*")):
            draft.unlink(missing_ok=True)
        lock = self.folder / LOCK
        lock.touch()
        now = lock.stat().st_mtime
        for path in list((self.folder / RETIRED).glob("*")):
            if now - path.stat().st_ctime >= seconds:
                path.unlink(missing_ok=True)
