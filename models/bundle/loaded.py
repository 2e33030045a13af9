"""The model bundle that answers: loaded once, checked for changes now and then, replaced only by one that works.

A champion is never changed, only replaced, by one assignment. A request that reads the champion once and keeps that
reference answers from one bundle alone, even if it is replaced meanwhile; the old bundle is freed after the last such
request.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.files import Identity, version
from features.fold.fold import Fold
from features.grammar import Expr
from models.bundle.answers import AnyEstimate, card_fields
from models.bundle.bundle import Bundle, BundleError, Model
from models.bundle.evidence import Kind, kind_reader, lowered
from models.bundle.governance import stand_in
from models.decisions.policy import Policy
from models.prediction.amount import AmountScorer
from models.prediction.scope import UnreadableScope, compile_scope, read_scope
from models.prediction.scorer import Scorer


class ModelMissing(Exception):
    """There is no usable bundle; the message says why and what to run."""


@dataclass(frozen=True, slots=True)
class Champion:
    """A loaded bundle and what follows from it. `scopes` are of all targets, `base_rates` of probabilities only.

    `card_fields` are the fields of an answer that are the same for every customer, by target. `lowered` are the fields
    on evidence for the kinds of customers that were rare in training; `kind` reads a customer's kind from the features.
    """

    bundle: Bundle
    policy: Policy
    base_rates: Mapping[str, float]
    scopes: Mapping[str, Expr]
    card_fields: Mapping[str, Mapping[str, Any]]
    lowered: Mapping[str, Mapping[Kind, Mapping[str, Any]]]
    kind: Callable[[NDArray[np.float32]], Kind]
    _models: tuple[tuple[str, Model, Callable[[Sequence[float]], bool]], ...]

    @classmethod
    def of(cls, bundle: Bundle) -> Champion:
        """The champion that `bundle` makes."""
        cards = bundle.manifest.targets
        scopes = {target: read_scope(card.scope) for target, card in cards.items()}
        unknown = {name for scope in scopes.values() for name in scope.columns()} - set(bundle.manifest.features)
        if unknown:
            raise UnreadableScope(
                f"scopes name {', '.join(sorted(unknown))}, which are no features; retrain with `waypost train`"
            )
        rates = {target: cards[target].base_rate for target in bundle.scorers}
        unseen = {target: lowered(card) for target, card in cards.items()}
        parameters: dict[str, Any] = dict(bundle.manifest.policy)
        index = {name: place for place, name in enumerate(bundle.manifest.features)}
        speaks = {target: compile_scope(scope, index) for target, scope in scopes.items()}
        models = tuple((target, model, speaks[target]) for target, model in bundle.models.items())
        return cls(bundle, Policy(**parameters), rates, scopes, card_fields(bundle), unseen, kind_reader(index), models)

    def estimate(self, features: NDArray[np.float32], wanted: Collection[str] | None = None) -> dict[str, AnyEstimate]:
        """The estimates of all targets, or those `wanted`, whose scope the customer with float32[features] is in."""
        row = features.tolist()
        return {
            target: model.estimate(features)
            for target, model, speaks in self._models
            if (wanted is None or target in wanted) and speaks(row)
        }

    def estimate_unknown(self, wanted: Collection[str] | None = None) -> dict[str, AnyEstimate]:
        """The estimates for an unknown customer: the base rates, for targets that are probabilities only."""
        return {
            target: self.bundle.scorers[target].estimate_of(rate)
            for target, rate in self.base_rates.items()
            if wanted is None or target in wanted
        }

    def score_many(self, features: NDArray[np.float32], also: Collection[str] = ()) -> dict[str, NDArray[np.float64]]:
        """The probabilities of several customers, float32[n, features], and the amounts named in `also`.

        NaN where a customer is out of a target's scope.
        """
        columns = dict(zip(self.bundle.manifest.features, features.T, strict=True))
        scores = {}
        models: dict[str, Scorer | AmountScorer] = {**self.bundle.scorers}
        models.update({target: amount for target, amount in self.bundle.amounts.items() if target in also})
        for target, scorer in models.items():
            asked = np.broadcast_to(self.scopes[target].evaluate(columns), len(features)).astype(bool)
            scores[target] = np.full(len(features), np.nan)
            scores[target][asked] = scorer.score_many(np.ascontiguousarray(features[asked]))
        return scores


class Champions:
    """The bundle in one directory, shared by the threads of a process."""

    def __init__(self, directory: Path, fold: Fold) -> None:
        self.directory = directory
        self.fingerprint = fold.fingerprint
        self.problem = f"The bundle {directory} is not loaded yet."
        self._names = fold.names
        self._champion: Champion | None = None
        self._seen: dict[str, Identity | None] = {}

    @property
    def current(self) -> Champion | None:
        """The champion, None when there is none."""
        return self._champion

    def require(self) -> Champion:
        """The champion. Raises `ModelMissing` when there is none."""
        if self._champion is None:
            raise ModelMissing(self.problem)
        return self._champion

    def refresh(self) -> bool:
        """Load the bundle if it changed on disk. True when there is a new champion.

        A bundle that cannot be used leaves the champion as it is, and `problem` says what is wrong. `problem` is empty
        when the bundle on disk is the champion.
        """
        seen = self._versions()
        if seen and seen == self._seen:
            return False
        try:
            bundle = Bundle.load(self.directory, self.fingerprint, self._names)
            champion = Champion.of(bundle)
        except (BundleError, TypeError, ValueError) as error:
            self.problem, self._seen = str(error), seen
            return False
        before, self._seen, self.problem = self._champion, seen, ""
        if before is not None and before.bundle.version == bundle.version:
            return False
        self._champion = champion
        return True

    def stand_in(self, fold: Fold) -> bool:
        """Where there is no champion yet, use its archived copy. True when that is the champion now.

        So a server that restarts can answer although the bundle was damaged meanwhile. `problem` stays as it is.
        """
        if self._champion is not None:
            return False
        try:
            self._champion = Champion.of(stand_in(self.directory, fold))
        except (BundleError, TypeError, ValueError):
            return False  # there is no usable copy: `problem` says what to do
        return True

    def _versions(self) -> dict[str, Identity | None]:
        """The version of every file in the directory, which differs from bundle to bundle; empty without a bundle."""
        try:
            return {path.name: version(path) for path in self.directory.iterdir()}
        except OSError:
            return {}
