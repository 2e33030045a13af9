"""A target whose answer is a probability."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from features.times import iso
from models.bundle.manifest import TargetCard
from models.prediction.scorer import Scorer
from models.prediction.tiers import TIERS
from training.evaluation.curves import drifts, learning_curve
from training.evaluation.gates import (
    CALIBRATED,
    CHAMPION,
    Gate,
    champion_gates,
    earned,
    interval_gate,
    scorer_gates,
    worse_by_stage,
)
from training.evaluation.money_at_stake import stake_metrics
from training.evaluation.probabilities import OWN, ProbabilityTest, judge_probability
from training.fitting.base_rate import rate_floor
from training.fitting.levels import level_at
from training.fitting.tier_selection import FittedScorer, select_tier
from training.rows.dataset import Gathered, Slice
from training.run.cards import Findings
from training.run.figures import Figures, compared, figures_json, flat
from training.run.forms.contract import Question, TargetResult
from training.run.forms.probability_report import cutoff_table, pictures, reliability_table, target_table
from training.run.tables import Table
from training.targets import InVisit

EXAMPLES = 5
MOST_IMPORTANT = 20
"""The number of features whose importance is in the JSON report."""


@dataclass(frozen=True, eq=False)
class ProbabilityResult(TargetResult[FittedScorer, Scorer, ProbabilityTest]):
    """The result of a probability: its ranking, its calibration, and the coverage of its interval."""

    form: ClassVar[str] = Scorer.form
    tiers: ClassVar[tuple[str, ...]] = tuple(TIERS)

    @classmethod
    def fit(cls, question: Question, tiers: tuple[str, ...]) -> FittedScorer:
        """The best of these tiers on unseen rows."""
        return select_tier(question.gathered, question.seed, tiers, question.tuned, question.trees)

    @classmethod
    def floor(cls, question: Question) -> FittedScorer:
        """The rate of the latest period."""
        return rate_floor(question.gathered)

    @classmethod
    def adopted(cls, model: Scorer, beside: FittedScorer, tested: Scorer | None) -> FittedScorer:
        """An existing model, in the form of one fitted on the same rows as `beside`; `tested` is the one to judge."""
        return FittedScorer(model, beside.rate, judged=tested)

    @classmethod
    def learnt_from(cls, gathered: Gathered) -> Slice:
        """Every row whose answer is known, including those of the test."""
        return gathered.rows

    @classmethod
    def new_to(cls, gathered: Gathered, now: int, until: int) -> bool:
        """Whether the model's log ends before the test: a probability's model is trained on all rows with an answer."""
        return now <= (until if gathered.split is None else int(gathered.split.test[0]))

    @classmethod
    def as_of_test(cls, model: Scorer, gathered: Gathered) -> Scorer:
        """The model at the level known when the test began: a recalibrated one has used the outcomes of the test."""
        if gathered.split is None:
            return model
        data = gathered.dataset
        return model.at(level_at(model, data.upto(data.calibrate), gathered, int(data.test.cutoff.min())))

    @classmethod
    def as_of_end(cls, model: Scorer, gathered: Gathered) -> Scorer:
        """The model at the level known today, as `waypost recalibrate` would set it."""
        return model.at(level_at(model, gathered.rows, gathered, gathered.end))

    @classmethod
    def tested(cls, question: Question, fitted: FittedScorer, rival: Scorer | None) -> ProbabilityTest:
        """The predictions for the rows of the test, beside the baselines and the champion."""
        scorer = fitted.judged or fitted.scorer
        return judge_probability(scorer, question.gathered.dataset, question.seed, rival)

    @classmethod
    def gates_of(cls, target: str, tier: str, test: ProbabilityTest) -> list[Gate]:
        """The gates beside the baselines, and that of the interval."""
        return [
            *scorer_gates(target, tier, test.evaluation),
            interval_gate(target, tier, test.coverage, len(test.rows)),
        ]

    def gates_beside(self, rival: Scorer) -> list[Gate]:
        """The gates beside the champion's model, in every stage, too."""
        if self.test is None:
            return []
        rows, said = self.test.rows, self.test.predictions
        stage = rows.features[:, self.test.names.index("stage")]
        stages = worse_by_stage(said[OWN], said[CHAMPION], rows.labels, rows.customer, stage)
        return champion_gates(self.target.name, self.test.evaluation, self.model.tier, rival.tier, stages)

    def described_further(self, question: Question) -> Self:
        """The result with the learning curve and the drift."""
        if self.test is None:
            return self
        data = question.gathered.dataset
        curve = learning_curve(data, self.fitted, question.seed)
        drifted = drifts(data, self.fitted, self.test.predictions[OWN])
        return replace(self, test=replace(self.test, curve=curve, drifts=drifted))

    @property
    def model(self) -> Scorer:
        """The model that answers the target."""
        return self.fitted.scorer

    @property
    def calibration(self) -> str:
        """The kind of calibration of the model."""
        return self.model.shape.kind

    def with_test(self, card: TargetCard, test: ProbabilityTest) -> TargetCard:
        """The card with the figures of the test, and the reliability by stage and channel."""
        metrics = flat(test.evaluation.figures[OWN]) | {
            f"{name}_over_{baseline}": figure.value
            for baseline, differences in test.evaluation.over.items()
            for name, figure in differences.items()
            if name == "roc_auc" and baseline != CHAMPION
        }
        return replace(
            card,
            base_rate=test.evaluation.base_rate,
            evidence=self.evidence(self.gates, calibrated=earned(self.gates, [CALIBRATED])),
            metrics=metrics | stake_metrics(self.target.name, test.names, test.rows, test.predictions[OWN]),
            coverage=test.coverage,
            reliability={
                feature: {value: asdict(part) for value, part in parts.items()}
                for feature, parts in test.reliability.items()
            },
        )

    @property
    def figures(self) -> Figures:
        """The metrics of the model, the baselines and the champion."""
        return {} if self.test is None else self.test.evaluation.figures

    @property
    def findings(self) -> Findings | None:
        """The figures, and the number of rows of each slice."""
        return Findings(self.figures, {part: rows.rows for part, rows in self.slices.items()}) if self.figures else None

    @property
    def examples(self) -> NDArray[np.float32] | None:
        """The first rows of the test."""
        return None if self.test is None else np.ascontiguousarray(self.test.rows.features[:EXAMPLES])

    def metrics(self) -> dict[str, float]:
        """The figures by name, and those of the newest cutoff alone, with its time in seconds."""
        if self.test is None:
            return {}
        metrics = compared(self.test.evaluation.figures, self.test.evaluation.over)
        for cutoff, by_model in list(self.by_cutoff().items())[-1:]:
            metrics |= {f"newest_cutoff/{metric}": value for metric, value in by_model[OWN].items()}
            metrics["newest_cutoff/at"] = cutoff / 1e6
        return metrics

    def files(self) -> dict[str, bytes]:
        """The importance of each feature."""
        if self.test is None:
            return {}
        return {"importance.json": json.dumps(dict(self.fitted.importance), indent=1).encode()}

    def pictures(self, seed: int) -> dict[str, bytes]:
        """Calibration, lift, drift, importance and the learning curve."""
        return {} if self.test is None else pictures(self.target.name, self.fitted, self.test, seed)

    def tables(self) -> list[Table]:
        """The tables that have rows: the figures, those at each cutoff, and the reliability."""
        if self.test is None:
            return []
        tables = [
            target_table(self.target, self.test),
            cutoff_table(self.target.name, self.test, self.by_cutoff()),
            reliability_table(self.target.name, self.test),
        ]
        return [table for table in tables if table.rows]

    def by_cutoff(self) -> dict[int, dict[str, dict[str, float]]]:
        """ROC-AUC and PR-AUC at each cutoff of the test alone, by cutoff, model and metric; oldest cutoff first.

        Empty for a target within visits.
        """
        if self.test is None or isinstance(self.target.timing, InVisit):
            return {}
        return self.test.by_cutoff()

    @property
    def section(self) -> str:
        """The section of the JSON report for this target."""
        return "untested" if self.test is None else "targets"

    def to_json(self, card: TargetCard) -> dict[str, Any]:
        """The figures of the test, with the fields of the card that describe them."""
        if self.test is None:
            return card.to_fields()
        importance = sorted(self.fitted.importance.items(), key=lambda pair: -pair[1])
        return {
            "definition": card.definition,
            "scope": card.scope,
            "horizon_days": card.horizon_days,
            "base_rate": card.base_rate,
            "tier": card.tier,
            "evidence": card.evidence,
            "losses": dict(card.losses),
            "coverage": card.coverage,
            "reliability": card.to_fields()["reliability"],
            "counts": dict(card.counts),
            "rows": {part: rows.rows for part, rows in self.slices.items()},
            "test_cutoffs": {iso(cutoff): figures for cutoff, figures in self.by_cutoff().items()},
            "trees": self.fitted.rounds,
            "calibration": card.calibration,
            "figures": figures_json(self.test.evaluation.figures),
            "over": figures_json(self.test.evaluation.over),
            "importance": dict(importance[:MOST_IMPORTANT]),
        }
