"""A stage scorer: from the features of a customer to the probability of each next stage, and the days until then."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from features.outcomes import STAYS
from models.parts.contract import Read, Says
from models.prediction.lightgbm_library import Booster, LightGBMError
from models.prediction.tiers.tier import check_rows, fields_of
from models.prediction.tiers.trees import check_header

Floats = NDArray[np.float64]
ANSWERS = STAYS + 1
"""The number of answers: each stage by its number, and `STAYS`."""


class StageTier(Protocol):
    """From the features of a customer to the probability of each answer, and the days until a change.

    Rows are float32 in the order of `names`. One row and the same row in a batch give the same bits.
    """

    @property
    def name(self) -> str:
        """What the tier is called: `prior` or `lightgbm`."""

    @property
    def names(self) -> tuple[str, ...]:
        """The features that a row holds, in their order."""

    def chances(self, matrix: NDArray[np.float32], threads: int = 1) -> Floats:
        """float64[n, answers]; each row sums to one."""

    def days(self, matrix: NDArray[np.float32], threads: int = 1) -> Floats:
        """Expected days until the change, where there is one within the horizon: float64[n]."""

    def to_bytes(self) -> bytes:
        """The tier as JSON; reading it gives the same answers, bit for bit."""


class StageShares:
    """The same chances, `shares`, for everyone, and the same `wait` in days."""

    name = "prior"

    def __init__(self, shares: Sequence[float], wait: float, names: tuple[str, ...]) -> None:
        """ValueError unless there is a share inside (0, 1) for each answer, they sum to one, and `wait` is positive."""
        if len(shares) != ANSWERS or not all(0.0 < share < 1.0 for share in shares) or abs(sum(shares) - 1.0) > 1e-9:
            raise ValueError(f"The shares are {list(shares)}; expected {ANSWERS} inside (0, 1) that sum to one.")
        if not (math.isfinite(wait) and wait > 0.0):
            raise ValueError(f"The wait is {wait} days; expected a positive number.")
        self.shares, self.wait, self.names = tuple(map(float, shares)), float(wait), names

    def chances(self, matrix: NDArray[np.float32], threads: int = 1) -> Floats:
        """The shares for every row."""
        check_rows(matrix, len(self.names), threads)
        return np.tile(np.array(self.shares), (len(matrix), 1))

    def days(self, matrix: NDArray[np.float32], threads: int = 1) -> Floats:
        """The wait for every row."""
        check_rows(matrix, len(self.names), threads)
        return np.full(len(matrix), self.wait)

    def to_bytes(self) -> bytes:
        """JSON of the shares and the wait."""
        return json.dumps({"shares": self.shares, "wait": self.wait}).encode()

    @classmethod
    def from_bytes(cls, content: bytes, target: str, names: tuple[str, ...]) -> StageShares:
        """What `to_bytes` gave; ValueError for anything else."""
        return cls(**fields_of(content, target, frozenset({"shares", "wait"})), names=names)


class StageTrees:
    """Boosted trees: a classifier of all answers, and a Tweedie regression of the days until a change."""

    name = "lightgbm"

    def __init__(self, target: str, chances: str, days: str, names: tuple[str, ...]) -> None:
        """Read the texts of two LightGBM models; ValueError when one has another objective or other features."""
        self.texts, self.names = (chances, days), names
        try:
            self._chances, self._days = Booster(chances, ANSWERS), Booster(days)
        except LightGBMError as error:
            raise ValueError(f"The model of {target} is unreadable: {error}") from error
        check_header(target, chances, names, "multiclass")
        check_header(target, days, names, "tweedie")

    def chances(self, matrix: NDArray[np.float32], threads: int = 1) -> Floats:
        """The chances of float32[n, features]: float64[n, answers]."""
        return self._chances.predict_many(matrix, threads)

    def days(self, matrix: NDArray[np.float32], threads: int = 1) -> Floats:
        """The days of float32[n, features]: float64[n]."""
        return self._days.predict_many(matrix, threads)

    def to_bytes(self) -> bytes:
        """JSON of both texts."""
        return json.dumps(dict(zip(("chances", "days"), self.texts, strict=True))).encode()

    @classmethod
    def from_bytes(cls, content: bytes, target: str, names: tuple[str, ...]) -> StageTrees:
        """What `to_bytes` gave; ValueError for anything else."""
        return cls(target, **fields_of(content, target, frozenset({"chances", "days"})), names=names)


STAGE_TIERS: dict[str, type[StageShares] | type[StageTrees]] = {kind.name: kind for kind in (StageShares, StageTrees)}
"""The tiers of a stage by name, the simplest first."""


@dataclass(frozen=True, slots=True)
class StageEstimate:
    """`chances` of each stage by its number, with that of staying last, and the expected `days` until a change."""

    chances: tuple[float, ...]
    days: float


class StageScorer:
    """A tier for one target whose answer is a stage of the journey. Safe to share between threads."""

    form = "stage"

    def __init__(self, target: str, tier: StageTier) -> None:
        self.target, self.tier = target, tier
        self.names = tier.names

    def estimate(self, row: NDArray[np.float32]) -> StageEstimate:
        """The chances of one row, float32[features], and its days."""
        matrix = row.reshape(1, -1)
        return StageEstimate(tuple(self.tier.chances(matrix)[0].tolist()), float(self.tier.days(matrix)[0]))

    def chances_many(self, matrix: NDArray[np.float32], threads: int = 1) -> Floats:
        """The chances of float32[n, features]: float64[n, answers]; each row sums to one."""
        return self.tier.chances(matrix, threads)

    def days_many(self, matrix: NDArray[np.float32], threads: int = 1) -> Floats:
        """Expected days until the change, where there is one: float64[n]."""
        return self.tier.days(matrix, threads)

    @property
    def says(self) -> Says:
        """The values that the target's card must have."""
        return {"form": (self.form,), "tier": (self.tier.name,)}

    def files(self) -> dict[str, bytes]:
        """The files of the scorer in a bundle, by name."""
        return {f"{self.target}.{self.tier.name}.json": self.tier.to_bytes()}

    @classmethod
    def from_files(cls, target: str, tier: str, read: Read, names: Sequence[str]) -> StageScorer:
        """The scorer whose `files` are read by name; ValueError when they are anything else."""
        if tier not in STAGE_TIERS:
            raise ValueError(f"The tier of {target} is {tier!r}; expected one of {', '.join(STAGE_TIERS)}.")
        return cls(target, STAGE_TIERS[tier].from_bytes(read(f"{target}.{tier}.json"), target, tuple(names)))
