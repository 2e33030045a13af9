"""One server, one web shop and one installation of packages for all clients."""

from __future__ import annotations

import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from serving.access.keys import change_keys, issue
from tests.serving.clients.npm import Node, installed
from tests.serving.clients.shop import KeyedServer
from tests.serving.clients.storefront import Storefront, opened
from tests.serving.conftest import Place
from tests.serving.server_process import Server


@pytest.fixture(scope="package")
def node() -> Node:
    """Node, with the packages of the lock installed."""
    return installed()


@pytest.fixture(scope="package")
def storefront() -> Iterator[Storefront]:
    """A web shop on an origin of its own, which the server allows."""
    with opened() as shop:
        yield shop


@pytest.fixture(scope="package")
def shop(
    tmp_path_factory: pytest.TempPathFactory, champion: Path, stocked: Path, storefront: Storefront
) -> Iterator[KeyedServer]:
    """A server with two workers, ready."""
    folder = tmp_path_factory.mktemp("clients")
    shutil.copy(stocked, folder / "waypost.db")
    now = time.time_ns() // 1000
    (write, writing), (read, reading) = issue("shop", "write", now, None), issue("report", "read", now, None)
    (decide, deciding), (sign, signing) = issue("storefront", "decide", now, None), issue("login", "sign", now, None)
    change_keys(folder / "keys.json", lambda keys: [*keys, write, read, decide, sign])
    environment = Place(folder, champion).environment(
        WAYPOST_SWEEP_SECONDS="0",
        WAYPOST_BUSY_SECONDS="5",
        WAYPOST_KEYS=str(folder / "keys.json"),
        WAYPOST_ALLOWED_ORIGINS=storefront.address,
    )
    server = Server(folder, environment)
    try:
        server.wait()
        yield KeyedServer(server, writing, reading, deciding, signing)
    finally:
        server.stop()
