"""A target whose answer is an amount."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from models.bundle.manifest import TargetCard
from models.prediction.amount import AMOUNT_TIERS, AmountScorer
from training.evaluation.amounts import OWN, AmountTest, judge_amount
from training.evaluation.gates import Gate, amount_champion_gates, amount_gates
from training.fitting.amounts import FittedAmount, fit_amount
from training.fitting.base_rate import mean_floor
from training.run.figures import Figures, compared, flat
from training.run.forms.contract import Question, TargetResult
from training.run.tables import Table


@dataclass(frozen=True, eq=False)
class AmountResult(TargetResult[FittedAmount, AmountScorer, AmountTest]):
    """The result of an amount: its errors, and whether the amounts add up."""

    form: ClassVar[str] = AmountScorer.form
    tiers: ClassVar[tuple[str, ...]] = tuple(AMOUNT_TIERS)
    answers: ClassVar[type[np.generic]] = np.float32

    @classmethod
    def fit(cls, question: Question, tiers: tuple[str, ...]) -> FittedAmount:
        """The best of these tiers on unseen rows."""
        return fit_amount(question.gathered, question.seed, tiers)

    @classmethod
    def floor(cls, question: Question) -> FittedAmount:
        """The mean of the latest period."""
        return mean_floor(question.gathered)

    @classmethod
    def adopted(cls, model: AmountScorer, beside: FittedAmount, tested: AmountScorer | None) -> FittedAmount:
        """An existing model, in the form of one fitted on the same rows as `beside`."""
        return FittedAmount(model, beside.rate)

    @classmethod
    def tested(cls, question: Question, fitted: FittedAmount, rival: AmountScorer | None) -> AmountTest:
        """The errors on the rows of the test."""
        champion = None if rival is None else rival.tier
        return judge_amount(fitted.scorer.tier, question.gathered.dataset, question.seed, champion)

    @classmethod
    def gates_of(cls, target: str, tier: str, test: AmountTest) -> list[Gate]:
        """The gates beside the mean of the latest period."""
        return amount_gates(target, tier, test.over)

    def gates_beside(self, rival: AmountScorer) -> list[Gate]:
        """The gates beside the champion's model."""
        if self.test is None:
            return []
        return amount_champion_gates(self.target.name, self.model.tier.name, self.test.over)

    @property
    def model(self) -> AmountScorer:
        """The model that answers the target."""
        return self.fitted.scorer

    def with_test(self, card: TargetCard, test: AmountTest) -> TargetCard:
        """The card with the mean, the errors and the coverage of the interval."""
        return replace(
            card,
            base_rate=test.mean,
            evidence=self.evidence(self.gates, calibrated=test.adds_up),
            metrics=flat(test.figures[OWN]),
            coverage=test.coverage,
        )

    @property
    def figures(self) -> Figures:
        """The errors by model."""
        return {} if self.test is None else self.test.figures

    def metrics(self) -> dict[str, float]:
        """The errors, and their differences from those of the baselines."""
        return {} if self.test is None else compared(self.test.figures, self.test.over)

    def tables(self) -> list[Table]:
        """The errors of the model and of the baselines, or why there are none."""
        test, name = self.test, self.target.name
        if test is None:
            return [Table(f"{name}: not tested", ("why",), [(self.missing,)])]
        title = (
            f"{name}: {self.target.definition}, for {self.target.scope_text}; mean {test.mean:.2f}; "
            f"{test.rows:,} rows; predicted {test.total:.1%} of the total; {test.coverage:.1%} inside the 90 % interval"
        )
        columns = ("model", "mean absolute error", "root mean squared error", "predicted share of the total")
        rows: list[tuple[str | int, ...]] = [
            (model, str(figures["mae"]), str(figures["rmse"]), str(figures["total"]))
            for model, figures in test.figures.items()
        ]
        return [Table(title, columns, rows)]
