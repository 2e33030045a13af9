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
"""Features whose importance the report in JSON tells."""


@dataclass(frozen=True, eq=False)
class ProbabilityResult(TargetResult[FittedScorer, Scorer, ProbabilityTest]):
    """A probability: how well it ranks, whether it means what it says, and whether its interval holds."""

    form: ClassVar[str] = Scorer.form
    tiers: ClassVar[tuple[str, ...]] = tuple(TIERS)

    @classmethod
    def fit(cls, question: Question, tiers: tuple[str, ...]) -> FittedScorer:
        """The best of these tiers on rows it had not seen."""
        return select_tier(question.found, question.seed, tiers, question.tuned, question.trees)

    @classmethod
    def floor(cls, question: Question) -> FittedScorer:
        """The rate of the latest period."""
        return rate_floor(question.found)

    @classmethod
    def adopted(cls, model: Scorer, beside: FittedScorer, tested: Scorer | None) -> FittedScorer:
        """A model that is there already, as if fitted on the same rows as another; `tested` is what is judged."""
        return FittedScorer(model, beside.rate, judged=tested)

    @classmethod
    def learnt_from(cls, found: Gathered) -> Slice:
        """Every row whose answer was known, those of the test included."""
        return found.rows

    @classmethod
    def new_to(cls, found: Gathered, now: int, until: int) -> bool:
        """A probability is served by a model of every row whose answer was known, the newest included."""
        return now <= (until if found.split is None else int(found.split.test[0]))

    @classmethod
    def as_of_test(cls, model: Scorer, found: Gathered) -> Scorer:
        """The model at the level that was known when the test began: one recalibrated since knows what came in it."""
        if found.split is None:
            return model
        data = found.dataset
        return model.at(level_at(model, data.upto(data.calibrate), found, int(data.test.cutoff.min())))

    @classmethod
    def as_of_end(cls, model: Scorer, found: Gathered) -> Scorer:
        """The model at the level that is known today, as `waypost recalibrate` would have it."""
        return model.at(level_at(model, found.rows, found, found.end))

    @classmethod
    def tested(cls, question: Question, fitted: FittedScorer, rival: Scorer | None) -> ProbabilityTest:
        """What it said of the rows of the test, beside the baselines and the champion."""
        scorer = fitted.judged or fitted.scorer
        return judge_probability(scorer, question.found.dataset, question.seed, rival)

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
        """With the learning curve and the drift."""
        if self.test is None:
            return self
        data = question.found.dataset
        curve = learning_curve(data, self.fitted, question.seed)
        drifted = drifts(data, self.fitted, self.test.predictions[OWN])
        return replace(self, test=replace(self.test, curve=curve, drifts=drifted))

    @property
    def model(self) -> Scorer:
        """What answers the target."""
        return self.fitted.scorer

    @property
    def calibration(self) -> str:
        """The kind of curve over the model."""
        return self.model.shape.kind

    def with_test(self, card: TargetCard, test: ProbabilityTest) -> TargetCard:
        """The card with the figures of the test, and how reliable it is by stage and channel."""
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
                feature: {value: asdict(found) for value, found in parts.items()}
                for feature, parts in test.reliability.items()
            },
        )

    @property
    def figures(self) -> Figures:
        """The metrics of the model, the baselines and the champion."""
        return {} if self.test is None else self.test.evaluation.figures

    @property
    def findings(self) -> Findings | None:
        """The figures, and how many rows each slice has."""
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
        for cutoff, by_model in list(self.at_each_cutoff().items())[-1:]:
            metrics |= {f"newest_cutoff/{metric}": value for metric, value in by_model[OWN].items()}
            metrics["newest_cutoff/at"] = cutoff / 1e6
        return metrics

    def files(self) -> dict[str, bytes]:
        """What each feature adds."""
        if self.test is None:
            return {}
        return {"importance.json": json.dumps(dict(self.fitted.importance), indent=1).encode()}

    def pictures(self, seed: int) -> dict[str, bytes]:
        """Calibration, lift, drift, importance and the learning curve."""
        return {} if self.test is None else pictures(self.target.name, self.fitted, self.test, seed)

    def tables(self) -> list[Table]:
        """The figures, those at each cutoff, and how reliable it is; those that have rows."""
        if self.test is None:
            return []
        tables = [
            target_table(self.target, self.test),
            cutoff_table(self.target.name, self.test, self.at_each_cutoff()),
            reliability_table(self.target.name, self.test),
        ]
        return [table for table in tables if table.rows]

    def at_each_cutoff(self) -> dict[int, dict[str, dict[str, float]]]:
        """ROC-AUC and PR-AUC at each cutoff of the test alone, by cutoff, model and metric; oldest cutoff first.

        A target that is asked within visits has none.
        """
        if self.test is None or isinstance(self.target.moments, InVisit):
            return {}
        return self.test.at_each_cutoff()

    @property
    def section(self) -> str:
        """Where the report in JSON tells of it."""
        return "untested" if self.test is None else "targets"

    def to_json(self, card: TargetCard) -> dict[str, Any]:
        """The figures of the test with those of the card that say where they come from."""
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
            "test_cutoffs": {iso(cutoff): figures for cutoff, figures in self.at_each_cutoff().items()},
            "trees": self.fitted.rounds,
            "calibration": card.calibration,
            "figures": figures_json(self.test.evaluation.figures),
            "over": figures_json(self.test.evaluation.over),
            "importance": dict(importance[:MOST_IMPORTANT]),
        }
