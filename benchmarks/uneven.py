"""The server with the framework's way of accepting connections: a peer of the server that shares them evenly."""

from __future__ import annotations

import asyncio
from pathlib import Path

from serving.process import connections


def _as_the_framework_does(loop: asyncio.AbstractEventLoop, folder: Path) -> None:
    """A replacement of `share_evenly` that leaves the loop as it is."""


connections.share_evenly = _as_the_framework_does

from serving.service import Waypost  # noqa: E402  (the workers ask for `share_evenly` when they start)

__all__ = ["Waypost"]
