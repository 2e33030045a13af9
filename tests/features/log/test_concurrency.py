"""Writers in several threads and processes, and writers that die: each event once, in one order, none half written."""

from __future__ import annotations

import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from features.log.contract import EventLog
from features.log.sqlite import SqliteLog
from tests.features.log.samples import event, gathered
from tests.features.log.stores import STORES

ROOT = Path(__file__).parents[3]

every_store = pytest.mark.parametrize("store", STORES)


def worker(store: str, place: Path, name: str) -> subprocess.Popen[str]:
    """A process that appends batches of seven events for ever, and prints how many are acknowledged after each."""
    command = [sys.executable, "-m", "tests.features.log.test_concurrency", store, str(place), name]
    return subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)


def append_for_ever(store: str, place: str, name: str) -> None:
    with closing(STORES[store](Path(place))) as log:
        for start in range(0, 1_000_000, 7):
            batch = [
                event(number, f"{name}-{number % 5}", message_id=f"{name}-{number}")
                for number in range(start, start + 7)
            ]
            log.append([*batch, event(start, "both", message_id=f"both-{start}")])
            print(start + 7, flush=True)


@every_store
def test_two_processes_make_one_log_and_a_kill_loses_nothing(store: str, tmp_path: Path) -> None:
    place = tmp_path / "log.db"
    workers = {name: worker(store, place, name) for name in ("a", "b")}
    acknowledged = dict.fromkeys(workers, 0)
    for name, process in workers.items():
        assert process.stdout
        for _ in range(12):
            acknowledged[name] = int(process.stdout.readline())
    for name, process in workers.items():
        assert process.stdout
        process.kill()
        acknowledged[name] = max([acknowledged[name], *map(int, process.stdout.read().split())])
        process.wait()
        process.stdout.close()
    with closing(STORES[store](place)) as log:
        check_whole(log, acknowledged)
        if isinstance(log, SqliteLog):
            assert log.connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert log.append([event(5_000_000, "after")]).accepted == [True]


def check_whole(log: EventLog, acknowledged: dict[str, int]) -> None:
    """Every acknowledged event is there once, whole batches only, and offsets, codes and order are sound."""
    scanned = gathered(log.scan())
    names = log.customers.names()
    assert len(set(names)) == len(names) == 5 * len(acknowledged) + 1
    assert (np.diff(scanned["received"]) >= 0).all()
    for name, number in acknowledged.items():
        own = [each.message_id for part in range(5) for each in log.events(f"{name}-{part}", 1_000_000)]
        assert len(set(own)) == len(own) >= number
        assert len(own) % 7 == 0
        assert set(own) == {f"{name}-{position}" for position in range(len(own))}
    shared = log.events("both", 1_000_000)
    assert len({each.message_id for each in shared}) == len(shared)
    assert log.count() == len(scanned) <= log.offset()


@every_store
def test_threads_share_a_log(store: str, tmp_path: Path) -> None:
    place = tmp_path / "log.db"
    STORES[store](place).close()
    accepted: list[int] = []

    def write(own: int) -> None:
        with closing(STORES[store](place)) as log:
            for number in range(0, 30, 3):
                batch = [event(each, f"{own}", message_id=f"{own}-{each}") for each in range(number, number + 3)]
                accepted.append(log.append([*batch, event(number, "shared")]).accepted_count)

    threads = [threading.Thread(target=write, args=(own,)) for own in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with closing(STORES[store](place)) as log:
        assert log.count() == sum(accepted) == 3 * 30 + 10
        assert [len(log.history(f"{own}")) for own in range(3)] == [30, 30, 30]
        assert (np.diff(gathered(log.scan())["received"]) >= 0).all()


@every_store
def test_a_log_may_be_made_by_many_at_once(store: str, tmp_path: Path) -> None:
    opened: list[int] = []
    ready = threading.Barrier(6)

    def make(own: int, open_store: Callable[[Path], EventLog]) -> None:
        ready.wait()
        with closing(open_store(tmp_path / "log.db")) as log:
            log.append([event(own)])
            opened.append(own)

    threads = [threading.Thread(target=make, args=(own, STORES[store])) for own in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with closing(STORES[store](tmp_path / "log.db")) as log:
        assert (sorted(opened), log.count()) == (list(range(6)), 6)


if __name__ == "__main__":
    append_for_ever(*sys.argv[1:])
