"""One customer at one moment, as plain data: the features, the stage and what the targets say."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from features.events import Stage
from features.fold.fold import Fold
from models.bundle.answers import AnyEstimate, reasons_of
from models.bundle.loaded import Champion
from models.prediction.estimate import Estimate
from serving.engine.state import CustomerState


class UnknownTargets(LookupError):
    """The champion does not have some targets asked for: `names` are those, `known` the ones that it has."""

    def __init__(self, names: list[str], known: list[str]) -> None:
        super().__init__(names, known)
        self.names, self.known = names, known


class CustomerScores(NamedTuple):
    """One customer at one moment: features, stage, and what the targets asked for say of the customer."""

    customer: str
    known: bool
    as_of: int
    features: NDArray[np.float32]
    stage: Stage | None
    targets: Sequence[str]
    """The targets that were asked for, in the order of the bundle."""
    estimates: Mapping[str, AnyEstimate]
    """The estimates of those targets whose scope the customer is in; of an unknown customer the base rates."""
    reasons: Mapping[str, list[dict[str, Any]]] | None
    """The reasons by target, strongest first; None where they were not asked for."""
    champion: Champion | None
    """Who scored; None when there was no model."""

    @property
    def values(self) -> dict[str, float]:
        """The probability or the amount of each target that has one."""
        return {name: estimate.value for name, estimate in self.estimates.items() if isinstance(estimate, Estimate)}

    @property
    def probabilities(self) -> dict[str, float]:
        """The probability of each target that has one."""
        rates = self.champion.base_rates if self.champion else {}
        estimates = ((name, self.estimates.get(name)) for name in rates)
        return {name: estimate.value for name, estimate in estimates if isinstance(estimate, Estimate)}


def is_known(fold: Fold, state: CustomerState, features: NDArray[np.float32]) -> bool:
    """Whether the customer did anything; the decisions of Waypost for the customer do not count."""
    return state.known and not np.isnan(features[fold.index["days_since_first"]])


def score(
    fold: Fold,
    state: CustomerState,
    now: int,
    champion: Champion | None,
    wanted: Collection[str] | None = None,
    *,
    explain: bool = False,
) -> CustomerScores:
    """Read and score the customer of a state at `now`, by all targets or those `wanted`.

    `explain` adds the reasons, which takes milliseconds.
    """
    as_of = max(now, state.received)
    features = fold.read(state.states, 0, as_of)
    known = is_known(fold, state, features)
    stage = Stage(int(features[fold.index["stage"]])) if known else None
    targets: Sequence[str] = ()
    estimates: dict[str, AnyEstimate] = {}
    if champion is not None:
        targets = [name for name in champion.card_fields if wanted is None or name in wanted]
        estimates = champion.estimate(features, wanted) if known else champion.estimate_unknown(wanted)
    reasons = _reasons(champion, features, estimates if known else ()) if explain else None
    return CustomerScores(state.customer, known, as_of, features, stage, targets, estimates, reasons, champion)


def _reasons(
    champion: Champion | None, features: NDArray[np.float32], targets: Collection[str]
) -> dict[str, list[dict[str, Any]]]:
    return {} if champion is None else {name: reasons_of(champion.bundle, name, features) for name in targets}
