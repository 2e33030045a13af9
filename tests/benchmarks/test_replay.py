"""The replay benchmark at a small size: the peers compute what we compute, and the claims are there."""

from __future__ import annotations

import tempfile
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest

from benchmarks import duckdb_peer, fresh, polars_peer, replay
from benchmarks.agreement import disagreements, own_answer
from benchmarks.peer_aggregates import SEVERAL, by_kinds, shared_aggregates
from benchmarks.shops import events_of, frames_of
from benchmarks.synthetic import parquet_file
from features.log.sqlite import SqliteLog
from features.replay.replay import Snapshots
from tests.benchmarks.claims import claims_of

CUTOFFS = replay.CUTOFFS


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return parquet_file(20_000, 150, tmp_path_factory.mktemp("shop"))


@pytest.fixture(scope="module")
def own() -> Snapshots:
    return own_answer(20_000, 150, CUTOFFS)


@pytest.fixture(scope="module")
def plain(shop: Path) -> pa.Table:
    return duckdb_peer.plain(duckdb_peer.connect(2), shop, CUTOFFS)


def test_duckdb_agrees(own: Snapshots, plain: pa.Table) -> None:
    assert disagreements(own, plain) == []


def test_duckdb_regrouped_agrees(shop: Path, own: Snapshots) -> None:
    assert disagreements(own, duckdb_peer.regrouped(duckdb_peer.connect(2), shop, CUTOFFS)) == []


def test_polars_agrees(shop: Path, own: Snapshots) -> None:
    assert disagreements(own, polars_peer.plain(shop, CUTOFFS).to_arrow()) == []


def test_polars_regrouped_agrees(shop: Path, own: Snapshots) -> None:
    assert disagreements(own, polars_peer.regrouped(shop, CUTOFFS).to_arrow()) == []


def test_one_wrong_number_is_noticed(own: Snapshots, plain: pa.Table) -> None:
    name = next(each.name for each in shared_aggregates() if each.name.startswith("count_"))
    wrong = pc.if_else(pc.equal(plain["customer"], 7), pc.add(plain[name], 1), plain[name])
    spoilt = plain.set_column(plain.column_names.index(name), name, wrong)
    assert disagreements(own, spoilt) == [f"{name} differs in 8 of {len(plain)} rows"]
    assert disagreements(own, plain.slice(1)) == [f"the rows differ: {len(plain) - 1}, expected {len(plain)}"]


def test_every_shared_aggregate_is_in_one_group() -> None:
    groups = by_kinds(shared_aggregates())
    assert sorted(each.name for members in groups.values() for each in members) == sorted(
        each.name for each in shared_aggregates()
    )
    assert all(len(members) >= SEVERAL for kinds, members in groups.items() if kinds)


def test_the_claims(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    measured = {"start_numba_s": 0.4, "declare_s": 0.1, "compile_s": 0.5, "before": 1e6, "peak": 3e6}
    monkeypatch.setattr(fresh, "run", lambda *arguments, environment=None: measured)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    name, claims = claims_of(replay.main, ["--events", "5_000", "--rounds", "1"], monkeypatch, capsys)
    assert name == "replay"
    assert set(claims) == {
        "events_per_second_1_cutoff", "fold_events_per_second_1_cutoff", "ratio_to_best_peer_8_cutoffs",
        "ratio_to_best_regrouped_peer_8_cutoffs", "compile_cold_s", "compile_warm_s", "peak_memory_ratio",
    }  # fmt: skip
    assert all(value > 0 for value in claims.values())
    assert claims["peak_memory_ratio"] == pytest.approx(2e6 / (5_000 * 46), rel=1e-3)


def test_a_process_of_its_own_tells_its_memory(tmp_path: Path) -> None:
    with closing(SqliteLog(tmp_path / "waypost.db")) as log:
        for frame in frames_of(events_of(20_000, 150)):
            log.append_columns(frame)
    used = fresh.run("memory", str(tmp_path / "waypost.db"), str(CUTOFFS[0]))
    assert used["peak"] >= used["before"] > 10_000_000
    assert used["rows"] > 100
