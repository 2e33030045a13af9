"""Names of customers, items and categories, and the codes that stand for them in a log."""

from __future__ import annotations

from typing import Protocol


class Vocabulary(Protocol):
    """The names of one namespace (customers, items or categories) and their codes: 0, 1, 2... in order of arrival.

    Names are only ever added. A name that was erased leaves its code unused for ever; when the same name comes
    back, it gets a new code.
    """

    def code(self, name: str) -> int | None:
        """The code of `name`, None when the log has never seen it (or has erased it)."""
        ...

    def name(self, code: int) -> str:
        """The name behind `code`. Raises LookupError when no name has this code, or when it was erased."""
        ...

    def names(self) -> list[str]:
        """Every name, at the index of its code; an empty string where a name was erased. Reads the whole vocabulary."""
        ...
