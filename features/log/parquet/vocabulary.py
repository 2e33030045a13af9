"""The vocabulary of a log in a folder: files of names and codes, all of them in memory."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from features.events import NO_CODE
from features.log.parquet import folder

Names = Sequence[str | None]
"""Names in the order of their codes; None where one was erased."""


class FolderVocabulary:
    """Names and codes of one folder of files. See `features.log.contract.Vocabulary`.

    `read` gives the names that a file holds, `write` puts names, of which the first has the code given, into a file.
    """

    def __init__(
        self, log: Path, namespace: str, read: Callable[[Path], Names], write: Callable[[Path, Names, int], None]
    ) -> None:
        self._log = log
        self._folder = log / namespace
        self._read = read
        self._write = write
        self._names: list[str | None] = []
        self._codes: dict[str, int] = {}
        self._added: list[str] = []
        self._erased: list[int] = []
        self._commit = 0

    def code(self, name: str) -> int | None:
        """The code of `name`, None when the log has never seen it.

        After an erasure by another process, the old code is given until this one's next write or `refresh`.
        """
        if name not in self._codes:
            self.refresh()
        return self._codes.get(name)

    def name(self, code: int) -> str:
        """The name behind `code`. Raises LookupError when no name has this code, or when it was erased."""
        if code >= len(self._names):
            self.refresh()
        name = self._names[code] if 0 <= code < len(self._names) else None
        if name is None:
            raise LookupError(f"no name in {self._folder} has the code {code}")
        return name

    def names(self) -> list[str]:
        """Every name, at the index of its code; an empty string where a name was erased."""
        self.refresh()
        return [name or "" for name in self._names]

    def refresh(self) -> None:
        """Bring memory up to date with the log, without anything that is not committed."""
        self._added, self._erased = [], []
        commit = folder.load(self._log).commit
        if self._commit != commit:
            self._names = [name for path in folder.listed(self._log, [self._folder]) for name in self._read(path)]
            self._codes = {name: code for code, name in enumerate(self._names) if name is not None}
            self._commit = commit

    def intern(self, names: Names, commit: int) -> list[int]:
        """The code of each name, `NO_CODE` for None; unknown names get the next codes and are written for `commit`."""
        self._added = [name for name in dict.fromkeys(names) if name is not None and name not in self._codes]
        if self._added:
            self._write(folder.part(self._folder, commit), self._added, len(self._names))
        fresh = {name: code for code, name in enumerate(self._added, len(self._names))}
        return [NO_CODE if name is None else fresh[name] if name in fresh else self._codes[name] for name in names]

    def erase(self, codes: Sequence[int], commit: int) -> None:
        """Write all names for `commit`, without those behind `codes`."""
        names = [None if at in codes else name for at, name in enumerate(self._names)]
        self._write(folder.whole(self._folder, commit), names, 0)
        self._erased = list(codes)

    def committed(self, commit: int) -> None:
        """Take over into memory what `intern` and `erase` wrote, now that it is part of the log."""
        for code in self._erased:
            self._codes.pop(self._names[code] or "", None)
            self._names[code] = None
        self._codes.update((name, code) for code, name in enumerate(self._added, len(self._names)))
        self._names += self._added
        self._added, self._erased = [], []
        self._commit = commit
