"""Processes are killed while they move events between the database and its history: a few rounds of the benchmark."""

from __future__ import annotations

from itertools import count
from pathlib import Path

import pytest

from benchmarks import kills
from benchmarks.kills_steps import write_files

pytestmark = pytest.mark.slow


def test_what_was_acknowledged_is_there_once_and_what_was_erased_is_nowhere(tmp_path: Path) -> None:
    numbers = count()
    write_files(tmp_path / "files", 1)
    (tmp_path / "stores").mkdir()
    damage = kills.torment(lambda: f"sqlite:///{tmp_path}/stores/log-{next(numbers)}.db", tmp_path / "files", 4, 1)
    assert (damage.lost, damage.twice, damage.mismatches, damage.remnants, damage.wrong) == (0, 0, 0, 0, [])
    assert damage.killed.total() >= 3
