"""What a program asks of other machines, noted by a hook in each of its processes."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from features.telemetry import SETTINGS

HOOK = """
import sys

def note(event, arguments):
    if event in ("socket.connect", "socket.getaddrinfo"):
        host = arguments[1][0] if event == "socket.connect" and isinstance(arguments[1], tuple) else arguments[0]
        if isinstance(host, str) and host not in ("127.0.0.1", "::1", "localhost"):
            with open({file!r}, "a") as file:
                file.write(f"{{event}} {{host}}\\n")

sys.addaudithook(note)
"""


class Outside:
    """Calls of programs that were started with `environment`; the folder is theirs alone."""

    def __init__(self, folder: Path) -> None:
        self._file = folder / "outside.txt"
        self._folder = folder
        (folder / "sitecustomize.py").write_text(HOOK.format(file=str(self._file)))

    def environment(self, **others: str) -> Mapping[str, str]:
        """That of a user who knows nothing of telemetry: nothing in it turns it off, nor says that this is a test."""
        settings = {name for name, _ in SETTINGS}
        kept = {name: value for name, value in os.environ.items() if name not in settings}
        for name in ("CI", "GITHUB_ACTIONS", "PYTEST_CURRENT_TEST"):
            kept.pop(name, None)
        return {**kept, "PYTHONPATH": str(self._folder), **others}

    def calls(self) -> list[str]:
        """What was looked up or connected to beyond this machine."""
        return self._file.read_text().splitlines() if self._file.exists() else []
