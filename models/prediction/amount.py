"""An amount scorer: from the features of a customer to the amount of one target, with its interval."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from models.parts.contract import Read, Says
from models.parts.disk import tier_from_disk, tier_on_disk
from models.prediction.clv_amount import BuyingAmount
from models.prediction.estimate import Estimate, Estimates, band_of
from models.prediction.interval import EVEN, Ranks
from models.prediction.lightgbm_library import Booster, LightGBMError
from models.prediction.tiers.tier import check_rows, fields_of
from models.prediction.tiers.trees import check_header

Floats = NDArray[np.float64]


class AmountTier(Protocol):
    """From the features of a customer to an amount and the two ends of its interval.

    Rows are float32 in the order of `names`. One row and the same row in a batch give the same bits.
    """

    @property
    def name(self) -> str:
        """What the tier is called: `prior`, `clv` or `lightgbm`."""

    @property
    def names(self) -> tuple[str, ...]:
        """The features that a row holds, in their order."""

    def amounts(self, matrix: NDArray[np.float32], threads: int = 1) -> tuple[Floats, Floats, Floats]:
        """The mean amounts of float32[n, features] and the ends of their 90 % intervals: three float64[n]."""

    def contributions(self, matrix: NDArray[np.float32]) -> Floats:
        """What each feature adds to the logarithm of the mean: float64[n, features + 1], the last column the base."""

    def to_bytes(self) -> bytes:
        """The tier as JSON; reading it gives the same answers, bit for bit."""


class MeanAmount:
    """The same amount for everyone: `mean`, and 90 % of customers between `low` and `high`."""

    name = "prior"

    def __init__(self, mean: float, low: float, high: float, names: tuple[str, ...]) -> None:
        """ValueError unless 0 <= `low` <= `high` and `mean` > 0, all finite."""
        if not (all(map(math.isfinite, (mean, low, high))) and mean > 0.0 and 0.0 <= low <= high):
            raise ValueError(f"An amount of {mean} between {low} and {high}; expected 0 <= low <= high and mean > 0.")
        self.mean, self.low, self.high, self.names = float(mean), float(low), float(high), names

    def amounts(self, matrix: NDArray[np.float32], threads: int = 1) -> tuple[Floats, Floats, Floats]:
        """The three amounts for every row."""
        check_rows(matrix, len(self.names), threads)
        mean, low, high = (np.full(len(matrix), amount) for amount in (self.mean, self.low, self.high))
        return mean, low, high

    def contributions(self, matrix: NDArray[np.float32]) -> Floats:
        """Nothing but the base."""
        check_rows(matrix, len(self.names))
        added = np.zeros((len(matrix), len(self.names) + 1))
        added[:, -1] = math.log(self.mean)
        return added

    def to_bytes(self) -> bytes:
        """JSON of the three amounts."""
        return json.dumps({"mean": self.mean, "low": self.low, "high": self.high}).encode()

    @classmethod
    def from_bytes(cls, content: bytes, target: str, names: tuple[str, ...]) -> MeanAmount:
        """What `to_bytes` gave; ValueError for anything else."""
        return cls(**fields_of(content, target, frozenset({"mean", "low", "high"})), names=names)


STARTS: dict[str, type[MeanAmount] | type[BuyingAmount]] = {kind.name: kind for kind in (MeanAmount, BuyingAmount)}
"""The tiers that trees can start from, by name."""


class AmountTrees:
    """Boosted trees that correct a simpler tier, their `start`: three models predict multiples of its amount.

    One model predicts the mean, with the Tweedie loss; two predict the ends, with the quantile losses of 5 % and 95 %.
    The means are multiplied by `factor`, so that they add up to what customers spent. The ends are moved outwards by
    `margin` times the start, so that they hold the intended share (conformalised quantile regression: Romano and
    others, 2019). Both are learnt on rows that the trees had not seen.
    """

    name = "lightgbm"

    def __init__(
        self, target: str, start: MeanAmount | BuyingAmount, texts: Sequence[str], factor: float, margin: float,
        names: tuple[str, ...],
    ) -> None:  # fmt: skip
        """`texts` are LightGBM models of the mean, the low and the high end.

        ValueError when a model has another objective or other features.
        """
        if not (math.isfinite(factor) and factor > 0.0):
            raise ValueError(f"The factor of {target} is {factor}; expected a positive number.")
        if not math.isfinite(margin):
            raise ValueError(f"The margin of {target} is {margin}; expected a finite number.")
        self.start, self.names = start, names
        self.texts, self.factor, self.margin = tuple(texts), float(factor), float(margin)
        try:
            self._mean, self._low, self._high = map(Booster, texts)
        except LightGBMError as error:
            raise ValueError(f"The model of {target} is unreadable: {error}") from error
        for text, objective in zip(texts, ("tweedie", "quantile", "quantile"), strict=True):
            check_header(target, text, names, objective)

    def amounts(self, matrix: NDArray[np.float32], threads: int = 1) -> tuple[Floats, Floats, Floats]:
        """The means, and the ends, which are never below zero, and the low one never above the high one."""
        start = self.start.amounts(matrix, threads)[0]
        low = np.maximum(self._low.predict_many(matrix, threads) - self.margin, 0.0)
        high = np.maximum(self._high.predict_many(matrix, threads) + self.margin, low)
        return start * (self._mean.predict_many(matrix, threads) * self.factor), start * low, start * high

    def contributions(self, matrix: NDArray[np.float32]) -> Floats:
        """Those of the start plus the exact tree Shapley values of the trees' logarithm; the base holds the factor."""
        added = self._mean.contributions(matrix) + self.start.contributions(matrix)
        added[:, -1] += math.log(self.factor)
        return added

    def to_bytes(self) -> bytes:
        """JSON of the start, the three models' texts, the factor and the margin."""
        start = {tier_on_disk(self.start.name): json.loads(self.start.to_bytes())}
        fields = {"start": start, "factor": self.factor, "margin": self.margin, "texts": self.texts}
        return json.dumps(fields).encode()

    @classmethod
    def from_bytes(cls, content: bytes, target: str, names: tuple[str, ...]) -> AmountTrees:
        """What `to_bytes` gave; ValueError for anything else."""
        fields = fields_of(content, target, frozenset({"start", "factor", "margin", "texts"}))
        starts = fields["start"]
        if not isinstance(starts, dict) or len(starts) != 1 or not set(map(tier_from_disk, starts)) <= set(STARTS):
            raise ValueError(f"The start of the trees of {target} is unreadable: expected one of {', '.join(STARTS)}.")
        [(name, parameters)] = starts.items()
        start = STARTS[tier_from_disk(name)].from_bytes(json.dumps(parameters).encode(), target, names)
        return cls(target, start, fields["texts"], fields["factor"], fields["margin"], names)


AMOUNT_TIERS: dict[str, type[MeanAmount] | type[BuyingAmount] | type[AmountTrees]] = {
    kind.name: kind for kind in (MeanAmount, BuyingAmount, AmountTrees)
}
"""The tiers of an amount by name, the simplest first."""


class AmountScorer:
    """A tier with its ranks, for one target whose answer is an amount. Safe to share between threads."""

    form = "amount"

    def __init__(self, target: str, tier: AmountTier, ranks: Ranks = EVEN) -> None:
        self.target, self.tier, self.ranks = target, tier, ranks
        self.names = tier.names

    def score(self, row: NDArray[np.float32]) -> float:
        """The mean amount of one row, float32[features]."""
        return float(self.score_many(row.reshape(1, -1))[0])

    def score_many(self, matrix: NDArray[np.float32], threads: int = 1) -> Floats:
        """The mean amounts of float32[n, features]: float64[n]."""
        return self.tier.amounts(matrix, threads)[0]

    def estimate(self, row: NDArray[np.float32]) -> Estimate:
        """The amount of one row with its interval and its rank."""
        value, low, high = (float(part[0]) for part in self.tier.amounts(row.reshape(1, -1)))
        percentile = self.ranks.percentile(value)
        return Estimate(value, low, high, percentile, band_of(percentile))

    def estimate_many(self, matrix: NDArray[np.float32], threads: int = 1) -> Estimates:
        """The estimates of float32[n, features]. The interval is a single customer's; the mean may be outside it."""
        value, low, high = self.tier.amounts(matrix, threads)
        return Estimates(value, low, high, self.ranks.percentile_many(value))

    def contributions(self, matrix: NDArray[np.float32]) -> Floats:
        """What each feature adds to the logarithm of the amount: float64[n, features + 1], the last column the base."""
        return self.tier.contributions(matrix)

    @property
    def says(self) -> Says:
        """The values that the target's card must have."""
        return {"form": (self.form,), "tier": (self.tier.name,)}

    def files(self) -> dict[str, bytes]:
        """The files of the scorer in a bundle, by name."""
        return {
            f"{self.target}.{tier_on_disk(self.tier.name)}.json": self.tier.to_bytes(),
            f"{self.target}.scorer.json": json.dumps({"ranks": self.ranks.quantiles}, allow_nan=False).encode(),
        }

    @classmethod
    def from_files(cls, target: str, tier: str, read: Read, names: Sequence[str]) -> AmountScorer:
        """The scorer whose `files` are read by name; ValueError when they are anything else."""
        if tier not in AMOUNT_TIERS:
            raise ValueError(f"The tier of {target} is {tier!r}; expected one of {', '.join(AMOUNT_TIERS)}.")
        ranks = Ranks(tuple(fields_of(read(f"{target}.scorer.json"), target, frozenset({"ranks"}))["ranks"]))
        content = read(f"{target}.{tier_on_disk(tier)}.json")
        return cls(target, AMOUNT_TIERS[tier].from_bytes(content, target, tuple(names)), ranks)
