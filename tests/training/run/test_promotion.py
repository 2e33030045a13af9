"""What answers a target: the best that no gate holds back, or the champion's model where that is better."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from models.bundle.bundle import Bundle, Manifest
from models.bundle.manifest import KINDS
from models.bundle.readiness import readiness, served, why_not_higher
from models.prediction.calibration import Calibration
from models.prediction.level import Level
from models.prediction.scorer import Scorer
from models.prediction.tiers import Prior
from models.recommenders.item_item import ItemItem
from tests.training.shop import found
from training.evaluation import gates
from training.evaluation.evaluation import Evaluation
from training.evaluation.gates import Gate
from training.fitting import candidates
from training.run.forms import amount, probability
from training.run.forms.contract import Question
from training.run.forms.probability import ProbabilityResult
from training.run.promotion import Selected, rival_of, select

TARGET = "conversion_7d"


@pytest.fixture(autouse=True)
def few_trees(monkeypatch: pytest.MonkeyPatch) -> None:
    """Selection is what is looked at."""
    monkeypatch.setattr(candidates, "ROUNDS", 20)


def question() -> Question:
    """One target of a shop of 150 customers over 240 days."""
    return Question(found(TARGET, 150, 240), 1)


def bundle(selected: Selected, now: int = 0) -> Bundle:
    """The champion that answers this one target."""
    manifest = Manifest("f", selected.model.names, {TARGET: selected.card}, "2026-01-01T00:00:00Z", now, 0, "", 0)
    return Bundle({TARGET: selected.model}, [ItemItem.without_neighbours()], manifest)


def strict(monkeypatch: pytest.MonkeyPatch, *tiers: str) -> None:
    """These tiers are held back, whatever they are worth."""
    usual = gates.scorer_gates

    def judge(target: str, tier: str, test: Evaluation) -> list[Gate]:
        never = [Gate(target, tier, "patience", 2.0, 1.0, at_most=True)] if tier in tiers else []
        return [*never, *usual(target, tier, test)]

    monkeypatch.setattr(probability, "scorer_gates", judge)


def test_the_best_tier_answers_where_nothing_holds_it_back() -> None:
    selected = select(question(), None)
    assert selected.model is selected.result.model and not selected.card.held_back and not selected.card.goes_on
    assert {gate.tier for gate in selected.gates} == {selected.card.tier}
    seen, rows = selected.card.seen, question().gathered.rows
    assert set(seen) == set(KINDS) and max(seen["stage"].values()) <= len(np.unique(rows.customer))
    assert seen["latest_channel"]["store"] > 100 and seen["latest_channel"]["web"] == 0


def test_where_a_gate_holds_a_tier_back_the_best_below_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    first = select(question(), None).card
    top = first.tier
    below = [tier for tier in ProbabilityResult.tiers if tier != top]
    strict(monkeypatch, top)
    selected = select(question(), None)
    assert selected.card.tier in below and set(selected.card.held_back) == {top}
    assert "patience was 2, at most 1 was expected" in why_not_higher(selected.card)
    assert {gate.tier for gate in selected.gates} == {top, selected.card.tier}
    assert selected.card.losses == first.losses, "what was tried first is told as well"


def test_the_base_rate_of_the_latest_period_is_held_back_by_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    strict(monkeypatch, "lightgbm", "logistic", "stage_rate", "prior")
    selected = select(question(), None)
    assert selected.card.tier == "prior" and set(selected.card.held_back) >= {"prior"}
    data, trained = question().gathered.dataset, selected.result
    assert trained.test is not None and isinstance(selected.model, Scorer)
    said = trained.test.predictions
    assert np.ptp(said["model"]) == 0.0 and said["model"] == pytest.approx(said["base_rate"])
    served_rate = selected.model.score_many(data.test.features[:1])[0]
    assert served_rate == pytest.approx(float(data.test.labels.mean())), "that of the newest answers that are known"
    said = selected.model.estimate(data.test.features[0])
    assert said.low < served_rate < said.high
    made = bundle(selected).manifest
    told = served(made)
    assert told[TARGET].startswith("prior, evidence ") and "prior was held back: patience" in told[TARGET]
    assert told[TARGET].endswith("The base rate of the latest period answers.")
    assert readiness(made)[0].why == why_not_higher(selected.card) and readiness(made)[0].tier == "prior"


def test_an_amount_has_a_base_rate_too(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(target: str, tier: str, over: object) -> list[Gate]:
        return [Gate(target, tier, "patience", 2.0, 1.0, at_most=True, holds=tier != gates.LOWEST)]

    monkeypatch.setattr(amount, "amount_gates", never)
    selected = select(Question(found("lifetime_value_90d", 150, 520), 1), None)
    assert selected.card.tier == "prior" and "prior" in selected.card.held_back
    assert selected.gates[-1].tier == gates.LOWEST
    assert selected.result.test is not None
    assert selected.result.test.over[gates.MEAN]["deviance"].value == pytest.approx(0.0, abs=1e-9)


def test_a_model_that_goes_on_untested_says_nothing_of_what_a_training_before_held_back(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    strict(monkeypatch, select(question(), None).card.tier)
    before = select(question(), None)
    assert before.card.held_back
    short = Question(replace(question().gathered, split=None, missing="The log is short."), 1)
    selected = select(short, bundle(before))
    assert selected.card.goes_on.startswith("The previous model was tested") and selected.model is before.model
    assert not selected.gates and not selected.card.held_back


def test_a_better_model_of_the_champion_goes_on_and_yields_where_that_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    champion = bundle(select(question(), None))
    monkeypatch.setattr(ProbabilityResult, "tiers", ("prior",))
    selected = select(question(), champion)
    before = champion.scorers[TARGET]
    assert isinstance(selected.model, Scorer) and selected.card.tier == champion.manifest.targets[TARGET].tier
    assert selected.model.tier is before.tier and selected.model.shape is before.shape
    assert selected.model.level == before.level, "of the same log"
    assert selected.card.goes_on.startswith(
        "The previous model is better than the new prior: log loss over the champion"
    )
    assert why_not_higher(selected.card) == selected.card.goes_on and selected.card.metrics["log_loss"] > 0.0
    assert select(question(), champion, yields=True).card.tier == "prior"
    split = question().gathered.split
    assert split is not None
    again = Selected(selected.result, (), champion.models[TARGET], champion.manifest.targets[TARGET])
    future = bundle(again, now=int(split.test[0]) + 1)
    assert select(question(), future).card.tier == "prior", "it is not asked about its own past"


def test_a_champion_is_compared_at_the_level_that_was_known_when_the_test_began() -> None:
    """One that is recalibrated every night knows what came in the test."""
    first = select(question(), None)
    assert isinstance(first.model, Scorer)
    figures = []
    for shift in (-2.0, 0.0, 2.0):
        moved = replace(first, model=first.model.at(Level(shift, 0.1)))
        selected = select(question(), bundle(moved))
        figures.append([gate for gate in selected.gates if "over the champion" in gate.condition])
    assert figures[0] and figures[0] == figures[1] == figures[2]


def test_a_champion_that_is_held_back_today_does_not_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    good = select(question(), None)
    assert isinstance(good.model, Scorer)
    champion = bundle(good)
    strict(monkeypatch, good.card.tier)
    selected = select(question(), champion)
    assert selected.card.tier != good.card.tier and not selected.card.goes_on


def test_a_worse_champion_is_replaced() -> None:
    first = select(question(), None)
    wrong = Scorer(TARGET, Prior(0.97, first.model.names), Calibration.identity())
    card = replace(first.card, tier="prior", calibration="identity")
    selected = select(question(), bundle(Selected(first.result, (), wrong, card)))
    assert selected.card.tier == first.card.tier and not selected.card.goes_on
    assert any("champion" in gate.condition and gate.passed for gate in selected.gates)


def test_a_champion_of_another_question_is_no_rival() -> None:
    selected = select(question(), None)
    assert rival_of(question().target, bundle(selected)) is selected.model
    other = replace(selected.card, scope="customers with purchases_ever >= 9")
    assert rival_of(question().target, bundle(replace(selected, card=other))) is None
    assert rival_of(question().target, None) is None
