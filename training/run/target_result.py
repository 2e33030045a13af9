"""What a run makes of each target, and the card that says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

from features.events import DAY
from models.bundle.bundle import TargetCard
from models.prediction.amount import AmountScorer
from models.prediction.estimate import evidence_of
from models.prediction.interval import INTERVAL
from models.prediction.next_stage import StageScorer
from models.prediction.scorer import Scorer
from models.prediction.tiers import Prior
from training.evaluation.amounts import AmountTest
from training.evaluation.curves import Curve, Drift
from training.evaluation.evaluation import Evaluation, Figure, plain_figures
from training.evaluation.gates import CALIBRATED, CHAMPION, FITS, NEARER, Gate, earned
from training.evaluation.money_at_stake import stake_metrics
from training.evaluation.next_stage import StageTest
from training.evaluation.reliability import Reliability, reliability_by_part
from training.fitting.amounts import FittedAmount
from training.fitting.next_stage import FittedStage
from training.fitting.tier_selection import FittedScorer, needed
from training.rows.dataset import Counts, Slice
from training.rows.slices import Rows
from training.targets import InVisit, Target

AT_CUTOFFS = ("roc_auc", "pr_auc")
"""The metrics that are shown at each cutoff."""


@dataclass(frozen=True, eq=False)
class TrainedTarget:
    """One target with a test: its scorer, and what the test found. `predictions` are of the rows of `test`, by model.

    `names` are the columns of the rows. `gates` are its own, without those beside the champion; `coverage` is that of
    the interval, `curve` that of learning, `drifts` how far the test is from what was learnt.
    """

    target: Target
    counts: Counts
    names: tuple[str, ...]
    slices: Mapping[str, Rows]
    fitted: FittedScorer
    test: Slice
    evaluation: Evaluation
    predictions: Mapping[str, NDArray[np.float64]]
    coverage: float
    gates: Sequence[Gate]
    curve: Curve | None = None
    drifts: Sequence[Drift] = ()

    @property
    def model(self) -> Scorer:
        """What answers the target."""
        return self.fitted.scorer

    @property
    def card(self) -> TargetCard:
        """What the bundle says of the target."""
        own = next(iter(self.evaluation.figures.values()))
        metrics = flat(own) | {
            f"{name}_over_{baseline}": figure.value
            for baseline, differences in self.evaluation.over.items()
            for name, figure in differences.items()
            if name == "roc_auc" and baseline != CHAMPION
        }
        return replace(
            card_of(self.target, self.counts, self.fitted),
            base_rate=self.evaluation.base_rate,
            evidence=_evidence(self.model.rung.name, self.gates, earned(self.gates, [CALIBRATED])),
            metrics=metrics | stake_metrics(self.target.name, self.names, self.test, self.predictions["model"]),
            coverage=self.coverage,
            reliability={
                feature: {value: asdict(found) for value, found in parts.items()}
                for feature, parts in self.reliability.items()
            },
        )

    @property
    def reliability(self) -> dict[str, dict[str, Reliability]]:
        """Whether the probabilities hold in each stage and channel, by feature and value."""
        return reliability_by_part(self.test, self.names, self.predictions["model"])

    def at_each_cutoff(self) -> dict[int, dict[str, dict[str, float]]]:
        """ROC-AUC and PR-AUC at each cutoff of the test alone, by cutoff, model and metric; oldest cutoff first.

        Cutoffs at which everybody gave the same answer are left out; a target that is asked within visits has none.
        """
        if isinstance(self.target.moments, InVisit):
            return {}
        test, found = self.test, {}
        for cutoff in np.unique(test.cutoff).tolist():
            rows = test.cutoff == cutoff
            if 0 < int(test.labels[rows].sum()) < int(rows.sum()):
                found[cutoff] = {
                    model: plain_figures(given[rows], test.labels[rows], AT_CUTOFFS)
                    for model, given in self.predictions.items()
                }
        return found


@dataclass(frozen=True, eq=False)
class UntestedTarget:
    """One target whose rows cannot be parted by time yet: it is answered on the rung that they allow."""

    target: Target
    counts: Counts
    fitted: FittedScorer
    missing: str
    gates: Sequence[Gate] = ()

    @property
    def model(self) -> Scorer:
        """What answers the target."""
        return self.fitted.scorer

    @property
    def card(self) -> TargetCard:
        """What the bundle says of the target."""
        return replace(card_of(self.target, self.counts, self.fitted), missing=self.missing)


@dataclass(frozen=True, eq=False)
class AmountTarget:
    """One target whose answer is an amount; without a test where there is too little history, and `missing` says so."""

    target: Target
    counts: Counts
    fitted: FittedAmount
    missing: str
    test: AmountTest | None
    slices: Mapping[str, Rows]
    gates: Sequence[Gate] = ()

    @property
    def model(self) -> AmountScorer:
        """What answers the target."""
        return self.fitted.scorer

    @property
    def card(self) -> TargetCard:
        """What the bundle says of the target."""
        card = replace(card_of(self.target, self.counts, self.fitted), missing=self.missing)
        if self.test is None:
            return card
        return replace(
            card,
            base_rate=self.test.mean,
            evidence=_evidence(card.rung, self.gates, self.test.adds_up),
            metrics=flat(self.test.figures["model"]),
            coverage=self.test.coverage,
        )


@dataclass(frozen=True, eq=False)
class StageTarget:
    """One target whose answer is a stage; without a test where there is too little history, and `missing` says so."""

    target: Target
    counts: Counts
    fitted: FittedStage
    missing: str
    test: StageTest | None
    slices: Mapping[str, Rows]
    gates: Sequence[Gate] = ()

    @property
    def model(self) -> StageScorer:
        """What answers the target."""
        return self.fitted.scorer

    @property
    def card(self) -> TargetCard:
        """What the bundle says of the target."""
        card = replace(card_of(self.target, self.counts, self.fitted), missing=self.missing)
        if self.test is None:
            return card
        names = ("log_loss", "log_loss_of_shares", "accuracy", "days_off")
        figures = {name: float(getattr(self.test, name)) for name in names}
        return replace(card, evidence=_evidence(card.rung, self.gates, True), metrics=figures)


Trained = TrainedTarget | UntestedTarget | AmountTarget | StageTarget
"""What a run makes of a target."""

Others = AmountTarget | StageTarget


def parted(
    trained: Mapping[str, Trained],
) -> tuple[dict[str, TrainedTarget], dict[str, UntestedTarget], dict[str, Others]]:
    """The probabilities that were tested, those that were not, and the amounts and stages."""
    return (
        {name: each for name, each in trained.items() if isinstance(each, TrainedTarget)},
        {name: each for name, each in trained.items() if isinstance(each, UntestedTarget)},
        {name: each for name, each in trained.items() if isinstance(each, Others)},
    )


def missing_of(trained: Trained) -> str:
    """What kept a target from being tested; empty where it was."""
    return "" if isinstance(trained, TrainedTarget) else trained.missing


def card_of(target: Target, counts: Counts, fitted: FittedScorer | FittedAmount | FittedStage) -> TargetCard:
    """What there is to say of a target without a test."""
    model = fitted.scorer
    return TargetCard(
        definition=target.definition,
        scope=target.scope_text,
        horizon_days=target.horizon / DAY,
        base_rate=fitted.rate,
        calibration=model.shape.kind if isinstance(model, Scorer) else "identity",
        form=target.form,
        rung=model.rung.name,
        evidence=_evidence(model.rung.name, (), False),
        doc=target.doc,
        prior=target.prior,
        interval=INTERVAL,
        counts=asdict(counts),
        losses=dict(fitted.losses),
        needed=needed(target),
    )


def _evidence(tier: str, gates: Sequence[Gate], calibrated: bool) -> str:
    """The letter that the gates of a test earned; without gates there was no test."""
    fits = earned(gates, [FITS, NEARER])
    return evidence_of(
        tested=bool(gates), ranks=earned(gates), fits=fits, calibrated=calibrated, learnt=tier != Prior.name
    )


def moment(at: int) -> str:
    """Microseconds since the epoch as ISO 8601, UTC, to the second."""
    return datetime.fromtimestamp(at // 1_000_000, UTC).isoformat().replace("+00:00", "Z")


def flat(figures: Mapping[str, Figure]) -> dict[str, float]:
    """Figures as numbers by name: `roc_auc`, `roc_auc_low`, `roc_auc_high`; those that are not finite are left out."""
    numbers: dict[str, float] = {}
    for name, figure in figures.items():
        numbers |= {name: figure.value, f"{name}_low": figure.low, f"{name}_high": figure.high}
    return {name: value for name, value in numbers.items() if np.isfinite(value)}
