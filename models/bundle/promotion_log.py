"""The promotion log: which bundle each alias named, since when, who moved it and why.

One line of JSON for every move, only ever appended, and on disk before the move is reported as done. It answers
"what was live at time T" without asking a registry, and lists the versions to go back to.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, BinaryIO, Literal, get_args

from features.files import alone, synchronise
from models.bundle.bundle import BundleError

Alias = Literal["champion", "challenger", "shadow"]
By = Literal["train", "retrain", "recalibrate", "promote", "rollback", "hand"]

CHAMPION: Alias = "champion"
"""The bundle that answers."""
CHALLENGER: Alias = "challenger"
"""The newest bundle that was trained and not made champion."""
SHADOW: Alias = "shadow"
"""The bundle that scores beside the champion and never answers."""
ALIASES: tuple[Alias, ...] = get_args(Alias)


class DamagedPromotions(BundleError):
    """A line of the promotion log cannot be read."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Who moves an alias, and why, in words. `hand` means that someone copied a bundle without the commands."""

    by: By
    reason: str


@dataclass(frozen=True, slots=True)
class Move:
    """From `at` (microseconds UTC) on, `alias` names the bundle `version`; before, `previous` (empty: nothing).

    `targets` says, for a bundle just trained, which tier answers each target and recommendations, and why no better
    one does.
    """

    at: int
    alias: Alias
    version: str
    previous: str
    by: By
    reason: str
    targets: Mapping[str, str] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """The move as JSON values."""
        return {**asdict(self), "targets": dict(self.targets)}

    @classmethod
    def from_json(cls, fields: Mapping[str, Any]) -> Move:
        """The move written by `to_json`; KeyError, TypeError or ValueError for anything else."""
        move = cls(**fields)
        if move.alias not in ALIASES or move.by not in get_args(By) or not isinstance(move.at, int):
            raise ValueError(f"alias {move.alias!r}, by {move.by!r}, at {move.at!r}")
        if not isinstance(move.targets, dict):
            raise TypeError(f"targets {move.targets!r}")
        return move


def live_at(moves: Sequence[Move], at: int, alias: Alias = CHAMPION) -> Move | None:
    """The move that was in force for `alias` at the time `at`; None where it named nothing yet."""
    return next((move for move in reversed(moves) if move.alias == alias and move.at <= at), None)


def named(moves: Sequence[Move]) -> dict[Alias, str]:
    """The version that each alias names after all moves; aliases that name nothing have no entry."""
    return {move.alias: move.version for move in moves}


def fallbacks(moves: Sequence[Move]) -> list[str]:
    """Versions to go back to from the champion, the latest first.

    These are earlier champions that were not rolled back since they last became champion. A recalibrated champion
    replaces the one it was made of: both have the same models, so going back to that one would change nothing.
    """
    stack: list[str] = []
    for move in moves:
        if move.alias != CHAMPION:
            continue
        if move.by == "rollback" and move.version in stack:
            del stack[stack.index(move.version) + 1 :]
        elif move.by == "recalibrate":
            stack = [version for version in stack[:-1] if version != move.version] + [move.version]
        else:
            stack = [version for version in stack if version != move.version] + [move.version]
    return stack[-2::-1]


def aliases_of(version: str, moves: Sequence[Move]) -> list[Alias]:
    """The aliases that name this version after all moves."""
    now = named(moves)
    return [alias for alias in ALIASES if now.get(alias) == version]


class Promotions:
    """The promotion log in one file."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def moves(self) -> list[Move]:
        """All moves, oldest first; their times never fall. Raises `DamagedPromotions`.

        A last line that a crash cut off is not a move.
        """
        try:
            content = self.path.read_bytes()
        except FileNotFoundError:
            return []
        return [self._read(number, line) for number, line in enumerate(content.split(b"\n")[:-1], start=1)]

    @contextmanager
    def writing(self) -> Iterator[Callable[[Move], Move]]:
        """Hold the writer's lock, and give a function that appends a move and returns it as written.

        Where the clock was set back, a move gets the time of the move before it, so that times never fall.
        """
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with alone(self.path.with_name(f".{self.path.name}.lock")), self.path.open("ab") as file:
            synchronise(self.path.parent)
            file.truncate(_finished(self.path.read_bytes()))
            yield lambda move: self._append(file, move)

    def _append(self, file: BinaryIO, move: Move) -> Move:
        before = self.moves()
        move = replace(move, at=max(move.at, before[-1].at)) if before else move
        file.write(json.dumps(move.to_json(), allow_nan=False).encode() + b"\n")
        file.flush()
        os.fsync(file.fileno())
        return move

    def _read(self, number: int, line: bytes) -> Move:
        try:
            return Move.from_json(json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise DamagedPromotions(
                f"Line {number} of the promotion log {self.path} is damaged ({type(error).__name__}: {error}); "
                "expected a move as JSON. Restore the file from a backup, or move it away to begin a new one."
            ) from error


def _finished(content: bytes) -> int:
    """Bytes up to the end of the last finished line."""
    return content.rfind(b"\n") + 1
