"""The quality benchmark: what it claims on real data where they are, and that it says what it skips."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from benchmarks import cold_start, quality, quality_cdnow, quality_data, quality_journey, quality_taobao
from features.events import DAY, EVENT, MINUTE, Kind
from features.grouping import histories
from features.log.contract import MERGE
from features.replay.snapshots import Past
from tests import worlds
from tests.benchmarks.claims import claims_of
from training.rows.dataset import Slice
from training.targets import TARGETS


def test_absent_data_are_skipped_and_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.setattr(quality_data, "FOLDER", tmp_path)
    monkeypatch.setattr("sys.argv", ["quality", "--parts", "cdnow", "taobao"])
    quality.main()
    said = capsys.readouterr().out
    assert "cdnow is skipped:" in said and "taobao is skipped:" in said
    assert said.splitlines()[-1] == '{"benchmark": "quality", "claims": {}}'


def test_the_claims_on_cdnow(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    if not (quality_data.FOLDER / quality_data.CDNOW).exists():
        pytest.skip("CDNOW is absent: real data are not part of the repository (set WAYPOST_SHARED_DATA)")
    monkeypatch.setattr(quality_cdnow, "REPLICATES", 20)
    name, claims = claims_of(quality.main, ["--parts", "cdnow"], monkeypatch, capsys)
    assert name == "quality"
    assert claims["cdnow_rmse"] <= 1.60
    assert claims["cdnow_auc"] > quality_cdnow.PARETO_NBD["auc"]
    assert abs(claims["cdnow_total_bias"]) <= 0.05


def test_nothing_after_the_39th_week_is_used() -> None:
    """Orders foretold are those of a log that ends there: `foretell` is given no other events."""
    draw = np.random.default_rng(1)
    events = np.zeros(4000, EVENT)
    events["customer"] = draw.integers(0, 800, 4000)
    events["at"] = np.sort(draw.integers(0, quality_cdnow.KNOWN, 4000)) * DAY
    events["received"], events["kind"], events["amount"] = events["at"], int(Kind.PURCHASE), 10.0
    orders, alone, customers = quality_cdnow.predict(events, 0)
    assert len(orders) == len(alone) == len(customers) == len(np.unique(events["customer"]))
    assert (orders > 0).all() and (alone > 0).all()


def test_the_published_sample_has_its_size() -> None:
    numbers = [int(number) for number in quality_cdnow.SAMPLE.read_text(encoding="utf-8").split()]
    assert len(numbers) == len(set(numbers)) == 2357 and max(numbers) <= 23570


def test_acts_are_counted_within_the_visit() -> None:
    events = np.zeros(5, EVENT)
    events["customer"] = 3
    events["at"] = np.array([0, 10, 100, 105, 106]) * MINUTE
    events["received"] = events["at"]
    view, cart = int(Kind.ITEM_VIEW), int(Kind.CART_ADD)
    events["kind"] = [view, view, view, cart, view]
    rows = Slice(np.zeros((2, 1), np.float32), np.zeros(2, np.int8), np.full(2, 3, np.int32), events["at"][[1, 4]])
    assert len(histories([events]).customers) == 1
    in_visit, ever = quality_taobao._counts(events, rows)
    assert in_visit.tolist() == [[2, 0, 0, 0], [2, 1, 0, 0]]
    assert ever.tolist() == [[2, 0, 0, 0], [4, 1, 0, 0]]


def test_every_claim_is_made_of_a_simulated_shop(monkeypatch: pytest.MonkeyPatch) -> None:
    world = worlds.shop(customers=250, days=330, seed=2)
    past = Past(histories([world.events]), np.empty(0, EVENT), np.empty(0, MERGE))
    simulated = quality_data.Shop(past, worlds.OPENING, world.end)
    monkeypatch.setattr(quality_journey, "complete_journey", lambda: simulated)
    claims = quality_journey.claims(1, (TARGETS["churn_28d"],))
    assert claims["churn_28d_auc"] > 0.5
    assert 0.0 <= claims["churn_28d_calibration_error"] < 0.5
    assert claims["spend_56d_mae_to_best"] > 0.0 and claims["spend_56d_total"] > 0.0
    curve = cold_start.measured(TARGETS["churn_28d"], simulated, [50], draws=1)
    assert set(curve) == {"churn_28d_selected_over_best_tier", "churn_28d_sizes_worse"}
