"""A small shop in a store of its own for each test, and a client of the application over it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from prometheus_client import make_asgi_app
from starlette.testclient import TestClient
from starlette.types import Receive, Scope, Send

from features.fold.fold import Fold
from features.journey import JOURNEY
from models.bundle.loaded import Champions
from serving.engine.engine import Engine
from serving.engine.state import open_states
from serving.http.app import application
from serving.http.routes import ROUTES
from serving.process.worker import Worker
from serving.settings import read_settings
from tests.serving.shop import save_bundle, shop

NOW = 1_780_000_000_000_000
"""The moment of the tests: 28 May 2026, 20:26:40 UTC."""


@dataclass
class Place:
    """Folders of one server, and the moment on its clock."""

    folder: Path
    champion: Path
    now: int = NOW

    @property
    def store(self) -> str:
        """URL of the store."""
        return f"sqlite:///{self.folder / 'waypost.db'}"

    @property
    def keys(self) -> Path:
        """The file of keys."""
        return self.folder / "keys.json"

    def environment(self, **others: str) -> dict[str, str]:
        """Environment of a server at this place: with the keys that were made there, and without keys otherwise."""
        return {
            "WAYPOST_STORE": self.store,
            "WAYPOST_BUNDLE": str(self.champion),
            "WAYPOST_SCOREBOARD": str(self.folder / "scoreboard"),
            "WAYPOST_BUSY_SECONDS": "0.2",
            "WAYPOST_KEYS": str(self.keys) if self.keys.exists() else "none",
            **others,
        }

    def engine(self, fold: Fold = JOURNEY) -> Engine:
        """An engine over the store."""
        champions = Champions(self.champion, fold)
        champions.refresh()
        return Engine(open_states(self.store, fold, busy_seconds=0.2), fold, champions)


@pytest.fixture(scope="session")
def champion(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle for the running fold."""
    return save_bundle(tmp_path_factory.mktemp("bundle") / "champion", JOURNEY)


@pytest.fixture(scope="session")
def stocked(tmp_path_factory: pytest.TempPathFactory, champion: Path) -> Path:
    """A closed store that holds the shop's history and every customer's state, so that no server makes them again."""
    place = Place(tmp_path_factory.mktemp("stocked"), champion)
    engine = place.engine()
    engine.states.log.append(shop(NOW), history=True)
    engine.states.heal()
    engine.states.close()
    return place.folder / "waypost.db"


@pytest.fixture
def place(tmp_path: Path, champion: Path, stocked: Path) -> Place:
    """A place whose store holds the shop's history."""
    shutil.copy(stocked, tmp_path / "waypost.db")
    return Place(tmp_path, champion)


@pytest.fixture
def engine(place: Place) -> Iterator[Engine]:
    """An engine over the shop."""
    opened = place.engine()
    yield opened
    opened.states.close()


@pytest.fixture
def client(place: Place) -> Iterator[TestClient]:
    """A client of the application over the shop; nothing is swept but on demand."""
    with serve(place) as opened:
        yield opened


def serve(place: Place, client: str = "127.0.0.1", host: str = "127.0.0.1", **environment: str) -> TestClient:
    """A client at the address `client` that opens a worker at `place`, reached as `host`, when entered."""
    settings = read_settings(place.environment(**{"WAYPOST_SWEEP_SECONDS": "0", **environment}))
    worker = Worker(settings, JOURNEY, lambda: place.now)
    answers = application(worker, ROUTES, make_asgi_app())

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await answers(scope, receive, send)
            return
        await receive()
        await worker.open()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await worker.close()
        await send({"type": "lifespan.shutdown.complete"})

    return TestClient(app, base_url=f"http://{host}", client=(client, 50_000), raise_server_exceptions=True)
