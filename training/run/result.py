"""What a training run found, as objects, as JSON and as tables for people."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from models.bundle.bundle import Bundle, TargetCard
from models.bundle.readiness import served
from training.evaluation.evaluation import Figure
from training.evaluation.gates import Gate
from training.recommenders.evaluation import RankingEvaluation
from training.recommenders.selection import TrainedRecommender
from training.run.promotion import Selected
from training.run.tables import (
    Table,
    amount_table,
    cutoff_table,
    figures_table,
    gate_table,
    ladder_table,
    ranking_table,
    reliability_table,
    served_table,
    target_table,
)
from training.run.target_result import AmountTarget, Others, TrainedTarget, UntestedTarget, missing_of, moment, parted
from training.tracking import Recorded

RECOMMENDER = "recommender"


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """Everything a run leaves behind.

    `selected` says of each target of the run what answers it; `gates` are all that were judged, those of models that
    were held back included. `folder` is where the bundle was written: the champion's place, or the challenger's.
    """

    bundle: Bundle
    selected: Mapping[str, Selected]
    recommended: TrainedRecommender
    gates: Sequence[Gate]
    promoted: bool
    recorded: Recorded
    folder: Path

    @cached_property
    def _parted(self) -> tuple[dict[str, TrainedTarget], dict[str, UntestedTarget], dict[str, Others]]:
        return parted({name: each.trained for name, each in self.selected.items()})

    @property
    def targets(self) -> Mapping[str, TrainedTarget]:
        """The targets of a probability that were tested."""
        return self._parted[0]

    @property
    def untested(self) -> Mapping[str, UntestedTarget]:
        """The targets of a probability for which there is too little history."""
        return self._parted[1]

    @property
    def others(self) -> Mapping[str, Others]:
        """The targets that answer with an amount or a stage."""
        return self._parted[2]

    @property
    def ranking(self) -> RankingEvaluation | None:
        """The test of the recommender."""
        return self.recommended.ranking

    @property
    def skipped(self) -> dict[str, str]:
        """Why something has no test, the recommender included."""
        found = {name: missing_of(each.trained) for name, each in self.selected.items()}
        return {name: why for name, why in {**found, RECOMMENDER: self.recommended.unjudged}.items() if why}

    @property
    def served(self) -> dict[str, str]:
        """What answers each target and recommendations, and why nothing above it does."""
        return served(self.bundle.manifest)

    def to_json(self) -> dict[str, Any]:
        """The result as JSON values."""
        manifest = self.bundle.manifest
        cards = manifest.targets
        return {
            "bundle": {"version": self.bundle.version, "folder": str(self.folder), "fingerprint": manifest.fingerprint},
            "promoted": self.promoted,
            "served": self.served,
            "now": manifest.now,
            "seed": manifest.seed,
            "log_offset": manifest.log_offset,
            "git_commit": manifest.git_commit,
            "targets": {name: _target_json(each, cards[name]) for name, each in self.targets.items()},
            "untested": {name: cards[name].to_fields() for name in self.untested},
            "others": {name: cards[name].to_fields() for name in self.others},
            "recommender": _ranking_json(self.ranking),
            "gates": [{**asdict(gate), "passed": gate.passed} for gate in self.gates],
            "skipped": self.skipped,
            "mlflow": asdict(self.recorded),
        }

    def summary(self) -> list[Table]:
        """The report on a page: what answers each target and how well, the recommender, and what may be better."""
        manifest = self.bundle.manifest
        ranked = [] if self.ranking is None else [ranking_table(self.ranking)]
        return [figures_table(manifest, self.targets), *ranked, served_table(manifest)]

    def tables(self) -> list[Table]:
        """The whole report: a table of figures for each target and the recommender, the gates, and what is served."""
        each_of = (target_table, cutoff_table, reliability_table)
        reports = [table(name, each) for name, each in self.targets.items() for table in each_of]
        reports = [report for report in reports if report.rows]
        reports.insert(0, ladder_table(self.bundle.manifest.targets))
        reports += [amount_table(name, each) for name, each in self.others.items() if isinstance(each, AmountTarget)]
        if self.ranking is not None:
            reports.append(ranking_table(self.ranking))
        reports.append(gate_table(self.gates))
        if self.skipped:
            reports.append(Table("not tested", ("what", "why"), list(self.skipped.items())))
        reports.append(served_table(self.bundle.manifest))
        return reports


def _target_json(trained: TrainedTarget, card: TargetCard) -> dict[str, Any]:
    test = trained.evaluation
    return {
        "definition": card.definition,
        "scope": card.scope,
        "horizon_days": card.horizon_days,
        "base_rate": card.base_rate,
        "rung": card.rung,
        "evidence": card.evidence,
        "losses": dict(card.losses),
        "coverage": card.coverage,
        "reliability": card.to_fields()["reliability"],
        "counts": dict(card.counts),
        "rows": {part: rows.rows for part, rows in trained.slices.items()},
        "test_cutoffs": {moment(cutoff): figures for cutoff, figures in trained.at_each_cutoff().items()},
        "trees": trained.fitted.rounds,
        "calibration": card.calibration,
        "figures": _figures_json(test.figures),
        "over": _figures_json(test.over),
        "importance": dict(sorted(trained.fitted.importance.items(), key=lambda pair: -pair[1])[:20]),
    }


def _ranking_json(ranking: RankingEvaluation | None) -> dict[str, Any] | None:
    if ranking is None:
        return None
    return {
        "customers": ranking.customers,
        "items": ranking.items,
        "cutoff": ranking.cutoff,
        "taste": asdict(ranking.taste),
        "figures": _figures_json(ranking.figures),
        "over": _figures_json(ranking.over),
        "ratio_to_popularity": asdict(ranking.ratio),
    }


def _figures_json(figures: Mapping[str, Mapping[str, Figure]]) -> dict[str, dict[str, dict[str, float]]]:
    return {model: {name: asdict(figure) for name, figure in by.items()} for model, by in figures.items()}
