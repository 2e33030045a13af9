"""The dead letters of a log of files: each record once, by its source, its position and its bytes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, replace
from pathlib import Path

import pyarrow as pa

from features.log.contract import DeadLetter
from features.log.parquet import folder
from features.log.parquet.tables import DEAD_LETTERS, read, table_of, write

FOLDER = "dead_letters"
"""Their folder in the log."""


def kept(log: Path) -> list[DeadLetter]:
    """All dead letters, oldest first. Those written before dead letters had numbers are numbered by their position."""
    dead_letters: list[DeadLetter] = []
    for path in folder.listed(log, [log / FOLDER]):
        for number, letter in enumerate(read(path).to_pylist(), len(dead_letters) + 1):
            dead_letters.append(DeadLetter(**{"number": number, **letter}))
    return dead_letters


def added(dead_letters: Sequence[DeadLetter], known: Sequence[DeadLetter], newest: int) -> list[DeadLetter]:
    """The dead letters that are not among `known`, each once, with the numbers that follow `newest`."""
    seen = {_identity(letter) for letter in known}
    new: list[DeadLetter] = []
    for letter in dead_letters:
        if _identity(letter) not in seen:
            seen.add(_identity(letter))
            new.append(replace(letter, number=newest + len(new) + 1))
    return new


def add(log: Path, dead_letters: Sequence[DeadLetter], commit: int) -> None:
    """Add dead letters in `commit`."""
    write(folder.part(log / FOLDER, commit), _table(dead_letters))


def rewrite(log: Path, dead_letters: Sequence[DeadLetter], commit: int) -> None:
    """Replace all dead letters by these in `commit`."""
    write(folder.whole(log / FOLDER, commit), _table(dead_letters))


def _identity(letter: DeadLetter) -> tuple[str, int, bytes]:
    return letter.source, letter.position, letter.raw


def _table(dead_letters: Sequence[DeadLetter]) -> pa.Table:
    return table_of(map(astuple, dead_letters), DEAD_LETTERS)
