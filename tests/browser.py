"""Chromium for the tests of pages and browser clients: the fixture `browser`, and how a test is refused without one.

    WAYPOST_TEST_BROWSER=1 make test

Without a Chromium on the path such tests are skipped and say so; with the variable, which `.ci/run` sets, they fail
instead. Playwright's own download is never used: the system's Chromium is.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, sync_playwright

VARIABLE = "WAYPOST_TEST_BROWSER"
COMMANDS = ("chromium", "chromium-browser", "google-chrome-stable", "google-chrome")
OPTIONS = (
    "--no-sandbox",  # Chromium refuses to run as root otherwise, and pages of tests are our own
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def _missing(reason: str) -> NoReturn:
    """Fail where a browser is demanded, else skip and say why."""
    if os.environ.get(VARIABLE) == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@contextmanager
def launched() -> Iterator[Browser]:
    """A Chromium without a window, until the end of the block."""
    found = next((path for path in map(shutil.which, COMMANDS) if path), None)
    if found is None:
        _missing(f"none of {', '.join(COMMANDS)} is installed; on Debian and Ubuntu: apt install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=found, args=list(OPTIONS))
        try:
            yield browser
        finally:
            browser.close()


def violations(page: Page) -> list[str]:
    """What axe-core objects to: its rule and the element."""
    found = Axe().run(page, options={"resultTypes": ["violations"]}).response["violations"]
    return [f"{rule['id']}: {node['html'][:120]}" for rule in found for node in rule["nodes"]]
