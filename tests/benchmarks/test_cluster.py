"""The cluster benchmark: what counts as a difference, and what its claims are made of."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from benchmarks import cluster
from benchmarks.cluster import Run, differing
from tests.benchmarks.claims import claims_of
from training.evaluation.evaluation import Figure

SMALL = Run(
    customers=50, events=5_000, partitions=8, rows=900, mismatches=0, memory=4e8, replay_memory=3e8,
    export_s=0.5, replay_s=1.0, grow_s=2.0,
    against_one_machine={"log_loss": Figure(0.001, -0.002, 0.004), "roc_auc": Figure(0.0, -0.01, 0.01)},
)  # fmt: skip


def test_one_bit_is_a_difference() -> None:
    one = np.array([0.0, 1.0, np.nan, 3.0], np.float32)
    assert differing(one, one.copy()) == 0
    assert differing(one, np.array([-0.0, 1.0, np.nan, np.nextafter(np.float32(3), np.float32(4))], np.float32)) == 2


def test_the_shop_is_whole_in_its_export(tmp_path: Path) -> None:
    exported, past, seconds = cluster.shop(tmp_path / "small", 30, 3)
    assert past.count == exported.manifest.events == 3_000 and seconds > 0
    assert [part.events > 0 for part in exported.manifest.partitions] == [True] * 3


def test_the_claims(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    asked = []

    def measured(place: Path, customers: int, partitions: int, workers: int, most: int | None) -> Run:
        asked.append((customers, partitions, workers, most))
        return SMALL if most is None else replace(SMALL, memory=4.4e8, replay_memory=3.6e8, mismatches=2)

    monkeypatch.setattr(cluster, "measured", measured)
    name, claims = claims_of(cluster.main, ["--customers", "50"], monkeypatch, capsys)
    assert asked == [(50, 8, 2, None), (500, 80, 2, 900)]
    assert name == "cluster"
    assert claims == {
        "feature_mismatches": 2, "memory_growth_ratio": 1.2, "log_loss_over_one_process": 0.001,
        "log_loss_over_one_process_low": -0.002, "log_loss_over_one_process_high": 0.004,
        "export_events_per_second": 10_000,
    }  # fmt: skip
