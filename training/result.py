"""What a training run found, as objects, as JSON and as tables for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from models.bundle import Bundle
from training.evaluation import Figure
from training.gates import Gate
from training.ranking import RankingEvaluation
from training.report import (
    Table,
    amount_table,
    cutoff_table,
    gate_table,
    ladder_table,
    ranking_table,
    reliability_table,
    target_table,
)
from training.tracking import Recorded
from training.trained import AmountTarget, StageTarget, TrainedTarget, UntestedTarget, moment

RECOMMENDER = "recommender"


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """Everything a run leaves behind.

    `targets` are those of a probability that were tested, `untested` those for which there is too little history, and
    `others` those that answer with an amount or a stage. `skipped` says why something has no test, the recommender
    included. `folder` is where the bundle was written: the champion's place when no gate holds it back, a place beside
    it otherwise.
    """

    bundle: Bundle
    targets: Mapping[str, TrainedTarget]
    untested: Mapping[str, UntestedTarget]
    others: Mapping[str, AmountTarget | StageTarget]
    ranking: RankingEvaluation | None
    gates: list[Gate]
    promoted: bool
    skipped: Mapping[str, str]
    recorded: Recorded
    folder: Path

    def to_json(self) -> dict[str, Any]:
        """The result as JSON values."""
        manifest = self.bundle.manifest
        return {
            "bundle": {"version": self.bundle.version, "folder": str(self.folder), "fingerprint": manifest.fingerprint},
            "promoted": self.promoted,
            "now": manifest.now,
            "seed": manifest.seed,
            "log_offset": manifest.log_offset,
            "git_commit": manifest.git_commit,
            "targets": {name: _target_json(each) for name, each in self.targets.items()},
            "untested": {name: each.card.to_fields() for name, each in self.untested.items()},
            "others": {name: each.card.to_fields() for name, each in self.others.items()},
            "recommender": _ranking_json(self.ranking),
            "gates": [{**asdict(gate), "passed": gate.passed} for gate in self.gates],
            "skipped": dict(self.skipped),
            "mlflow": asdict(self.recorded),
        }

    def tables(self) -> list[Table]:
        """The report: a table of figures for each target and the recommender, then the gates."""
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
        return reports


def _target_json(trained: TrainedTarget) -> dict[str, Any]:
    test, card = trained.evaluation, trained.card
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
