"""The history of a log that keeps all events in the database."""

from __future__ import annotations


class NothingSealed:
    """Seals nothing."""

    def seal(self, before: int, *, least: int = 1) -> int:
        """Move nothing."""
        return 0

    def compact(self) -> int:
        """Write nothing."""
        return 0
