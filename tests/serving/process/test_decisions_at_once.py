"""Two decisions at once cannot both use up the last contact: several processes on one store try."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable
from multiprocessing import get_context
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import pytest

from features.events import OUTBOUND, Event, Kind
from features.journey import JOURNEY
from models.bundle.loaded import Champions
from models.decisions.policy import Decision, Policy
from serving.engine.batch import Batch
from serving.engine.decisions import DecisionConflict
from serving.engine.engine import Engine
from serving.engine.state import open_states
from serving.process.worker import Worker
from serving.settings import read_settings
from tests import postgres
from tests.serving.conftest import NOW, Place
from tests.serving.deciding import CAP, EAGER, wrong_decisions

PROCESSES, ROUNDS = 3, 8
WHO = ("anna", "ben")


class Slow(Policy):
    """A policy that takes a while, so that others decide on the same state meanwhile."""

    def decide(self, *arguments: Any) -> Decision:
        """As any policy, later."""
        time.sleep(0.002)
        return super().decide(*arguments)


def slow(**_: Any) -> Policy:
    """The policy of the test, whatever a bundle says."""
    return Slow(EAGER.temperature, EAGER.floor, EAGER.actions)


def decide_at_once(environment: dict[str, str], number: int, barrier: Barrier) -> None:
    """One process: for each round and customer two decisions of its own, one whose id all share, and an event."""
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("models.bundle.loaded.Policy", slow)
        worker = Worker(read_settings(environment), JOURNEY, lambda: NOW)
        asyncio.run(_decide(worker, number, barrier))


async def _decide(worker: Worker, number: int, barrier: Barrier) -> None:
    await worker.open()
    barrier.wait(60)
    for turn in range(ROUNDS):
        asked: list[Awaitable[Any]] = []
        for who in WHO:
            ids = (f"{number}-{turn}-{who}-a", f"{number}-{turn}-{who}-b", f"all-{turn}-{who}")
            asked += [worker.decide(who, each, NOW) for each in ids]
            view = Event(f"e-{number}-{turn}-{who}", who, Kind.PAGE_VIEW, NOW, NOW)
            asked.append(worker.record(Batch([view])))
        await asyncio.gather(*asked)
    await worker.close()


@pytest.mark.parametrize("store", ["sqlite", "postgresql"])
def test_decisions_at_once_use_up_each_contact_once(
    place: Place, store: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    url = place.store if store == "sqlite" else postgres.place(tmp_path)
    environment = place.environment(WAYPOST_STORE=url, WAYPOST_SWEEP_SECONDS="0", WAYPOST_BUSY_SECONDS="20")
    forking = get_context("forkserver")
    forking.set_forkserver_preload([__name__])  # one process imports what all of them need
    barrier = forking.Barrier(PROCESSES)
    running = [forking.Process(target=decide_at_once, args=(environment, each, barrier)) for each in range(PROCESSES)]
    for process in running:
        process.start()
    for process in running:
        process.join(120)
    assert [process.exitcode for process in running] == [0] * PROCESSES
    monkeypatch.setattr("models.bundle.loaded.Policy", slow)
    champions = Champions(place.champion, JOURNEY)
    champions.refresh()
    engine = Engine(open_states(url, JOURNEY, 1.0), JOURNEY, champions)
    for who in WHO:
        made = [each for each in engine.states.log.events(who, 1000) if each.kind is Kind.DECISION]
        assert len(made) == ROUNDS * (2 * PROCESSES + 1)
        assert sum(each.channel in OUTBOUND for each in made) == CAP
        assert not list(wrong_decisions(engine, who, NOW))
    engine.states.close()


def test_an_id_asked_for_twice_at_once_is_one_decision(place: Place) -> None:
    settings = read_settings(place.environment(WAYPOST_SWEEP_SECONDS="0"))
    worker = Worker(settings, JOURNEY, lambda: NOW)

    async def main() -> list[Any]:
        await worker.open()
        same = [worker.decide("anna", "same", NOW) for _ in range(8)]
        found = await asyncio.gather(*same, worker.decide("ben", "same", NOW), return_exceptions=True)
        await worker.close()
        return list(found)

    *same, other = asyncio.run(main())
    assert sorted(each.repeated for each in same) == [False] + [True] * 7
    assert len({(each.decision.action, each.decision.probability, each.as_of) for each in same}) == 1
    assert isinstance(other, DecisionConflict)
