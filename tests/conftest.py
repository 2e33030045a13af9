"""What tests of every room may ask for, and which of them `make quick` leaves out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser import launched

SLOW_FIXTURES = {"browser", "postgres", "running", "shop"}
"""Fixtures that start a browser, a database or a server."""

SLOW_IMPORTS = (
    "playwright", "nbclient", "schemathesis", "distributed", "dask",
    "tests.serving.server_process", "tests.serving.clients", "tests.postgres", "tests.worlds", "tests.training",
    "benchmarks", "training.run.pipeline", "training.run.tuning", "waypost.learning",
)  # fmt: skip
"""What a module imports that starts browsers, notebooks, fuzzing, servers or trainings: all of its tests are slow."""

_IMPORT = re.compile(rf"^(?:from|import) +({'|'.join(map(re.escape, SLOW_IMPORTS))})\b", re.MULTILINE)
_FROM_A_ROOM = re.compile(
    r"^from +(?:training\.run|waypost) +import +.*\b(?:pipeline|learning|demonstration)\b", re.MULTILINE
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what starts servers, trainings, notebooks, browsers or fuzzing as slow, and run such files first.

    A long file that begins last would leave the other processes of the suite without work.
    """
    slow = set()
    for item in items:
        if SLOW_FIXTURES & set(getattr(item, "fixturenames", ())) or _is_slow(item.path):
            item.add_marker("slow")
            slow.add(item.path)
    items.sort(key=lambda item: item.path not in slow)


@cache
def _is_slow(path: Path) -> bool:
    text = path.read_text(encoding="utf-8")
    return bool(_IMPORT.search(text) or _FROM_A_ROOM.search(text))


# Playwright keeps an event loop running in this thread, in which `asyncio.run` of a later test would fail: the browser
# ends with the module that asked for it.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, the same for all tests of a module; each takes a page of its own with `browser.new_page()`."""
    with launched() as opened:
        yield opened
