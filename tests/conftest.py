"""What tests of every room may ask for."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from tests.browser import launched


# Playwright keeps an event loop running in this thread, in which `asyncio.run` of a later test would fail: the browser
# ends with the module that asked for it.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium, the same for all tests of a module; each takes a page of its own with `browser.new_page()`."""
    with launched() as opened:
        yield opened
