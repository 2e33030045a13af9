"""A target's model fitted and judged: on the rows of its test, beside the baselines, and through the gates.

One way for every form of answer: a probability, an amount, a stage.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from models.bundle.bundle import Model
from models.prediction.amount import AMOUNT_RUNGS, AmountScorer
from models.prediction.next_stage import STAGE_RUNGS, StageScorer
from models.prediction.scorer import Scorer
from models.prediction.tiers import RUNGS
from training.evaluation.amounts import judge_amount
from training.evaluation.baselines import baselines
from training.evaluation.curves import drifts, learning_curve
from training.evaluation.evaluation import evaluate
from training.evaluation.gates import (
    CHAMPION,
    Gate,
    amount_champion_gates,
    amount_gates,
    champion_gates,
    interval_gate,
    scorer_gates,
    stage_champion_gates,
    stage_gates,
    worse_by_stage,
)
from training.evaluation.next_stage import judge_stage
from training.fitting.amounts import FittedAmount, fit_amount
from training.fitting.candidates import Way
from training.fitting.intervals import coverage
from training.fitting.next_stage import FittedStage, fit_stage
from training.fitting.tier_selection import FittedScorer, climb
from training.rows.dataset import Gathered
from training.rows.slices import described
from training.run.target_result import AmountTarget, StageTarget, Trained, TrainedTarget, UntestedTarget
from training.targets import Target

TIERS: dict[str, tuple[str, ...]] = {
    "probability": tuple(RUNGS),
    "amount": tuple(AMOUNT_RUNGS),
    "stage": tuple(STAGE_RUNGS),
}
"""The tiers of each form of answer, the lowest first."""

Fitted = FittedScorer | FittedAmount | FittedStage


@dataclass(frozen=True, eq=False)
class Question:
    """One target with its rows, and how it is fitted: the settings of its trees and, from a cluster, how they grow."""

    found: Gathered
    seed: int
    studied: Mapping[str, float] = field(default_factory=dict)
    trees: Way | None = None

    @property
    def target(self) -> Target:
        """What is asked."""
        return self.found.target


def fit(question: Question, tiers: tuple[str, ...]) -> Fitted:
    """The best of these tiers on rows it had not seen."""
    found, seed = question.found, question.seed
    if question.target.form == "amount":
        return fit_amount(found, seed, tiers)
    if question.target.form == "stage":
        return fit_stage(found, seed, tiers)
    return climb(found, seed, tiers, question.studied, question.trees)


def judge(question: Question, fitted: Fitted, rival: Model | None, tier: str = "") -> Trained:
    """What the test finds of it, also beside a rival; without gates where there is no test yet.

    The gates name the `tier`, by default that of the model.
    """
    found, target = question.found, question.target
    tier, tested = tier or fitted.scorer.rung.name, found.split is not None
    if isinstance(fitted, FittedScorer):
        if not tested:
            return UntestedTarget(target, found.counts, fitted, found.missing)
        return _judged_scorer(question, fitted, tier, rival if isinstance(rival, Scorer) else None)
    if isinstance(fitted, FittedAmount):
        return _judged_amount(question, fitted, tier, rival if isinstance(rival, AmountScorer) else None)
    return _judged_stage(question, fitted, tier, rival if isinstance(rival, StageScorer) else None)


def _judged_scorer(question: Question, fitted: FittedScorer, tier: str, rival: Scorer | None) -> TrainedTarget:
    found, seed, name = question.found, question.seed, question.target.name
    data, scorer = found.dataset, fitted.judged or fitted.scorer
    test = data.test
    predictions = {"model": scorer.score_many(test.features), **baselines(data)}
    if rival is not None:
        predictions[CHAMPION] = rival.score_many(test.features)
    evaluation = evaluate(predictions, test.labels, test.customer, seed)
    covered = coverage(predictions["model"], test.labels, scorer.spread, seed)
    gates = [*scorer_gates(name, tier, evaluation), interval_gate(name, tier, covered, len(test))]
    return TrainedTarget(
        question.target, found.counts, data.names, described(data), fitted, test, evaluation, predictions, covered,
        gates,
    )  # fmt: skip


def _judged_amount(question: Question, fitted: FittedAmount, tier: str, rival: AmountScorer | None) -> AmountTarget:
    found, target = question.found, question.target
    if found.split is None:
        return AmountTarget(target, found.counts, fitted, found.missing, None, {})
    rung = fitted.scorer.rung
    test = judge_amount(rung, found.dataset, question.seed, None if rival is None else rival.rung)
    gates = amount_gates(target.name, tier, test.over)
    return AmountTarget(target, found.counts, fitted, found.missing, test, described(found.dataset), gates)


def _judged_stage(question: Question, fitted: FittedStage, tier: str, rival: StageScorer | None) -> StageTarget:
    found, target = question.found, question.target
    if found.split is None:
        return StageTarget(target, found.counts, fitted, found.missing, None, {})
    rung = fitted.scorer.rung
    test = judge_stage(rung, found.dataset, None if rival is None else rival.rung)
    gates = stage_gates(target.name, tier, test.worse)
    return StageTarget(target, found.counts, fitted, found.missing, test, described(found.dataset), gates)


def beside(trained: Trained, rival: Model) -> list[Gate]:
    """The gates beside the champion's model, which it was judged beside; none without a test."""
    name, tier = trained.target.name, trained.model.rung.name
    if isinstance(trained, TrainedTarget) and isinstance(rival, Scorer):
        test, said = trained.test, trained.predictions
        stage = test.features[:, trained.names.index("stage")]
        stages = worse_by_stage(said["model"], said[CHAMPION], test.labels, test.customer, stage)
        return champion_gates(name, trained.evaluation, trained.model.rung, rival.rung, stages)
    if isinstance(trained, AmountTarget) and trained.test is not None:
        return amount_champion_gates(name, tier, trained.test.over)
    if isinstance(trained, StageTarget) and trained.test is not None and trained.test.over_champion is not None:
        return stage_champion_gates(name, tier, trained.test.over_champion)
    return []


def as_fitted(model: Model, beside: Fitted, tested: Model | None) -> Fitted:
    """A model that is there already, as if fitted on the same rows as another; `tested` is what is judged."""
    if isinstance(model, Scorer):
        return FittedScorer(model, beside.rate, judged=tested if isinstance(tested, Scorer) else None)
    if isinstance(model, AmountScorer):
        return FittedAmount(model, beside.rate)
    return FittedStage(model, beside.rate)


def described_further(trained: Trained, question: Question) -> Trained:
    """With the learning curve and the drift, which are worth their time for what answers alone."""
    if not isinstance(trained, TrainedTarget):
        return trained
    data = question.found.dataset
    curve = learning_curve(data, trained.fitted, question.seed)
    return replace(trained, curve=curve, drifts=drifts(data, trained.fitted, trained.predictions["model"]))
