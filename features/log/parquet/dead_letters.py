"""The dead letters of a log of files: each record once, by its source, its position and its bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, replace
from pathlib import Path

import pyarrow as pa

from features.log.contract import DeadLetter
from features.log.parquet import folder
from features.log.parquet.tables import LETTERS, read, table_of, write

FOLDER = "dead_letters"
"""Where they lie in the log."""


def kept(log: Path) -> list[DeadLetter]:
    """All dead letters, oldest first. Those written before letters had numbers are numbered by their place."""
    found: list[DeadLetter] = []
    for path in folder.listed(log, [log / FOLDER]):
        for number, letter in enumerate(read(path).to_pylist(), len(found) + 1):
            found.append(DeadLetter(**{"number": number, **letter}))
    return found


def added(letters: Sequence[DeadLetter], known: Sequence[DeadLetter], newest: int) -> list[DeadLetter]:
    """The letters that are not among those known, each once, with the numbers that follow `newest`."""
    seen = {_identity(letter) for letter in known}
    new: list[DeadLetter] = []
    for letter in letters:
        if _identity(letter) not in seen:
            seen.add(_identity(letter))
            new.append(replace(letter, number=newest + len(new) + 1))
    return new


def add(log: Path, letters: Sequence[DeadLetter], commit: int) -> None:
    """Write letters for `commit`."""
    write(folder.part(log / FOLDER, commit), _table(letters))


def rewrite(log: Path, letters: Sequence[DeadLetter], commit: int) -> None:
    """Write for `commit` that these letters are all there are."""
    write(folder.whole(log / FOLDER, commit), _table(letters))


def _identity(letter: DeadLetter) -> tuple[str, int, bytes]:
    return letter.source, letter.position, letter.raw


def _table(letters: Sequence[DeadLetter]) -> pa.Table:
    return table_of(map(astuple, letters), LETTERS)
