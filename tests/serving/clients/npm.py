"""The packages of `node/package-lock.json`, installed once for all tests that need them.

Where node or npm is missing, or the packages cannot be had, such tests are skipped and say so; with
`WAYPOST_TEST_NODE=1` they fail instead.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import pytest

FOLDER = Path(__file__).with_name("node")
MODULES = FOLDER / "node_modules"
_INSTALLED = MODULES / ".package-lock.json"
_LOCK = FOLDER / "package-lock.json"


@dataclass(frozen=True)
class Node:
    """The command `node`, in a folder with the packages installed."""

    command: str

    def run(self, *arguments: str, cwd: Path = FOLDER, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run a script, or a tool of a package by its path."""
        return subprocess.run(
            [self.command, *arguments],
            cwd=cwd,
            env={**os.environ, **environment},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


def installed() -> Node:
    """Node with the packages of the lock; skips or fails where that cannot be."""
    command = shutil.which("node")
    if command is None or shutil.which("npm") is None:
        _missing("node or npm is missing; on Debian and Ubuntu: apt install nodejs npm")
    with (FOLDER / ".npmrc").open() as file:
        fcntl.flock(file, fcntl.LOCK_EX)  # tests run in several processes, and the first installs for all
        if not _INSTALLED.exists() or _INSTALLED.stat().st_mtime < _LOCK.stat().st_mtime:
            _install()
    return Node(command)


def _install() -> None:
    try:
        done = subprocess.run(["npm", "ci"], cwd=FOLDER, capture_output=True, text=True, timeout=120, check=False)
        fault = done.stderr.strip() if done.returncode else ""
    except subprocess.TimeoutExpired:
        fault = "it took longer than 120 s"
    if fault:
        _missing(f"npm could not install the clients ({fault[-200:]}); run: npm ci --prefix {FOLDER.name}")


def _missing(reason: str) -> NoReturn:
    """Fail where Node is demanded, else skip and say why."""
    if os.environ.get("WAYPOST_TEST_NODE") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
