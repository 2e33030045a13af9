"""The scoreboard on disk: one folder a generation, and a pointer that names the newest.

    CURRENT                    the name of the newest generation, replaced atomically
    WRITING                    locked by a process while it changes what stands here
    GENERATION/report.json     when and by what it was made, the journey report, the key figures, the segments
    GENERATION/customers.npy   int32[n], the customers' codes in the log
    GENERATION/columns.npy     float32[columns, n], features and probabilities, in the order the report names them
    GENERATION/SEGMENT.npy     int32[members], places in the columns, in the segment's order

Readers map the files into memory, so all processes share them. The newest few generations are kept: a page of a
segment goes on in the generation it began in. Who is erased is blanked in all of them, in the files themselves: what
other processes have mapped is blank at the same moment.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from insights.segments import SEGMENTS

CURRENT = "CURRENT"
REPORT = "report.json"
CUSTOMERS = "customers.npy"
COLUMNS = "columns.npy"
WRITING = "WRITING"
DRAFT = ".draft-"
KEPT = 4
"""Generations kept on disk."""

BLANK = -1
"""In the place of the code of a customer who was erased after the sweep; the columns there are NaN."""

_NAME = re.compile(r"\d{8,12}", re.ASCII)


def catalogue_digest() -> str:
    """What tells this release's segments from those of another: their names, rules and orderings, hashed."""
    told = [(each.name, str(each.rule), str(each.order_by), each.ordering) for each in SEGMENTS.values()]
    return hashlib.sha256(json.dumps(told).encode()).hexdigest()[:16]


@dataclass(frozen=True)
class Generation:
    """One sweep of all customers, read from its folder."""

    folder: Path
    report: Mapping[str, Any]

    @property
    def name(self) -> str:
        """What a cursor calls it."""
        return self.folder.name

    @property
    def as_of(self) -> int:
        """The moment the columns speak of, microseconds UTC."""
        return int(self.report["as_of"])

    @property
    def count(self) -> int:
        """How many customers there are."""
        return int(self.report["customers"])

    @cached_property
    def customers(self) -> NDArray[np.int32]:
        """Codes of the customers, one per place in the columns; `BLANK` where one was erased since."""
        codes: NDArray[np.int32] = np.load(self.folder / CUSTOMERS, mmap_mode="r")
        return codes

    @cached_property
    def columns(self) -> dict[str, NDArray[np.float32]]:
        """Every feature and probability by name, one value per customer."""
        matrix = np.load(self.folder / COLUMNS, mmap_mode="r")
        return dict(zip(self.report["columns"], matrix, strict=True))

    def members(self, segment: str) -> NDArray[np.int32]:
        """Places of a segment's members in the columns, in the segment's order. KeyError for an unknown segment."""
        if segment not in self.report["segments"]:
            raise KeyError(segment)
        places: NDArray[np.int32] = np.load(self.folder / f"{segment}.npy", mmap_mode="r")
        return places


class Scoreboard:
    """The generations in one directory, made by the fold with this fingerprint and with this release's segments."""

    def __init__(self, directory: Path, fingerprint: str) -> None:
        self.directory = directory
        self.fingerprint = fingerprint
        self.catalogue = catalogue_digest()
        self._seen: tuple[int, int] | None = None
        self._current: Generation | None = None

    def current(self) -> Generation | None:
        """The newest generation; None when there is none to be read, or only one of another fold or catalogue."""
        try:
            seen = _identity(self.directory / CURRENT)
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
        if not _NAME.fullmatch(name):
            return None
        if self._current is not None and self._current.name == name:
            return self._current
        try:
            report = json.loads((self.directory / name / REPORT).read_bytes())
            fits = (report["fingerprint"], report["catalogue"]) == (self.fingerprint, self.catalogue)
        except (OSError, ValueError, KeyError, TypeError):  # dropped meanwhile, or damaged: the next sweep replaces it
            return None
        return Generation(self.directory / name, report) if fits else None

    def publish(self, write: Callable[[Path], None], names: Callable[[], Sequence[str]]) -> Generation:
        """Let `write` fill a new folder, then make it the newest generation and drop the oldest.

        `names` gives the log's names by code: who has none any more is blanked, here as in all generations, so that no
        sweep brings back whom it had read before an erasure.
        """
        self.directory.mkdir(parents=True, exist_ok=True)
        with self._alone():
            draft = Path(tempfile.mkdtemp(prefix=DRAFT, dir=self.directory))
            try:
                write(draft)
                draft.chmod(0o755)
                folder = self._put(draft)
            finally:
                shutil.rmtree(draft, ignore_errors=True)
            pointer = self.directory / f".{CURRENT}-{os.getpid()}"
            pointer.write_text(folder.name + "\n", encoding="utf-8")
            pointer.replace(self.directory / CURRENT)
            for old in self._names()[:-KEPT]:
                shutil.rmtree(self.directory / old, ignore_errors=True)
            self._blank(names(), ())
        self._seen = None
        generation = self.generation(folder.name)
        if generation is None:
            raise FileNotFoundError(
                f"the scoreboard {folder} vanished while it was written; is a second server using {self.directory}?"
            )
        return generation

    def blank(self, names: Sequence[str], others: Collection[int] = ()) -> int:
        """Blank, in every generation, the customers who have no name any more. How many rows that were.

        `names` are the log's names by code, read after the erasure; `others` are codes whose rows are blanked until the
        next sweep, because an erased id once was a part of them. Waits for a generation that is being written.
        """
        if not self.directory.exists():
            return 0
        with self._alone():
            return self._blank(names, others)

    def _blank(self, names: Sequence[str], others: Collection[int]) -> int:
        gone = np.array([*others, *(code for code, name in enumerate(names) if not name)], np.int32)
        return sum(_blanked(self.directory / name, gone, len(names)) for name in self._names())

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Change the files while no other process does, and without what one left that was killed meanwhile."""
        with (self.directory / WRITING).open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            for draft in self.directory.glob(f"{DRAFT}*"):
                shutil.rmtree(draft, ignore_errors=True)
            yield

    def _put(self, draft: Path) -> Path:
        """Move a finished folder to the next name."""
        names = self._names()
        return draft.rename(self.directory / f"{int(names[-1]) + 1 if names else 1:08d}")

    def _names(self) -> list[str]:
        return sorted(each.name for each in self.directory.iterdir() if each.name.isdigit())


def _identity(path: Path) -> tuple[int, int] | None:
    """What tells a file from one that replaces it; None when there is none."""
    try:
        status = path.stat()
    except OSError:
        return None
    return status.st_ino, status.st_mtime_ns


def _blanked(folder: Path, gone: NDArray[np.int32], known: int) -> int:
    """Overwrite, in one generation, the rows of codes that are `gone`, or not below `known`. How many there were."""
    try:
        customers = np.load(folder / CUSTOMERS, mmap_mode="r+")
        rows = np.flatnonzero(np.isin(customers, gone) | (customers >= known))
        if len(rows):
            columns = np.load(folder / COLUMNS, mmap_mode="r+")
            columns[:, rows] = np.nan
            columns.flush()
            customers[rows] = BLANK
            customers.flush()
    except FileNotFoundError:  # dropped meanwhile
        return 0
    return len(rows)
