"""The savepoints of nested transactions: one is made only where something was written since the last one."""

from __future__ import annotations

from typing import NamedTuple

OUTERMOST = "level_0"
"""The savepoint that the outermost transaction begins with."""


class Undoing(NamedTuple):
    """How a transaction is undone: back to a savepoint, which is its own or that of a transaction around it."""

    savepoint: str
    own: bool


class Savepoints:
    """The savepoint of each open transaction, the outermost first.

    A transaction that begins where nothing was written since the last savepoint shares it, because a rollback to it
    undoes the same. So the usual nested transactions cost nothing.
    """

    def __init__(self) -> None:
        self._names: list[str] = []
        self._clean = True
        """Whether nothing was written since the last savepoint."""

    @property
    def depth(self) -> int:
        """How many transactions are open."""
        return len(self._names)

    def begin_outermost(self) -> None:
        """Note that the outermost transaction has begun, with the savepoint `OUTERMOST`."""
        self._names, self._clean = [OUTERMOST], True

    def begin(self) -> str | None:
        """Begin a nested transaction. Returns the name of the savepoint to make for it, None when it needs none."""
        if self._clean:
            self._names.append(self._names[-1])
            return None
        self._names.append(f"level_{self.depth}")
        self._clean = True
        return self._names[-1]

    def written(self) -> None:
        """Note that something was written, or will be before anything else."""
        self._clean = False

    def end(self) -> str | None:
        """Commit the innermost transaction. Returns the savepoint to release, None when it is another transaction's."""
        name = self._names.pop()
        if not self._names or name == self._names[-1]:
            return None
        self._clean = False
        return name

    def undo(self) -> Undoing:
        """Roll back the innermost transaction, which is not the outermost."""
        name = self._names.pop()
        own = name != self._names[-1]
        self._clean = not own
        return Undoing(name, own)

    def lose(self) -> None:
        """Note that all transactions are over."""
        self._names.clear()
