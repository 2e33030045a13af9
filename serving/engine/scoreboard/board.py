"""The scoreboard on disk: one folder a generation, and a pointer that names the newest.

    CURRENT                    the name of the newest generation and revision, replaced atomically
    WRITING                    locked by a process while it changes these files
    GENERATION/                see `serving.engine.scoreboard.files`

The newest few generations are kept, and of each the newest revisions, so that all pages of a segment come from one
revision. The rows of an erased customer are blanked in all generations, in the files themselves.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features.files import Identity, alone, replace, version
from serving.engine.scoreboard.files import (
    CUSTOMERS,
    PLACES,
    REVISION,
    Generation,
    Rows,
    blank_rows,
    catalogue_digest,
    read_generation,
)

CURRENT = "CURRENT"
WRITING = "WRITING"
DRAFT = ".draft-"
KEPT = 4
"""Generations kept on disk."""

MOST_KEPT, LEAST_KEPT = 600, 20
"""Revisions kept of a generation, at most and at least; the most are five minutes of a busy shop."""
KEPT_BYTES = 256 * 1024 * 1024
"""A generation keeps fewer revisions when its segments would take more room than this."""

_NAME = re.compile(r"(\d{8})(\d{4})?", re.ASCII)


class Scoreboard:
    """The generations in one directory, made by the fold with this fingerprint and with this release's segments."""

    def __init__(self, directory: Path, fingerprint: str) -> None:
        self.directory = directory
        self.fingerprint = fingerprint
        self.catalogue = catalogue_digest()
        self._seen: Identity | None = None
        self._current: Generation | None = None

    def current(self) -> Generation | None:
        """The newest generation; None when there is none to be read, or only one of another fold or catalogue."""
        try:
            seen = version(self.directory / CURRENT)
            if seen is None:
                return None
            if seen != self._seen:
                name = (self.directory / CURRENT).read_text(encoding="utf-8").strip()
                self._current, self._seen = self.generation(name), seen
        except (OSError, ValueError):  # missing, not readable or damaged: the next sweep replaces it
            return None
        return self._current

    def generation(self, name: str) -> Generation | None:
        """The generation of this name; None when it is gone, or was made by another fold or catalogue."""
        match = _NAME.fullmatch(name)
        current = self._current
        if match is None:
            return None
        if current is not None and current.name == name:
            return current
        folder, revision = self.directory / match[1], int(match[2] or 0)
        try:
            rows = current.rows if current is not None and current.folder == folder else None
            generation = read_generation(folder, revision, rows)
            report = generation.report
            fits = (report["fingerprint"], report["catalogue"]) == (self.fingerprint, self.catalogue)
        except (OSError, ValueError, KeyError, TypeError):  # dropped meanwhile, or damaged: the next sweep replaces it
            return None
        return generation if fits else None

    def publish(self, write: Callable[[Path], None], names: Callable[[], Sequence[str]]) -> Generation:
        """Let `write` fill a new folder, then make it the newest generation and drop the oldest.

        `names` gives the log's names by code. A customer without a name was erased and is blanked in all generations,
        this one too, so that a sweep does not bring back customers whom it read before their erasure.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        with self._draft() as draft:
            write(draft)
            draft.chmod(0o755)
            with self.alone():
                folder = self._put(draft)
                self._blank(names(), ())
                self.point_at(folder.name)
                for old in self._names()[:-KEPT]:
                    shutil.rmtree(self.directory / old, ignore_errors=True)
        generation = self.generation(folder.name)
        if generation is None:
            raise FileNotFoundError(
                f"the scoreboard {folder} vanished while it was written; is a second server using {self.directory}?"
            )
        return generation

    def blank(self, names: Sequence[str], others: Collection[int] = ()) -> int:
        """Blank the customers who have no name any more in every generation; returns how many rows that were.

        `names` are the log's names by code, read after the erasure; `others` are codes whose rows are blanked until the
        next sweep, because an erased id was once merged with them. Waits while a generation is published or refreshed.
        """
        if not self.directory.exists():
            return 0
        with self.alone():
            return self._blank(names, others)

    def _blank(self, names: Sequence[str], others: Collection[int]) -> int:
        gone = np.array([*others, *(code for code, name in enumerate(names) if not name)], np.int32)
        return sum(_blanked(self.directory / name, gone, len(names)) for name in self._names())

    def point_at(self, name: str) -> None:
        """Make a complete generation or revision the newest. Only while no other process writes."""
        replace(self.directory / CURRENT, name + "\n", durable=False)
        self._seen = None

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Hold the write lock of the files; removes the drafts of processes that were killed."""
        with alone(self.directory / WRITING):
            for draft in self.directory.glob(f"{DRAFT}*"):
                with _held(draft) as held:
                    if held:
                        shutil.rmtree(draft, ignore_errors=True)
            yield

    @contextmanager
    def _draft(self) -> Iterator[Path]:
        """A new folder that nobody removes while this process fills it."""
        with ExitStack() as holding:
            with self.alone():
                draft = Path(tempfile.mkdtemp(prefix=DRAFT, dir=self.directory))
                holding.enter_context(_held(draft))
            try:
                yield draft
            finally:
                shutil.rmtree(draft, ignore_errors=True)

    def _put(self, draft: Path) -> Path:
        """Move a finished folder to the next name."""
        names = self._names()
        return draft.rename(self.directory / f"{int(names[-1]) + 1 if names else 1:08d}")

    def _names(self) -> list[str]:
        return sorted(folder.name for folder in self.directory.iterdir() if folder.name.isdigit())


@contextmanager
def _held(draft: Path) -> Iterator[bool]:
    """Lock a folder; False while the process that fills it lives. The system frees the lock of a killed process."""
    try:
        folder = os.open(draft, os.O_RDONLY)
    except FileNotFoundError:  # removed by its own process
        yield False
        return
    try:
        yield _locked(folder)
    finally:
        os.close(folder)


def _locked(folder: int) -> bool:
    try:
        fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def oldest_kept(number: int, members: int) -> int:
    """The oldest revision to keep beside this one, whose segments have so many members together."""
    kept = KEPT_BYTES // max(members * np.dtype(np.int32).itemsize, 1)
    return max(number + 1 - min(max(kept, LEAST_KEPT), MOST_KEPT), 0)


def drop_revision(folder: Path, number: int) -> None:
    """Remove a revision, and the files of places that no later revision reads."""
    rows = Rows(folder)
    following = read_generation(folder, number + 1, rows).report["places"]
    for segment, made in read_generation(folder, number, rows).report["places"].items():
        if made != following[segment]:
            (folder / PLACES.format(segment, made)).unlink(missing_ok=True)
    (folder / REVISION.format(number)).unlink()


def _blanked(folder: Path, gone: NDArray[np.int32], known: int) -> int:
    """Blank, in one generation, the rows of codes that are `gone`, or not below `known`. How many customers."""
    try:
        customers = np.load(folder / CUSTOMERS, mmap_mode="r")
        places = np.flatnonzero(np.isin(customers, gone) | (customers >= known))
        blanked = len(np.unique(customers[places]))
        blank_rows(folder, places)
    except FileNotFoundError:  # dropped meanwhile
        return 0
    return blanked
