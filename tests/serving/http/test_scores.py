"""Scores of every form and on every tier: one shape, what stands behind them, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from starlette.testclient import TestClient

from features.catalogues.words import Speaker
from features.events import DAY, Stage
from features.journey import JOURNEY
from features.times import moment
from models.bundle.bundle import Bundle, Model
from models.bundle.manifest import TargetCard
from models.prediction.amount import AmountScorer, MeanAmount
from models.prediction.calibration import Calibration
from models.prediction.interval import Intervals, Ranks
from models.prediction.next_stage import StageScorer, StageShares
from models.prediction.scorer import Scorer
from models.prediction.tiers import Prior
from serving.engine.customer import target_scores
from serving.http.resources.readiness import ReadinessAnswer
from serving.http.resources.scores import ScoresAnswer
from tests.serving.answers import fails, ok
from tests.serving.conftest import NOW, Place, serve
from tests.serving.shop import bundle, customer

NAMES = JOURNEY.names
CARD = TargetCard(
    definition="REFUND within 28 days after the moment it is asked",
    scope="customers with purchases_ever >= 1",
    horizon_days=28.0,
    base_rate=0.02,
    calibration="identity",
    tier="prior",
    evidence="E",
    prior=0.02,
    counts={"customers": 12.0, "rows": 40.0, "yes": 1.0, "history_days": 20.0},
    needed={"prior": {}, "stage_rate": {"rows": 1.0}, "logistic": {"rows": 100.0, "yes": 5.0}},
)


def _whole() -> Bundle:
    """The shop's bundle, and a target of each other form and of a lower tier."""
    told = bundle(JOURNEY)
    models: dict[str, Model] = {
        **told.models,
        "refund_28d": Scorer(
            "refund_28d", Prior(0.02, NAMES), Calibration.identity(), Intervals.constant(0.5), Ranks((0.0, 0.1))
        ),
        "lifetime_value_90d": AmountScorer(
            "lifetime_value_90d", MeanAmount(80.0, 0.0, 240.0, NAMES), Ranks((0.0, 160.0))
        ),
        "next_stage_28d": StageScorer("next_stage_28d", StageShares([0.1, 0.2, 0.3, 0.1, 0.1, 0.2], 6.5, NAMES)),
    }
    cards = {
        **told.manifest.targets,
        "refund_28d": CARD,
        "lifetime_value_90d": replace(CARD, form="amount", base_rate=80.0, prior=80.0),
        "next_stage_28d": replace(CARD, form="stage"),
    }
    return told.changed(replace(told.manifest, targets=cards), models)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("whole") / "champion"
    _whole().save(place)
    return place


@pytest.fixture
def scored(place: Place, whole: Path) -> Iterator[TestClient]:
    with serve(Place(place.folder, whole)) as opened:
        yield opened


def _buyer(place: Place) -> str:
    engine = place.engine()
    found = next(who for who in map(customer, range(50)) if "churn_28d" in engine.score(who, NOW).probabilities)
    engine.states.close()
    return found


def test_every_form_carries_its_evidence_and_its_question(place: Place, scored: TestClient) -> None:
    who = _buyer(place)
    answer = ok(scored.post("/v1/scores", json={"customer": who}), ScoresAnswer)
    scores = answer["results"][0]["scores"]
    assert list(scores) == ["conversion_7d", "churn_28d", "refund_28d", "lifetime_value_90d", "next_stage_28d"]
    for name, score in scores.items():
        assert score["form"] == {"lifetime_value_90d": "amount", "next_stage_28d": "stage"}.get(name, "probability")
        assert score["definition"] and score["scope"] and score["horizon_days"] and score["evidence"] in "ABCDE"
        assert "reasons" not in score
    refund, spend, stage = (scores[name] for name in ("refund_28d", "lifetime_value_90d", "next_stage_28d"))
    assert refund["probability"] == 0.02
    assert 0.0 < refund["interval"]["low"] < 0.02 < refund["interval"]["high"] < 0.1
    assert (refund["rank_percentile"], refund["rank_band"]) == (20.0, "lower half")
    assert (spend["amount"], spend["interval"]) == (80.0, {"low": 0.0, "high": 240.0})
    assert (spend["rank_percentile"], spend["rank_band"]) == (50.0, "upper half")
    assert stage["stages"] == {
        **{each.name.lower(): share for each, share in zip(Stage, (0.1, 0.2, 0.3, 0.1, 0.1), strict=True)},
        "stays": 0.2,
    }
    assert stage["expected_days"] == 6.5


def test_the_score_of_trees_is_the_estimate_of_the_bundle(place: Place, scored: TestClient, whole: Path) -> None:
    who = _buyer(place)
    loaded = Bundle.load(whole, JOURNEY.fingerprint, NAMES)
    engine = place.engine()
    row = engine.score(who, NOW).features
    engine.states.close()
    expected = loaded.scorers["churn_28d"].estimate(row)
    score = scored.post("/v1/scores", json={"customer": who}).json()["results"][0]["scores"]["churn_28d"]
    assert (score["probability"], score["rank_percentile"], score["rank_band"]) == (
        expected.value,
        expected.rank_percentile,
        expected.rank_band,
    )
    assert score["interval"] == {"low": expected.low, "high": expected.high}


@pytest.mark.parametrize("explain", [False, True])
def test_the_engine_says_all_that_the_answer_holds(
    place: Place, scored: TestClient, whole: Path, explain: bool
) -> None:
    customers = [_buyer(place), "nobody"]
    engine = Place(place.folder, whole).engine()
    found = engine.score_many(customers, NOW, explain=explain)
    engine.states.close()
    assert set(found[0].estimates) == set(found[0].targets) == set(_whole().models)
    answer = scored.post(f"/v1/scores?explain={str(explain).lower()}", json={"customers": customers}).json()
    assert [each["scores"] for each in answer["results"]] == [target_scores(each) for each in found]


def test_a_stranger_has_the_rates_and_no_better_evidence(scored: TestClient) -> None:
    answer = ok(scored.post("/v1/scores?explain=true", json={"customer": "nobody"}), ScoresAnswer)
    scores = answer["results"][0]["scores"]
    assert (scores["conversion_7d"]["probability"], scores["conversion_7d"]["evidence"]) == (0.35, "D")
    assert (scores["refund_28d"]["probability"], scores["refund_28d"]["evidence"]) == (0.02, "E")
    assert scores["conversion_7d"]["reasons"] == []
    assert scores["lifetime_value_90d"]["amount"] is None and scores["lifetime_value_90d"]["interval"] is None
    assert scores["next_stage_28d"]["stages"] is None


def test_only_what_is_asked_for(place: Place, scored: TestClient) -> None:
    who = _buyer(place)
    body = {"customers": [who, "nobody"], "targets": ["lifetime_value_90d", "churn_28d"]}
    answer = ok(scored.post("/v1/scores", json=body), ScoresAnswer)
    assert [list(each["scores"]) for each in answer["results"]] == [["churn_28d", "lifetime_value_90d"]] * 2
    whole = scored.post("/v1/scores", json={"customer": who}).json()["results"][0]["scores"]
    assert answer["results"][0]["scores"] == {name: whole[name] for name in ("churn_28d", "lifetime_value_90d")}


def test_an_unknown_target_is_named(scored: TestClient) -> None:
    problem = fails(scored.post("/v1/scores", json={"customer": "a", "targets": ["chrn"]}), "invalid_request")
    assert problem["errors"][0]["pointer"] == "/targets"
    assert "'chrn'" in problem["detail"] and "churn_28d" in problem["detail"]


def test_reasons_are_the_shapley_values_in_words(place: Place, scored: TestClient, whole: Path) -> None:
    who = _buyer(place)
    answer = ok(scored.post("/v1/scores?explain=true", json={"customer": who}), ScoresAnswer)
    scores = answer["results"][0]["scores"]
    engine = place.engine()
    row = engine.score(who, NOW).features
    engine.states.close()
    added = Bundle.load(whole, JOURNEY.fingerprint, NAMES).scorers["churn_28d"].contributions(row.reshape(1, -1))[0]
    speaker = Speaker(JOURNEY)
    families: dict[str, float] = {}
    for name, value in zip(NAMES, added[:-1].tolist(), strict=True):
        families[speaker.family(name)] = families.get(speaker.family(name), 0.0) + value
    reasons = scores["churn_28d"]["reasons"]
    assert reasons
    for reason in reasons:
        assert np.isclose(reason["effect"], families[reason["about"]])
        values = dict(zip(NAMES, row.tolist(), strict=True))
        assert reason["words"] == speaker.say(next(iter(reason["features"])), values)
    assert scores["refund_28d"]["reasons"] == []  # a rate of all has no reason in the customer


def test_reasons_are_for_few_customers_at_once(scored: TestClient) -> None:
    body = {"customers": [f"c{number}" for number in range(21)]}
    assert "at most 20" in fails(scored.post("/v1/scores?explain=true", json=body), "invalid_request")["detail"]
    fails(scored.post("/v1/scores?explain=perhaps", json={"customer": "a"}), "invalid_request")


def test_readiness_says_what_the_next_tier_takes(scored: TestClient) -> None:
    answer = ok(scored.get("/v1/readiness"), ReadinessAnswer)
    found = {each["target"]: each for each in answer["targets"]}
    refund = found["refund_28d"]
    assert (refund["tier"], refund["evidence"], refund["counts"]) == ("prior", "E", dict(CARD.counts))
    assert refund["next"]["tier"] == "logistic"
    assert refund["next"]["lacking"] == {"rows": 60.0, "yes": 4.0}
    assert refund["next"]["expected"] == moment(1_780_000_000_000_000 + 80 * DAY).isoformat().replace("+00:00", "Z")
    assert found["churn_28d"]["next"] is None


def test_without_a_model_there_is_no_readiness(place: Place, tmp_path: Path) -> None:
    with serve(Place(place.folder, tmp_path / "none")) as client:
        fails(client.get("/v1/readiness"), "model_missing")
