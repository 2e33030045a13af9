"""The results of a training run, as objects, as JSON and as tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from models.bundle.bundle import Bundle
from models.bundle.readiness import served
from training.evaluation.gates import Gate
from training.recommenders.evaluation import RankingEvaluation
from training.recommenders.selection import FittedRecommender
from training.run.figures import figures_json
from training.run.forms.contract import AnyResult
from training.run.promotion import Selected
from training.run.tables import (
    Table,
    figures_table,
    gate_table,
    ranking_table,
    served_table,
    tier_table,
)
from training.tracking import Recorded

RECOMMENDER = "recommender"

SECTIONS = ("targets", "untested", "others")
"""The sections of the JSON report: tested probabilities, untested probabilities, and amounts and stages."""


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """All results of a run.

    `selected` are the models that answer the targets of the run; `gates` are all that were judged, including those of
    models that were held back. `folder` is where the bundle was written: the champion's folder, or the challenger's.
    """

    bundle: Bundle
    selected: Mapping[str, Selected]
    recommended: FittedRecommender
    gates: Sequence[Gate]
    promoted: bool
    recorded: Recorded
    folder: Path

    def section(self, name: str) -> dict[str, AnyResult]:
        """The results of the targets in one section of the report, one of `SECTIONS`, by name."""
        return {
            target: selection.result for target, selection in self.selected.items() if selection.result.section == name
        }

    @property
    def ranking(self) -> RankingEvaluation | None:
        """The test of the recommender."""
        return self.recommended.ranking

    @property
    def skipped(self) -> dict[str, str]:
        """Why a target, or the recommender, has no test."""
        reasons = {name: selection.result.missing for name, selection in self.selected.items()}
        return {name: why for name, why in {**reasons, RECOMMENDER: self.recommended.unjudged}.items() if why}

    @property
    def served(self) -> dict[str, str]:
        """The tier that answers each target and recommendations, and why no higher one does."""
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
            **{
                section: {name: result.to_json(cards[name]) for name, result in self.section(section).items()}
                for section in SECTIONS
            },
            "recommender": _ranking_json(self.ranking),
            "gates": [{**asdict(gate), "passed": gate.passed} for gate in self.gates],
            "skipped": self.skipped,
            "mlflow": asdict(self.recorded),
        }

    def summary(self) -> list[Table]:
        """The report on a page: the tier of each target and its figures, the recommender, and possible improvements."""
        manifest = self.bundle.manifest
        tested = {name: result.figures for name, result in self.section("targets").items()}
        ranked = [] if self.ranking is None else [ranking_table(self.ranking)]
        return [figures_table(manifest, tested), *ranked, served_table(manifest)]

    def tables(self) -> list[Table]:
        """The whole report: tables of figures for each target and the recommender, the gates, and the tiers served."""
        reports = [tier_table(self.bundle.manifest.targets)]
        for section in SECTIONS:
            reports += [table for result in self.section(section).values() for table in result.tables()]
        if self.ranking is not None:
            reports.append(ranking_table(self.ranking))
        reports.append(gate_table(self.gates))
        if self.skipped:
            reports.append(Table("not tested", ("what", "why"), list(self.skipped.items())))
        reports.append(served_table(self.bundle.manifest))
        return reports


def _ranking_json(ranking: RankingEvaluation | None) -> dict[str, Any] | None:
    if ranking is None:
        return None
    return {
        "customers": ranking.customers,
        "items": ranking.items,
        "cutoff": ranking.cutoff,
        "settings": asdict(ranking.settings),
        "figures": figures_json(ranking.figures),
        "over": figures_json(ranking.over),
        "ratio_to_popularity": asdict(ranking.ratio),
    }
