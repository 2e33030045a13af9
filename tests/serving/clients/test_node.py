"""@segment/analytics-node against a real server, through a network that fails.

Needs node and npm. Where they are missing, or the packages cannot be had, the tests are skipped and say so; with
`WAYPOST_TEST_NODE=1` they fail instead.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import NoReturn

import pytest

from tests.serving.clients.proxy import Fault, FaultyProxy
from tests.serving.clients.shop import FAULTS, MESSAGES, KeyedServer

FOLDER = Path(__file__).with_name("node")
INSTALLED = FOLDER / "node_modules" / ".package-lock.json"


def missing(reason: str) -> NoReturn:
    """Fail where Node is demanded, else skip and say why."""
    if os.environ.get("WAYPOST_TEST_NODE") == "1":
        pytest.fail(reason)
    pytest.skip(reason)


@pytest.fixture(scope="module")
def node() -> str:
    """The command `node`, with the packages of the lock installed."""
    command = shutil.which("node")
    if command is None or shutil.which("npm") is None:
        missing("node or npm is missing; on Debian and Ubuntu: apt install nodejs npm")
    if not INSTALLED.exists() or INSTALLED.stat().st_mtime < (FOLDER / "package-lock.json").stat().st_mtime:
        try:
            done = subprocess.run(["npm", "ci"], cwd=FOLDER, capture_output=True, text=True, timeout=120, check=False)
            fault = done.stderr.strip() if done.returncode else ""
        except subprocess.TimeoutExpired:
            fault = "it took longer than 120 s"
        if fault:
            missing(f"npm could not install the clients ({fault[-200:]}); run: npm ci --prefix {FOLDER.name}")
    return command


def test_every_call_lands_once_whatever_happens_on_the_way(shop: KeyedServer, node: str) -> None:
    def run(fault: Fault) -> None:
        user = f"node-{fault}"
        with FaultyProxy(shop.server.port, fault) as proxy:
            environment = {**os.environ, "HOST": proxy.address, "KEY": shop.write, "CUSTOMER": user}
            command = [node, "send.mjs"]
            done = subprocess.run(
                command, cwd=FOLDER, env=environment, capture_output=True, text=True, timeout=60, check=False
            )
        assert (done.returncode, done.stderr) == (0, "")
        assert json.loads(done.stdout) == []
        assert proxy.statuses[-1] == 200
        assert (proxy.statuses[0] == 200) == (fault == "pass")
        assert shop.kinds(user) == MESSAGES, fault

    with ThreadPoolExecutor(len(FAULTS)) as pool:
        list(pool.map(run, FAULTS))


def test_a_wrong_key_is_told_and_not_sent_again(shop: KeyedServer, node: str) -> None:
    with FaultyProxy(shop.server.port) as proxy:
        environment = {**os.environ, "HOST": proxy.address, "KEY": "WK123", "CUSTOMER": "nobody"}
        done = subprocess.run(
            [node, "send.mjs"], cwd=FOLDER, env=environment, capture_output=True, text=True, timeout=60, check=False
        )
    assert done.returncode == 0
    assert json.loads(done.stdout)
    assert set(proxy.statuses) == {401}
