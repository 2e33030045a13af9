"""What a run makes of a target, whatever the form of its answer: fitted, judged, and told of."""

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
from training.fitting.candidates import Way
from training.fitting.next_stage import FittedStage
from training.fitting.tier_selection import FittedScorer, needed
from training.rows.dataset import Counts, Gathered, Slice
from training.rows.slices import Rows, described
from training.run.cards import Findings
from training.run.figures import Figures
from training.run.tables import Table
from training.targets import Target

F = TypeVar("F", FittedScorer, FittedAmount, FittedStage)
"""How a model of this form came about."""

M = TypeVar("M", bound=Model)
"""What answers a target of this form."""

T = TypeVar("T")
"""What a test of this form found."""


@dataclass(frozen=True, eq=False)
class Question:
    """One target with its rows, and how it is fitted: the settings of its trees and, from a cluster, how they grow."""

    found: Gathered
    seed: int
    tuned: Mapping[str, float] = field(default_factory=dict)
    trees: Way | None = None

    @property
    def target(self) -> Target:
        """What is asked."""
        return self.found.target


@dataclass(frozen=True, eq=False)
class TargetResult(ABC, Generic[F, M, T]):
    """One target of a run: how its model was fitted, and what the test found of it.

    `missing` says why there is no `test` yet, and is empty where there is one. `slices` are the rows that were parted.
    `gates` are the target's own, without those beside the champion.
    """

    target: Target
    counts: Counts
    fitted: F
    missing: str
    slices: Mapping[str, Rows]
    test: T | None
    gates: Sequence[Gate]

    form: ClassVar[str]
    """What the answer is: `probability`, `amount` or `stage`."""

    tiers: ClassVar[tuple[str, ...]]
    """The tiers of this form, the lowest first."""

    answers: ClassVar[type[np.generic]] = np.int8
    """The type of the rows' answers."""

    # Fitting.

    @classmethod
    @abstractmethod
    def fit(cls, question: Question, tiers: tuple[str, ...]) -> F:
        """The best of these tiers on rows it had not seen."""

    @classmethod
    @abstractmethod
    def floor(cls, question: Question) -> F:
        """The base rate of the latest period. Raises `NotEnoughHistory` where the rows cannot be parted by time."""

    @classmethod
    @abstractmethod
    def adopted(cls, model: M, beside: F, tested: M | None) -> F:
        """A model that is there already, as if fitted on the same rows as another; `tested` is what is judged."""

    # A model that is there already: what it knows.

    @classmethod
    def learnt_from(cls, found: Gathered) -> Slice:
        """The rows that the model which is served has learnt from."""
        return found.rows if found.split is None else found.rows.where(found.rows.cutoff < found.split.test[0])

    @classmethod
    def new_to(cls, found: Gathered, now: int, until: int) -> bool:
        """Whether a model of the log up to `now` is asked about nothing it has learnt from, in a log up to `until`."""
        return now <= until

    @classmethod
    def as_of_test(cls, model: M, found: Gathered) -> M:
        """The model as it was known when the test began."""
        return model

    @classmethod
    def as_of_end(cls, model: M, found: Gathered) -> M:
        """The model as it is known today."""
        return model

    # Judging.

    @classmethod
    def judge(cls, question: Question, fitted: F, rival: M | None, tier: str = "") -> Self:
        """What the test finds of it, also beside a rival; without gates where there is no test yet.

        The gates name the `tier`, by default that of the model.
        """
        found, target = question.found, question.target
        if found.split is None:
            return cls(target, found.counts, fitted, found.missing, {}, None, ())
        test = cls.tested(question, fitted, rival)
        gates = cls.gates_of(target.name, tier or fitted.scorer.tier.name, test)
        return cls(target, found.counts, fitted, "", described(found.dataset), test, gates)

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
        """The gates beside the champion's model, which it was judged beside; none without a test."""

    def described_further(self, question: Question) -> Self:
        """With what is worth its time for what answers alone."""
        return self

    # Telling.

    @property
    @abstractmethod
    def model(self) -> M:
        """What answers the target."""

    @property
    def card(self) -> TargetCard:
        """What the bundle says of the target."""
        card = replace(_untested(self), missing=self.missing)
        return card if self.test is None else self.with_test(card, self.test)

    @abstractmethod
    def with_test(self, card: TargetCard, test: T) -> TargetCard:
        """The card with what the test found."""

    @property
    def calibration(self) -> str:
        """The kind of calibration of the model."""
        return "identity"

    @property
    def figures(self) -> Figures:
        """What the test found, by model and metric, the own model first; empty where there are no such figures."""
        return {}

    @property
    def findings(self) -> Findings | None:
        """What the page of the model tells of the test; None where there is nothing."""
        return Findings(self.figures) if self.figures else None

    @property
    def examples(self) -> NDArray[np.float32] | None:
        """Some rows of the test, float32[n, features], where they are at hand."""
        return None

    def metrics(self) -> dict[str, float]:
        """Every figure of the test by name, such as `rfm_logistic/roc_auc_low`, the own model's without its name."""
        return {}

    def files(self) -> dict[str, bytes]:
        """Tables of the test by file name."""
        return {}

    def pictures(self, seed: int) -> dict[str, bytes]:
        """Pictures of the test by file name; each takes a good part of a second to draw."""
        return {}

    def tables(self) -> list[Table]:
        """The figures of the test as tables for people."""
        return []

    @property
    def section(self) -> str:
        """Where the report in JSON tells of it."""
        return "others"

    def to_json(self, card: TargetCard) -> dict[str, Any]:
        """What the report in JSON tells of it; `card` is the one in the bundle."""
        return card.to_fields()

    def evidence(self, gates: Sequence[Gate], *, calibrated: bool) -> str:
        """The letter that the gates of a test earned; without gates there was no test."""
        fits, learnt = earned(gates, [FITS, NEARER]), self.model.tier.name != Prior.name
        return evidence_of(tested=bool(gates), ranks=earned(gates), fits=fits, calibrated=calibrated, learnt=learnt)


AnyResult = TargetResult[Any, Any, Any]
"""The result of a target whose form is looked up."""


def _untested(result: AnyResult) -> TargetCard:
    """What there is to say of a target without a test."""
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
