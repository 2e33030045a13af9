"""What the ingest benchmark sends and says, without a server: its messages, the bare store, and its claims."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path

import pytest

from benchmarks import ingest
from benchmarks.ceilings import ceiling
from benchmarks.ingest import Case, Run
from benchmarks.messages import CUSTOMERS, templates, wrk_script
from features.journey import JOURNEY
from features.sources.formats.segment import parse
from serving.engine.state import open_states
from tests.serving.conftest import NOW
from tests.serving.engine.state_suite import event


def test_every_message_is_one_event_of_a_customer() -> None:
    messages = [json.loads(text.replace("@ID@", f"m-{number}")) for number, text in enumerate(templates(600))]
    events = [event for message in messages for event in parse(message, NOW)]
    assert [event.message_id for event in events] == [f"m-{number}" for number in range(600)]
    assert 50 < len({event.customer for event in events}) <= CUSTOMERS
    assert len({event.kind for event in events}) == 6


def test_a_script_repeats_whole_batches() -> None:
    assert wrk_script(100, "run").count("@ID@") == 0
    assert '"run-" .. number' in wrk_script(100, "run")


@pytest.mark.parametrize("processes", [1, 2])
def test_the_bare_store_takes_the_same_rows(tmp_path: Path, processes: int) -> None:
    source, bare = (f"sqlite:///{tmp_path}/{name}.db" for name in ("log", "bare"))
    states = open_states(source, JOURNEY, 1.0)
    states.record([event(number, f"c-{number % 7}") for number in range(200)])
    states.close()
    assert ceiling(source, bare, 50, 60.0, processes) > 0
    stores = [sqlite3.connect(tmp_path / f"{name}.db") for name in ("log", "bare")]
    for table in ("events", "states"):
        first, second = (store.execute(f"SELECT * FROM {table} ORDER BY 1").fetchall() for store in stores)
        assert first == second
    for store in stores:
        store.close()


def test_the_claims_are_of_the_better_number_of_workers_and_the_worse_store(capsys: pytest.CaptureFixture[str]) -> None:
    runs = {
        Case("sqlite", 1, 1): [Run(3_000, 2.0, 0)],
        Case("sqlite", 1, 100): [Run(12_000, 20.0, 24_000), Run(14_000, 22.0, 24_000)],
        Case("sqlite", 2, 1): [Run(4_000, 3.0, 0)],
        Case("sqlite", 2, 100): [Run(16_000, 30.0, 32_000)],
        Case("postgresql", 1, 1): [Run(2_500, 4.0, 0)],
        Case("postgresql", 1, 100): [Run(11_000, 25.0, 22_000)],
    }
    ingest._report(runs)
    claims = json.loads(capsys.readouterr().out.splitlines()[-1])["claims"]
    assert claims["events_per_second_batch_100"] == 11_000
    assert claims["sqlite_events_per_second_batch_100"] == 16_000
    assert claims["share_of_store_ceiling"] == 0.5
    assert claims["p99_ms"] == 30
    assert claims["sqlite_requests_per_second_batch_1"] == 4_000
