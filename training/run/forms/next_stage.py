"""A target whose answer is a stage of the journey."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

from models.bundle.manifest import TargetCard
from models.prediction.next_stage import STAGE_TIERS, StageScorer
from training.evaluation.gates import Gate, stage_champion_gates, stage_gates
from training.evaluation.next_stage import StageTest, judge_stage
from training.fitting.base_rate import shares_floor
from training.fitting.next_stage import FittedStage, fit_stage
from training.run.forms.contract import Question, TargetResult

METRICS = ("log_loss", "log_loss_of_shares", "accuracy", "days_off")
"""The figures of the test in the card."""


@dataclass(frozen=True, eq=False)
class StageResult(TargetResult[FittedStage, StageScorer, StageTest]):
    """The result of a stage: the accuracy of the likeliest answer, the log loss, and the error of the days."""

    form: ClassVar[str] = StageScorer.form
    tiers: ClassVar[tuple[str, ...]] = tuple(STAGE_TIERS)

    @classmethod
    def fit(cls, question: Question, tiers: tuple[str, ...]) -> FittedStage:
        """The best of these tiers on unseen rows."""
        return fit_stage(question.gathered, question.seed, tiers)

    @classmethod
    def floor(cls, question: Question) -> FittedStage:
        """The shares of the latest period."""
        return shares_floor(question.gathered)

    @classmethod
    def adopted(cls, model: StageScorer, beside: FittedStage, tested: StageScorer | None) -> FittedStage:
        """An existing model, in the form of one fitted on the same rows as `beside`."""
        return FittedStage(model, beside.rate)

    @classmethod
    def tested(cls, question: Question, fitted: FittedStage, rival: StageScorer | None) -> StageTest:
        """The log loss on the rows of the test."""
        return judge_stage(fitted.scorer.tier, question.gathered.dataset, None if rival is None else rival.tier)

    @classmethod
    def gates_of(cls, target: str, tier: str, test: StageTest) -> list[Gate]:
        """The gates beside the shares of the latest period."""
        return stage_gates(target, tier, test.worse)

    def gates_beside(self, rival: StageScorer) -> list[Gate]:
        """The gates beside the champion's model."""
        if self.test is None or self.test.over_champion is None:
            return []
        return stage_champion_gates(self.target.name, self.model.tier.name, self.test.over_champion)

    @property
    def model(self) -> StageScorer:
        """The model that answers the target."""
        return self.fitted.scorer

    def with_test(self, card: TargetCard, test: StageTest) -> TargetCard:
        """The card with the figures of the test."""
        evidence = self.evidence(self.gates, calibrated=True)
        return replace(card, evidence=evidence, metrics={name: float(getattr(test, name)) for name in METRICS})
