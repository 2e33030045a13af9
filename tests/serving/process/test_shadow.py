"""The bundle in the shadow: compared with what was answered, on a share of the traffic, and never in the way."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from prometheus_client import REGISTRY

from features.journey import JOURNEY
from serving.engine.engine import Engine
from serving.engine.scores import CustomerScores
from serving.process import shadow as shadow_room
from serving.process.shadow import AT_ONCE, LARGEST_SHARE, REMEMBERED, WAITING, Ratio, Shadow
from serving.settings import BadSetting, read_settings
from tests.serving.conftest import NOW, Place, serve
from tests.serving.shop import bundle, customer

EVERYBODY = [customer(number) for number in range(200)]


@pytest.fixture(scope="module")
def challenger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Another bundle than the champion."""
    place = tmp_path_factory.mktemp("shadow") / "challenger"
    bundle(JOURNEY, rounds=5, seed=2).save(place)
    return place


def counted(name: str, target: str) -> float:
    """A metric of the shadow as it is now."""
    return REGISTRY.get_sample_value(name, {"target": target}) or 0.0


def opened(directory: Path, share: float = 1.0) -> Shadow:
    """A shadow that has looked at its directory."""
    shadow = Shadow(directory, JOURNEY, share)
    shadow.round()
    return shadow


def drained(shadow: Shadow) -> list[float]:
    """The rests after the rounds that it takes to score all who wait."""
    rests = []
    while shadow.waiting:
        rests.append(shadow.round())
    return rests


def would_say(directory: Path, scored: Sequence[CustomerScores]) -> list[dict[str, float]]:
    """What the bundle in a directory gives each customer, one by one."""
    shadow = opened(directory).bundles.require()
    estimates = [shadow.estimate(each.features) for each in scored]
    return [
        each._replace(estimates=said, champion=shadow).probabilities
        for each, said in zip(scored, estimates, strict=True)
    ]


def test_what_it_counts_is_what_the_two_bundles_say(engine: Engine, challenger: Path) -> None:
    scored = engine.score_many(EVERYBODY, NOW)
    shadow = opened(challenger)
    pairs = {
        target: [
            (each.probabilities[target], would[target])
            for each, would in zip(scored, would_say(challenger, scored), strict=True)
            if target in each.probabilities and target in would and each.known
        ]
        for target in ("conversion_7d", "churn_28d")
    }
    before = {
        (name, target): counted(name, target)
        for name in ("waypost_shadow_scores_total", "waypost_shadow_difference_sum", "waypost_shadow_difference_count")
        for target in pairs
    }
    shadow.offer(scored)
    drained(shadow)
    for target, both in pairs.items():
        assert len(both) > 50
        more = {name: counted(name, target) - was for (name, of), was in before.items() if of == target}
        assert more["waypost_shadow_scores_total"] == more["waypost_shadow_difference_count"] == len(both)
        assert more["waypost_shadow_difference_sum"] == pytest.approx(sum(abs(b - a) for a, b in both))
        ratio = float(np.mean([math.log(would / said) for said, would in both]))
        assert counted("waypost_shadow_log_ratio", target) == pytest.approx(ratio)
        assert ratio != 0.0


def test_a_share_is_that_share(engine: Engine, challenger: Path) -> None:
    scored = [each for each in engine.score_many(EVERYBODY, NOW) if each.known]
    for share in (0.05, 0.25, 1.0):
        shadow = opened(challenger, share)
        for each in scored:
            shadow.offer([each])
        assert shadow.waiting == pytest.approx(share * len(scored), abs=1)


def test_nobody_is_compared_without_a_reason(engine: Engine, challenger: Path, tmp_path: Path) -> None:
    scored = engine.score_many(EVERYBODY, NOW)
    for directory, share in ((tmp_path / "challenger", 1.0), (challenger, 0.0)):
        idle = opened(directory, share)
        idle.offer(scored)
        assert not idle.waiting
    shadow = opened(challenger)
    shadow.offer(engine.score_many(["nobody", "no one"], NOW))
    assert not shadow.waiting
    same = opened(engine.champions.directory)
    same.offer(scored)
    before = counted("waypost_shadow_scores_total", "churn_28d")
    drained(same)
    assert counted("waypost_shadow_scores_total", "churn_28d") == before


def test_the_queue_is_bounded_and_the_work_is_a_small_share(engine: Engine, challenger: Path) -> None:
    shadow = opened(challenger)
    scored = engine.score_many(EVERYBODY, NOW)
    for _ in range(10):
        shadow.offer(scored)
    assert shadow.waiting == WAITING
    begun = time.perf_counter()
    rests = drained(shadow)
    took = time.perf_counter() - begun
    assert len(rests) == math.ceil(WAITING / AT_ONCE)
    assert took / (took + sum(rests)) == pytest.approx(LARGEST_SHARE, rel=0.2)


def test_a_bundle_that_does_not_work_is_not_in_the_shadow(
    engine: Engine, challenger: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    place = tmp_path / "challenger"
    bundle(JOURNEY, rounds=2).save(place)
    (place / "recommender.npz").write_bytes(b"nonsense")
    shadow = opened(place)
    shadow.round()
    assert [record.message for record in caplog.records if "not used" in record.message] == [
        f"the bundle in the shadow is not used: {shadow.bundles.problem}"
    ]
    bundle(JOURNEY, rounds=2).save(place)
    shadow.round()
    shadow.offer(engine.score_many(EVERYBODY[:10], NOW))
    assert shadow.waiting


def test_the_mean_fades() -> None:
    ratio = Ratio()
    assert ratio.add(np.array([1.0, 3.0])) == 2.0
    ratio.add(np.full(20 * REMEMBERED, 5.0))
    assert ratio.value == pytest.approx(5.0, abs=1e-6)


def test_the_traffic_is_compared_behind_the_answers(
    place: Place, challenger: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shadow_room, "REST_SECONDS", 0.02)
    monkeypatch.setattr("serving.settings.Settings.shadow", challenger)
    with serve(place, WAYPOST_SHADOW_SHARE="1") as client:
        before = counted("waypost_shadow_scores_total", "churn_28d")
        for _ in range(100):
            client.post("/v1/scores", json={"customers": EVERYBODY[:8]})
            if counted("waypost_shadow_scores_total", "churn_28d") > before:
                return
            time.sleep(0.02)
    raise AssertionError("nothing was scored in the shadow")


@pytest.mark.parametrize("share", ["-0.1", "1.1", "nan", "some"])
def test_a_share_is_from_0_to_1(share: str) -> None:
    with pytest.raises(BadSetting, match=r"WAYPOST_SHADOW_SHARE is .*; expected a number from 0 to 1"):
        read_settings({"WAYPOST_SHADOW_SHARE": share})


def test_the_shadow_is_beside_the_champion() -> None:
    assert read_settings({"WAYPOST_BUNDLE": "some/champion"}).shadow == Path("some/challenger")
