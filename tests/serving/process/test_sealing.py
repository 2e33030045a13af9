"""When the server looks after a history, and what it says of an object store that fails."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import cast

import pytest

from features.log.contract import DatabaseLog, HistoryUnreachable, LogBusy
from serving.process import sealing
from serving.process.sealing import Sealing


class Keeping:
    """A history that notes what is asked of it, and raises what it is given to raise."""

    folder = Path("history")

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.error: Exception | None = None

    def look(self) -> None:
        """Note it."""
        self.asked.append("look")

    def seal(self, before: int, *, least: int = 1) -> int:
        """Seal one event."""
        self.asked.append(f"seal {before}")
        if self.error:
            raise self.error
        return 1

    def compact(self) -> int:
        """Note it."""
        self.asked.append("compact")
        return 0


class Log:
    """A log that has events to seal when it is `full`, and nothing in its history."""

    def __init__(self, keeping: Keeping, *, full: bool = True) -> None:
        self.keeping = keeping
        self.full = full

    def has_unsealed(self, before: int, least: int) -> bool:
        """As it was told."""
        return self.full

    def segments(self) -> None:
        """No history."""


def log_of(keeping: Keeping, *, full: bool = True) -> DatabaseLog:
    return cast("DatabaseLog", Log(keeping, full=full))


def test_nothing_is_asked_of_the_history_of_a_log_that_is_young() -> None:
    keeping = Keeping()
    assert not Sealing(5, lambda: 100).round(lambda: log_of(keeping, full=False))
    assert keeping.asked == []


@pytest.mark.parametrize(
    ("age", "copies", "asked"),
    [
        (0, False, []),
        (0, True, ["look"]),
        (5, False, ["seal 95", "compact"]),
        (5, True, ["look", "seal 95", "compact"]),
    ],
)
def test_copies_are_looked_after_whether_events_are_sealed_or_not(age: int, copies: bool, asked: list[str]) -> None:
    keeping = Keeping()
    assert Sealing(age, lambda: 100, copies=copies).round(lambda: log_of(keeping)) == (age > 0)
    assert keeping.asked == asked


def test_a_store_that_fails_is_logged_once_and_asked_again(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sealing, "IDLE_SECONDS", 0.0)
    monkeypatch.setattr(sealing, "PAUSE_SECONDS", 0.0)
    keeping, sealed = Keeping(), Sealing(5, lambda: 100)
    with caplog.at_level(logging.WARNING, "waypost"):
        for error in (HistoryUnreachable("no route"), HistoryUnreachable("no route"), LogBusy("an import"), None):
            keeping.error = error
            assert sealed.round(lambda: log_of(keeping)) == (error is None)
    assert caplog.messages == ["no route", "the object store of the history works again"]
