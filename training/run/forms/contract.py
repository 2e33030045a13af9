"""The interface of a target's result in a run, whatever the form of its answer: fitting, judging and reporting."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, ClassVar, Generic, Self, TypeVar

import numpy as np
from numpy.typing import NDArray

from features.events import DAY
from models.bundle.catalogue import Model
from models.bundle.manifest import TargetCard
from models.prediction.estimate import evidence_of
from models.prediction.interval import INTERVAL
from models.prediction.tiers import Prior
from training.evaluation.gates import FITS, NEARER, Gate, earned
from training.fitting.amounts import FittedAmount
from training.fitting.candidates import Candidate
from training.fitting.next_stage import FittedStage
from training.fitting.tier_selection import FittedScorer, needed
from training.rows.dataset import Counts, Gathered, Slice
from training.rows.slices import Rows, described
from training.run.cards import Findings
from training.run.figures import Figures
from training.run.tables import Table
from training.targets import Target

F = TypeVar("F", FittedScorer, FittedAmount, FittedStage)
"""A fitted model of this form, with the details of its fit."""

M = TypeVar("M", bound=Model)
"""A model of this form."""

T = TypeVar("T")
"""The result of a test of this form."""


@dataclass(frozen=True, eq=False)
class Question:
    """One target with its rows, the settings of its trees from a study, and the trees of a cluster, if any."""

    gathered: Gathered
    seed: int
    tuned: Mapping[str, float] = field(default_factory=dict)
    trees: Candidate | None = None

    @property
    def target(self) -> Target:
        """The target."""
        return self.gathered.target


@dataclass(frozen=True, eq=False)
class TargetResult(ABC, Generic[F, M, T]):
    """One target of a run: the fit of its model, and the result of its test.

    `missing` says why there is no `test` yet, and is empty where there is one. `slices` describe the rows by slice.
    `gates` are the target's own, without those of the comparison with the champion.
    """

    target: Target
    counts: Counts
    fitted: F
    missing: str
    slices: Mapping[str, Rows]
    test: T | None
    gates: Sequence[Gate]

    form: ClassVar[str]
    """The form of the answer: `probability`, `amount` or `stage`."""

    tiers: ClassVar[tuple[str, ...]]
    """The tiers of this form, the lowest first."""

    answers: ClassVar[type[np.generic]] = np.int8
    """The type of the rows' labels."""

    # Fitting.

    @classmethod
    @abstractmethod
    def fit(cls, question: Question, tiers: tuple[str, ...]) -> F:
        """The best of these tiers on unseen rows."""

    @classmethod
    @abstractmethod
    def floor(cls, question: Question) -> F:
        """The base rate of the latest period. Raises `NotEnoughHistory` where the rows cannot be split by time."""

    @classmethod
    @abstractmethod
    def adopted(cls, model: M, beside: F, tested: M | None) -> F:
        """An existing model, in the form of one fitted on the same rows as `beside`; `tested` is the one to judge."""

    # What an existing model has been trained on.

    @classmethod
    def learnt_from(cls, gathered: Gathered) -> Slice:
        """The rows on which the model served was trained."""
        return (
            gathered.rows
            if gathered.split is None
            else gathered.rows.where(gathered.rows.cutoff < gathered.split.test[0])
        )

    @classmethod
    def new_to(cls, gathered: Gathered, now: int, until: int) -> bool:
        """Whether a model of the log up to `now` was trained on none of the test rows, in a log up to `until`."""
        return now <= until

    @classmethod
    def as_of_test(cls, model: M, gathered: Gathered) -> M:
        """The model as it was known when the test began."""
        return model

    @classmethod
    def as_of_end(cls, model: M, gathered: Gathered) -> M:
        """The model as it is known today."""
        return model

    # Judging.

    @classmethod
    def judge(cls, question: Question, fitted: F, rival: M | None, tier: str = "") -> Self:
        """The result of the test, also beside a rival; without gates where there is no test yet.

        The gates name the `tier`, by default that of the model.
        """
        gathered, target = question.gathered, question.target
        if gathered.split is None:
            return cls(target, gathered.counts, fitted, gathered.missing, {}, None, ())
        test = cls.tested(question, fitted, rival)
        gates = cls.gates_of(target.name, tier or fitted.scorer.tier.name, test)
        return cls(target, gathered.counts, fitted, "", described(gathered.dataset), test, gates)

    @classmethod
    @abstractmethod
    def tested(cls, question: Question, fitted: F, rival: M | None) -> T:
        """The figures on the rows of the test."""

    @classmethod
    @abstractmethod
    def gates_of(cls, target: str, tier: str, test: T) -> list[Gate]:
        """The gates that the test has to pass under the name of this tier."""

    @abstractmethod
    def gates_beside(self, rival: M) -> list[Gate]:
        """The gates of the comparison with the champion's model, which was in the test; none without a test."""

    def described_further(self, question: Question) -> Self:
        """The result with details that are computed only for the model that answers, because they take time."""
        return self

    # Reporting.

    @property
    @abstractmethod
    def model(self) -> M:
        """The model that answers the target."""

    @property
    def card(self) -> TargetCard:
        """The target's card in the bundle."""
        card = replace(_untested(self), missing=self.missing)
        return card if self.test is None else self.with_test(card, self.test)

    @abstractmethod
    def with_test(self, card: TargetCard, test: T) -> TargetCard:
        """The card with the results of the test."""

    @property
    def calibration(self) -> str:
        """The kind of calibration of the model."""
        return "identity"

    @property
    def figures(self) -> Figures:
        """The figures of the test by model and metric, the tested model first; empty where there are none."""
        return {}

    @property
    def findings(self) -> Findings | None:
        """The results of the test for the model card; None where there are none."""
        return Findings(self.figures) if self.figures else None

    @property
    def examples(self) -> NDArray[np.float32] | None:
        """Some rows of the test, float32[n, features]; None where the result does not keep them."""
        return None

    def metrics(self) -> dict[str, float]:
        """Every figure of the test by name, such as `rfm_logistic/roc_auc_low`; the tested model's name is left out."""
        return {}

    def files(self) -> dict[str, bytes]:
        """Tables of the test by file name."""
        return {}

    def pictures(self, seed: int) -> dict[str, bytes]:
        """Plots of the test by file name; each takes a good part of a second to draw."""
        return {}

    def tables(self) -> list[Table]:
        """The figures of the test as tables."""
        return []

    @property
    def section(self) -> str:
        """The section of the JSON report for this target."""
        return "others"

    def to_json(self, card: TargetCard) -> dict[str, Any]:
        """The entry of this target in the JSON report; `card` is the one in the bundle."""
        return card.to_fields()

    def evidence(self, gates: Sequence[Gate], *, calibrated: bool) -> str:
        """The letter that the gates of a test earned; without gates there was no test."""
        fits, learnt = earned(gates, [FITS, NEARER]), self.model.tier.name != Prior.name
        return evidence_of(tested=bool(gates), ranks=earned(gates), fits=fits, calibrated=calibrated, learnt=learnt)


AnyResult = TargetResult[Any, Any, Any]
"""The result of a target whose form is looked up."""


def _untested(result: AnyResult) -> TargetCard:
    """The card of a target without a test."""
    target, fitted = result.target, result.fitted
    return TargetCard(
        definition=target.definition,
        scope=target.scope_text,
        horizon_days=target.horizon / DAY,
        base_rate=fitted.rate,
        calibration=result.calibration,
        form=target.form,
        tier=result.model.tier.name,
        evidence=result.evidence((), calibrated=False),
        doc=target.doc,
        prior=target.prior,
        interval=INTERVAL,
        counts=asdict(result.counts),
        losses=dict(fitted.losses),
        needed=needed(target),
    )
