"""The sweep benchmark at a small size: its store is a whole one, both predictions agree, the claims are the medians."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks import sweep as benchmark
from benchmarks.shops import write_bundle
from benchmarks.sweep import Seen
from benchmarks.synthetic import END
from features.journey import JOURNEY
from insights.segments import SEGMENTS
from serving.engine.engine import open_engine
from serving.engine.scoreboard import Scoreboard, sweep


def test_its_store_is_swept_as_any_other(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    features = benchmark.write_store(tmp_path, 600)
    target, *_ = benchmark.TARGETS
    write_bundle(tmp_path, features, {target: benchmark.TARGETS[target]})
    engine = open_engine(f"sqlite:///{tmp_path / 'waypost.db'}", tmp_path / "champion", JOURNEY)
    assert engine.states.heal() == 0
    generation = sweep(engine, Scoreboard(tmp_path / "scoreboard", JOURNEY.fingerprint), END)
    engine.states.close()
    assert generation.count == 600
    assert generation.report["targets"][0] == target
    found, predicted = benchmark.filtered(generation), benchmark.compared(features)
    assert set(found) == set(SEGMENTS) and all(value > 0 for value in predicted.values())
    benchmark.report(Seen(12.0, [1.0] * 98 + [7.0] * 2, [0.5, 0.9], 20.0, 90.0), found, predicted, generation)
    claims = json.loads(capsys.readouterr().out.splitlines()[-1])["claims"]
    assert (claims["sweep_s"], claims["segment_ms"], claims["fresh_s"], claims["worker_growth_mb"]) == (12, 1, 0.7, 90)
