"""Bundles swapped under load: no request fails, and every answer is of exactly one bundle."""

from __future__ import annotations

import itertools
import shutil
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event as Flag
from typing import Any

import httpx2
import numpy as np
import pytest

from features.events import DAY, days
from features.journey import JOURNEY
from models.bundle.bundle import Bundle
from models.bundle.governance import Governance
from models.bundle.loaded import Champions
from models.bundle.promotion_log import Cause
from serving.engine.engine import Engine
from serving.engine.scoreboard import Scoreboard
from serving.engine.state import open_states
from tests.serving.conftest import NOW, Place, serve
from tests.serving.server_process import Server
from tests.serving.shop import bundle, customer

SWAPS = 3
SWAP_SECONDS = 1.3
"""A worker looks for another bundle once a second."""
SHIFT_DAYS = NOW / DAY - time.time_ns() / 1000 / DAY
"""What makes the shop's last day today."""
SCORED = [[customer(number), customer(number + 1), customer(number + 2)] for number in range(0, 60, 3)]
DECIDED = [customer(number) for number in range(100, 120)]


def clock() -> int:
    """The server's clock."""
    return time.time_ns() // 1000 + days(SHIFT_DAYS)


@dataclass
class Load:
    """What was answered under load: answers to scores, with the customers asked for; to decisions; and failures."""

    scores: list[dict[str, Any]] = field(default_factory=list)
    decisions: list[dict[str, Any]] = field(default_factory=list)
    failures: list[str] = field(default_factory=list)
    done: Flag = field(default_factory=Flag)


@pytest.fixture(scope="module")
def made() -> list[Bundle]:
    """Two bundles that say different things."""
    return [bundle(JOURNEY, rounds=20, seed=1), bundle(JOURNEY, rounds=8, seed=2)]


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory, stocked: Path) -> Place:
    """A place whose store holds the shop's history, and whose champion changes."""
    folder = tmp_path_factory.mktemp("swapped")
    shutil.copy(stocked, folder / "waypost.db")
    return Place(folder, folder / "champion")


@pytest.fixture(scope="module")
def governance(place: Place, made: list[Bundle]) -> Governance:
    """The first of the two answers."""
    governed = Governance(place.champion, JOURNEY, clock)
    governed.install(made[0], champion=True, cause=Cause("train", "first"))
    return governed


@pytest.fixture(scope="module")
def server(place: Place, governance: Governance) -> Iterator[Server]:
    """A server with two workers, ready."""
    settings = {"SWEEP_SECONDS": 0.2, "BUSY_SECONDS": 5, "SHADOW_SHARE": 1, "CLOCK_SHIFT_DAYS": SHIFT_DAYS}
    running = Server(
        place.folder, place.environment(**{f"WAYPOST_{name}": str(each) for name, each in settings.items()})
    )
    try:
        running.wait()
        yield running
    finally:
        code = running.stop()
    assert code == 0


@pytest.fixture(scope="module")
def load(server: Server, governance: Governance, made: list[Bundle]) -> Load:
    """Answers of a server that is asked all the time, while its bundles are swapped back and forth."""
    load = Load()
    with ThreadPoolExecutor(3) as pool:
        asking = [pool.submit(ask, server, load, number) for number in range(3)]
        for number in range(1, SWAPS + 1):
            time.sleep(SWAP_SECONDS)
            governance.install(made[number % 2], champion=True, cause=Cause("retrain", f"swap {number}"))
        time.sleep(SWAP_SECONDS)
        load.done.set()
        for each in asking:
            each.result()
    return load


def ask(server: Server, load: Load, number: int) -> None:
    """Ask for scores and decisions until the load is done."""
    with httpx2.Client(base_url=server.address, timeout=20) as client:
        for turn in itertools.count(number):
            if load.done.is_set():
                return
            asked = SCORED[turn % len(SCORED)]
            keep(load, load.scores, client.post("/v1/scores", json={"customers": asked}))
            if turn % 5 == number:
                who = DECIDED[turn % len(DECIDED)]
                keep(load, load.decisions, client.post("/v1/next-best-action", json={"customer": who}))


def keep(load: Load, answers: list[dict[str, Any]], response: httpx2.Response) -> None:
    """Keep an answer, or why there is none."""
    if response.status_code == 200:
        answers.append(response.json())
    else:
        load.failures.append(f"{response.status_code} {response.text}")


def engine_with(place: Place, store: Path, which: Path) -> Engine:
    """An engine over a store, with one bundle."""
    champions = Champions(which, JOURNEY)
    champions.refresh()
    return Engine(open_states(f"sqlite:///{store}", JOURNEY, 5), JOURNEY, champions)


def micros(text: str) -> int:
    """A moment of an answer in microseconds."""
    return (datetime.fromisoformat(text) - datetime.fromtimestamp(0, UTC)) // timedelta(microseconds=1)


def test_no_request_fails(load: Load) -> None:
    assert load.failures == []
    assert len(load.scores) > 200 and len(load.decisions) > 20


def test_every_score_is_of_the_bundle_it_names(
    load: Load, place: Place, governance: Governance, stocked: Path, tmp_path: Path, made: list[Bundle]
) -> None:
    """Recomputed from the log alone, with the bundle of that version out of the archive."""
    engines = {}
    for each in made:
        shutil.copy(stocked, tmp_path / f"{each.version}.db")
        engines[each.version] = engine_with(
            place, tmp_path / f"{each.version}.db", governance.archive.place(each.version)
        )
    assert {answer["model"]["version"] for answer in load.scores} == set(engines)
    compared = 0
    for answer in load.scores:
        engine = engines[answer["model"]["version"]]
        for result in answer["results"]:
            again = engine.score(result["customer"], micros(answer["as_of"]))
            for target, score in result["scores"].items():
                assert score["probability"] == again.probabilities.get(target)
                compared += score["probability"] is not None
                assert score["base_rate"] == again.champion.base_rates[target]  # type: ignore[union-attr]
    assert compared > 200
    for engine in engines.values():
        engine.states.close()


def test_every_decision_is_in_the_log_with_the_bundle_that_made_it(
    load: Load, place: Place, made: list[Bundle]
) -> None:
    log = place.engine().states.log
    decided = {event.message_id: event for who in DECIDED for event in log.events(who, 1_000)}
    assert {answer["model"]["version"] for answer in load.decisions} == {each.version for each in made}
    for answer in load.decisions:
        told = decided[answer["decision_id"]].properties
        assert told["model_version"] == answer["model"]["version"]
        assert told["propensities"] == answer["propensities"]
    log.close()


def test_no_answer_is_of_a_bundle_that_was_not_live_yet(load: Load, governance: Governance) -> None:
    moves = governance.promotions.moves()
    assert len(moves) == SWAPS + 1
    for answer in load.scores:
        until = [move.version for move in moves if move.at <= micros(answer["as_of"])]
        assert answer["model"]["version"] in until


def test_a_sweep_is_of_one_bundle(load: Load, server: Server, place: Place, made: list[Bundle]) -> None:
    scoreboard = Scoreboard(place.folder / "scoreboard", JOURNEY.fingerprint)
    generation = scoreboard.current()
    assert generation is not None
    by_version = {each.version: each for each in made}
    swept = by_version[generation.report["model_version"]]
    features = np.stack([generation.columns[name] for name in JOURNEY.names], axis=1)
    for target, scorer in swept.scorers.items():
        given = generation.columns[target]
        asked = ~np.isnan(given)
        assert asked.sum() > 50
        again = scorer.score_many(np.ascontiguousarray(features[asked])).astype(np.float32)
        assert given[asked].tobytes() == again.tobytes()


def test_a_corrupt_bundle_is_refused_told_and_rolled_back(
    load: Load, server: Server, governance: Governance, made: list[Bundle]
) -> None:
    def metrics(name: str) -> dict[str, float]:
        lines = httpx2.get(f"{server.address}/metrics", timeout=20).text.splitlines()
        return {line: float(line.split()[-1]) for line in lines if line.startswith(name)}

    def gauge() -> float:
        return max(metrics("waypost_bundle_refused").values())

    def model() -> str:
        return str(httpx2.get(f"{server.address}/readyz", timeout=20).json()["checks"]["model"])

    def until(refused: bool) -> None:
        for _ in range(100):
            if gauge() == float(refused) and ("is damaged" in model()) == refused:
                return
            time.sleep(0.1)
        raise TimeoutError(f"{gauge()} {model()}")

    until(refused=False)
    good = governance.promotions.moves()[-1].version
    for line, value in metrics("waypost_model_info").items():
        assert value == (f'version="{good}"' in line), line
    broken = governance.places["champion"] / "recommender.npz"
    broken.write_bytes(broken.read_bytes()[:-1])
    until(refused=True)
    ready = httpx2.get(f"{server.address}/readyz", timeout=20)
    assert ready.status_code == 200 and good in ready.text
    answer = httpx2.post(f"{server.address}/v1/scores", json={"customer": customer(1)}, timeout=20)
    assert answer.json()["model"]["version"] == good
    assert governance.restore("the bundle is damaged").version == good
    until(refused=False)


def test_a_server_that_is_started_again_goes_on_with_the_archived_copy(
    tmp_path: Path, stocked: Path, made: list[Bundle]
) -> None:
    shutil.copy(stocked, tmp_path / "waypost.db")
    place = Place(tmp_path, tmp_path / "champion")
    governed = Governance(place.champion, JOURNEY, lambda: NOW)
    governed.install(made[0], champion=True, cause=Cause("train", "first"))
    (place.champion / "recommender.npz").write_bytes(b"nonsense")
    with serve(place) as client:
        ready = client.get("/readyz")
        assert ready.status_code == 200 and "is damaged" in ready.json()["checks"]["model"]["detail"]
        assert client.post("/v1/scores", json={"customer": customer(1)}).json()["model"]["version"] == made[0].version
    shutil.rmtree(governed.archive.folder)
    with serve(place) as client:
        assert client.get("/readyz").status_code == 503
        assert "waypost train" in client.get("/readyz").json()["checks"]["model"]["detail"]
