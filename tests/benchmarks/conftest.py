"""Benchmarks at a small size."""

from __future__ import annotations

import pytest

from benchmarks import shops


@pytest.fixture(autouse=True)
def few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    """The models of a benchmark's shop are grown in a moment: how fast they score is not what a test asks."""
    monkeypatch.setattr(shops, "TREES", 5)
