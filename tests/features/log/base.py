"""What every suite of a store stands on: how the store is opened, and an empty log."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from features.log.contract import EventLog


class StoreSuite(ABC):
    """Inherit, and implement `open`."""

    @abstractmethod
    def open(self, place: Path) -> EventLog:
        """Open the log that lies at `place`, making it when it is missing."""

    @pytest.fixture
    def place(self, tmp_path: Path) -> Path:
        """Where the log lies."""
        return tmp_path / "log.db"

    @pytest.fixture
    def log(self, place: Path) -> Iterator[EventLog]:
        """An empty log."""
        with closing(self.open(place)) as log:
            yield log
