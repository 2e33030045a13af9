"""What a training run found, as objects, as JSON and as tables for people."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.events import DAY
from features.grammar import duration_text
from models.bundle import Bundle, TargetCard
from training.dataset import Dataset
from training.evaluation import Evaluation, Figure, plain_figures
from training.gates import Gate, passed
from training.ranking import RankingEvaluation
from training.scorers import FittedScorer
from training.tracking import Recorded

SLICES = ("fit", "stop", "calibrate", "test")
RECOMMENDER = "recommender"


class Table(NamedTuple):
    """A table for people: every cell is a text or a whole number."""

    title: str
    columns: tuple[str, ...]
    rows: list[tuple[str | int, ...]]


@dataclass(frozen=True, eq=False)
class TrainedTarget:
    """One target: its rows, its scorer, and what the test found. `predictions` are of the test rows, by model."""

    data: Dataset
    fitted: FittedScorer
    evaluation: Evaluation
    predictions: Mapping[str, NDArray[np.float64]]

    @property
    def card(self) -> TargetCard:
        """What the bundle says of the target."""
        target, own = self.data.target, next(iter(self.evaluation.figures.values()))
        metrics = flat(own) | {
            f"{name}_over_{baseline}": figure.value
            for baseline, differences in self.evaluation.over.items()
            for name, figure in differences.items()
            if name == "roc_auc"
        }
        return TargetCard(
            definition=target.definition,
            scope=target.scope_text,
            horizon_days=target.horizon / DAY,
            base_rate=self.evaluation.base_rate,
            calibration=self.fitted.scorer.calibration.kind,
            metrics=metrics,
        )

    def at_each_cutoff(self) -> dict[int, dict[str, dict[str, float]]]:
        """ROC-AUC and PR-AUC at each cutoff of the test alone, by cutoff, model and metric; oldest cutoff first.

        Cutoffs at which everybody gave the same answer are left out.
        """
        test, found = self.data.test, {}
        for cutoff in np.unique(test.cutoff).tolist():
            rows = test.cutoff == cutoff
            if 0 < int(test.labels[rows].sum()) < int(rows.sum()):
                found[cutoff] = {
                    model: plain_figures(given[rows], test.labels[rows], _AT_CUTOFFS)
                    for model, given in self.predictions.items()
                }
        return found


@dataclass(frozen=True, eq=False)
class TrainingResult:
    """Everything a run leaves behind.

    `skipped` says of each target (or of the recommender) that could not be trained or judged why not. `folder` is where
    the bundle was written: the champion's place when it passed every gate, a place beside it otherwise.
    """

    bundle: Bundle
    targets: Mapping[str, TrainedTarget]
    ranking: RankingEvaluation | None
    gates: list[Gate]
    skipped: Mapping[str, str]
    recorded: Recorded
    folder: Path

    @property
    def promoted(self) -> bool:
        """Whether the bundle became the champion."""
        return passed(self.gates)

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
            "recommender": _ranking_json(self.ranking),
            "gates": [{**asdict(gate), "passed": gate.passed} for gate in self.gates],
            "skipped": dict(self.skipped),
            "mlflow": asdict(self.recorded),
        }

    def tables(self) -> list[Table]:
        """The report: a table of figures for each target and the recommender, then the gates."""
        reports = [table(name, each) for name, each in self.targets.items() for table in (_target_table, _cutoff_table)]
        if self.ranking is not None:
            reports.append(_ranking_table(self.ranking))
        reports.append(_gate_table(self.gates))
        if self.skipped:
            reports.append(Table("not trained", ("what", "why"), list(self.skipped.items())))
        return reports


def moment(at: int) -> str:
    """Microseconds since the epoch as ISO 8601, UTC, to the second."""
    return datetime.fromtimestamp(at // 1_000_000, UTC).isoformat().replace("+00:00", "Z")


def flat(figures: Mapping[str, Figure]) -> dict[str, float]:
    """Figures as numbers by name: `roc_auc`, `roc_auc_low`, `roc_auc_high`; those that are not finite are left out."""
    numbers: dict[str, float] = {}
    for name, figure in figures.items():
        numbers |= {name: figure.value, f"{name}_low": figure.low, f"{name}_high": figure.high}
    return {name: value for name, value in numbers.items() if np.isfinite(value)}


def metrics_of(targets: Mapping[str, TrainedTarget], ranking: RankingEvaluation | None) -> dict[str, float]:
    """Every figure of a run by name, such as `churn_28d/rfm_logistic/roc_auc_low`, the model's own without its name."""
    metrics: dict[str, float] = {}
    tests: dict[str, Evaluation | RankingEvaluation] = {name: each.evaluation for name, each in targets.items()}
    if ranking is not None:
        tests[RECOMMENDER] = ranking
        metrics |= {
            f"{RECOMMENDER}/{name}": value for name, value in flat({"ratio_to_popularity": ranking.ratio}).items()
        }
    for subject, test in tests.items():
        own, *_ = test.figures
        for model, figures in test.figures.items():
            prefix = subject if model == own else f"{subject}/{model}"
            metrics |= {f"{prefix}/{name}": value for name, value in flat(figures).items()}
        for baseline, figures in test.over.items():
            metrics |= {f"{subject}/over_{baseline}/{name}": value for name, value in flat(figures).items()}
    for name, each in targets.items():
        metrics |= {f"{name}/base_rate": each.evaluation.base_rate, f"{name}/trees": float(each.fitted.rounds)}
        for cutoff, by_model in list(each.at_each_cutoff().items())[-1:]:
            metrics |= {f"{name}/newest_cutoff/{metric}": value for metric, value in by_model["model"].items()}
            metrics[f"{name}/newest_cutoff/at"] = cutoff / 1e6
        metrics |= {f"{name}/rows_{part}": float(len(getattr(each.data, part))) for part in SLICES}
    return metrics


def _target_json(trained: TrainedTarget) -> dict[str, Any]:
    test, card = trained.evaluation, trained.card
    return {
        "definition": card.definition,
        "scope": card.scope,
        "horizon_days": card.horizon_days,
        "base_rate": card.base_rate,
        "rows": {part: len(getattr(trained.data, part)) for part in SLICES},
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


def _target_table(name: str, trained: TrainedTarget) -> Table:
    target, test = trained.data.target, trained.evaluation
    title = (
        f"{name}: {target.definition}, asked of {target.scope_text}; base rate {test.base_rate:.1%}; "
        f"{test.rows:,} rows of {test.customers:,} customers, horizon {duration_text(target.horizon)}"
    )
    metrics = list(next(iter(test.figures.values())))
    rows: list[tuple[str | int, ...]] = [
        (model, *(str(figures[metric]) for metric in metrics)) for model, figures in test.figures.items()
    ]
    return Table(title, ("model", *(_HEADINGS[metric] for metric in metrics)), rows)


def _cutoff_table(name: str, trained: TrainedTarget) -> Table:
    rows: list[tuple[str | int, ...]] = []
    for cutoff, by_model in trained.at_each_cutoff().items():
        shown = [f"{by_model[model][metric]:.3f}" for model in ("model", _CLASSIC) for metric in _AT_CUTOFFS]
        rows.append((moment(cutoff), int((trained.data.test.cutoff == cutoff).sum()), *shown))
    columns = ("cutoff", "rows", "ROC-AUC", "PR-AUC", f"ROC-AUC {_CLASSIC}", f"PR-AUC {_CLASSIC}")
    return Table(f"{name} at each cutoff of the test", columns, rows)


def _ranking_table(ranking: RankingEvaluation) -> Table:
    title = (
        f"recommender: what {ranking.customers:,} customers bought in the next 7 days, ranked against all "
        f"{ranking.items:,} items; NDCG@20 is {ranking.ratio.value:.2f} times that of popularity"
    )
    rows: list[tuple[str | int, ...]] = [
        (model, *map(str, figures.values())) for model, figures in ranking.figures.items()
    ]
    return Table(title, ("model", "NDCG@20", "recall@20"), rows)


def _gate_table(gates: list[Gate]) -> Table:
    rows: list[tuple[str | int, ...]] = []
    for gate in gates:
        wanted = f"{'at most' if gate.at_most else 'above'} {gate.threshold:g}"
        verdict = "passed" if gate.passed else "FAILED"
        rows.append((gate.subject, gate.condition, f"{gate.value:.4f}", wanted, verdict))
    return Table("gates", ("model", "condition", "found", "wanted", ""), rows)


_AT_CUTOFFS = ("roc_auc", "pr_auc")
_CLASSIC = "rfm_logistic"
_HEADINGS = {
    "roc_auc": "ROC-AUC",
    "pr_auc": "PR-AUC",
    "log_loss": "log loss",
    "brier": "Brier",
    "calibration_error": "calibration error",
    "lift_at_10": "lift at 10 %",
}
