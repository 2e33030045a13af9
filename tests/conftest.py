"""What tests of every room may ask for, and which of them `make quick` leaves out."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.examples import register_profiles

if TYPE_CHECKING:
    from playwright.sync_api import Browser

SLOW_FIXTURES = {"browser", "postgres", "running", "shop"}
"""Fixtures that start a browser, a database or a server."""

SLOW_IMPORTS = (
    "playwright", "nbclient", "schemathesis", "distributed", "dask",
    "tests.serving.server_process", "tests.serving.clients", "tests.postgres", "tests.worlds", "tests.training",
    "tests.always", "benchmarks", "training.run.pipeline", "training.run.plots", "training.run.tuning",
    "waypost.learning", "subprocess", "multiprocessing",
)  # fmt: skip
"""What a module imports that starts browsers, notebooks, fuzzing, servers, trainings or any process: all of its tests
are slow, as they are where it says `pytestmark = pytest.mark.slow`."""

_IMPORT = re.compile(rf"^(?:from|import) +({'|'.join(map(re.escape, SLOW_IMPORTS))})\b", re.MULTILINE)
_FROM_A_ROOM = re.compile(
    r"^from +(?:training\.run|waypost) +import +.*\b(?:pipeline|learning|demonstration)\b", re.MULTILINE
)
_MARKED = re.compile(r"^pytestmark = pytest\.mark\.slow$", re.MULTILINE)

register_profiles()


@pytest.fixture(scope="session", autouse=True)
def histories_of_databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Histories of PostgreSQL logs that no folder is named for do not lie in the checkout."""
    from features.log.postgres import folder

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(folder, "UNNAMED", str(tmp_path_factory.mktemp("histories")))
        yield


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave a slow file out before it is imported where no slow test is asked for: its imports take their time, too."""
    if config.option.markexpr != "not slow" or not collection_path.match("test_*.py"):
        return None
    return _is_slow(collection_path) or None


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
    return any(found.search(text) for found in (_IMPORT, _FROM_A_ROOM, _MARKED))


# Playwright keeps an event loop running in this thread, in which `asyncio.run` of a later test would fail: the browser
# ends with the module that asked for it.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, the same for all tests of a module; each takes a page of its own with `browser.new_page()`."""
    from tests.browser import launched

    with launched() as opened:
        yield opened
