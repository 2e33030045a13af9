"""The server whose workers accept as the framework has them: a peer of the server that shares connections evenly."""

from __future__ import annotations

import asyncio
from pathlib import Path

from serving.process import connections


def _as_the_framework_does(loop: asyncio.AbstractEventLoop, folder: Path) -> None:
    """In the place of `share_evenly`: leave the loop as it is."""


connections.share_evenly = _as_the_framework_does

from serving.service import Waypost  # noqa: E402  (the workers ask for `share_evenly` when they start)

__all__ = ["Waypost"]
