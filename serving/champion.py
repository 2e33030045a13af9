"""The model bundle that answers: loaded once, looked at again now and then, replaced only by one that works."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.fold import Fold
from features.grammar import Expr
from models.bundle import MANIFEST, Bundle, BundleError
from models.policy import Policy
from models.scorer import Scorer
from serving.scope import UnreadableScope, compile_scope, read_scope


class ModelMissing(Exception):
    """There is no usable bundle; the message says why and what to run."""


@dataclass(frozen=True, slots=True)
class Champion:
    """A loaded bundle and what follows from it."""

    bundle: Bundle
    policy: Policy
    base_rates: Mapping[str, float]
    scopes: Mapping[str, Expr]
    _asked: tuple[tuple[str, Scorer, Callable[[Sequence[float]], bool]], ...]

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
        rates = {target: card.base_rate for target, card in cards.items()}
        parameters: dict[str, Any] = dict(bundle.manifest.policy)
        index = {name: place for place, name in enumerate(bundle.manifest.features)}
        asked = tuple((name, bundle.scorers[name], compile_scope(scope, index)) for name, scope in scopes.items())
        return cls(bundle, Policy(**parameters), rates, scopes, asked)

    def score(self, features: NDArray[np.float32]) -> dict[str, float]:
        """The probability of every target that speaks of a customer, from float32[features]."""
        row = features.tolist()
        return {target: scorer.score(features) for target, scorer, asked in self._asked if asked(row)}

    def score_many(self, features: NDArray[np.float32]) -> dict[str, NDArray[np.float64]]:
        """The same for several customers, float32[n, features]; NaN where a target does not speak of a customer."""
        columns = dict(zip(self.bundle.manifest.features, features.T, strict=True))
        scores = {}
        for target, scorer in self.bundle.scorers.items():
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
        self._seen: tuple[int, int] | None = None

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

        A bundle that cannot be used leaves the champion as it is, and `problem` says what is wrong; it is empty when
        the bundle on disk is the champion.
        """
        seen = self._identity()
        if seen is not None and seen == self._seen:
            return False
        try:
            bundle = Bundle.load(self.directory, self.fingerprint, self._names)
            champion = Champion.of(bundle)
        except (BundleError, TypeError, ValueError) as error:
            self.problem = str(error)
            self._seen = seen
            return False
        self._champion, self._seen, self.problem = champion, seen, ""
        return True

    def _identity(self) -> tuple[int, int] | None:
        """What tells one bundle at this place from the next; None when there is none."""
        try:
            status = (self.directory / MANIFEST).stat()
        except OSError:
            return None
        return status.st_ino, status.st_mtime_ns
