"""The benchmark of routes, and its claims."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import routes
from benchmarks.routes import Trace
from benchmarks.shops import write_shop
from features.events import days
from features.files import identity
from tests.benchmarks.claims import claims_of
from tests.house.tree import ROOT
from tests.tracking import empty_store


def test_it_counts_the_files_that_requests_and_a_training_enter(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def with_records(place: Path, customers: int, events: int) -> list[str]:
        empty_store(place / "mlflow.db")
        return write_shop(place, customers, events)

    monkeypatch.setattr(routes, "CUSTOMERS", 60)
    monkeypatch.setattr(routes, "EVENTS", 3_000)
    monkeypatch.setattr(routes, "write_shop", with_records)
    name, claims = claims_of(routes.main, [], monkeypatch, capsys)
    assert name == "routes"
    assert set(claims) == {"files_score", "files_ingest", "files_erase", "files_train"}
    assert min(claims.values()) > 5


def test_calls_of_our_own_files_are_counted_and_no_others() -> None:
    trace = Trace()
    with trace.installed():
        json.dumps(days(1))
        identity(ROOT)
    assert trace.files == {"features/events.py", "features/files.py"}
