"""A scorer: from the features of a customer to the probability of one target, its interval and its reasons."""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from models.parts.contract import Read, Says
from models.prediction.calibration import Calibration
from models.prediction.estimate import Estimate, Estimates, band_of
from models.prediction.interval import CERTAIN, EVEN, Intervals, Ranks
from models.prediction.level import UNMOVED, Level
from models.prediction.tiers import SUFFIX, Tier, Trees, read_tier


class Scorer:
    """A tier with its calibration, level, intervals and ranks, for one target.

    `shape` is the calibration as fitted, and `within` the intervals for a level that is known exactly. `calibration`
    and `intervals` are those served: the curve shifted by the level, and intervals that include the level's error.

    Rows are float32 in the order of `names`; NaN means "not defined". One row and the same row in a batch give the
    same bits. Safe to share between threads.
    """

    form = "probability"

    def __init__(
        self, target: str, tier: Tier, shape: Calibration, within: Intervals = CERTAIN, ranks: Ranks = EVEN,
        level: Level = UNMOVED,
    ) -> None:  # fmt: skip
        self.target, self.tier, self.ranks = target, tier, ranks
        self.shape, self.within, self.level = shape, within, level
        self.calibration, self.intervals = shape.shifted(level.shift), within.widened(level.deviation)
        self.names = tier.names
        self._calibrate = self.calibration.apply
        self._predict = tier.raw

    @property
    def says(self) -> Says:
        """The values that the target's card must have."""
        return {"form": (self.form,), "tier": (self.tier.name,), "calibration": (self.shape.kind,)}

    @classmethod
    def from_text(
        cls, target: str, text: str, calibration: Calibration, names: Sequence[str],
        intervals: Intervals = CERTAIN, ranks: Ranks = EVEN,
    ) -> Scorer:  # fmt: skip
        """The scorer of a LightGBM model's text form, as `lightgbm.Booster.model_to_string()` gives it."""
        return cls(target, Trees(target, text, tuple(names)), calibration, intervals, ranks)

    def at(self, level: Level) -> Scorer:
        """The same scorer at another level."""
        return Scorer(self.target, self.tier, self.shape, self.within, self.ranks, level)

    def ranked(self, ranks: Ranks) -> Scorer:
        """The same scorer with other ranks."""
        return Scorer(self.target, self.tier, self.shape, self.within, ranks, self.level)

    def raw(self, row: NDArray[np.float32]) -> float:
        """Probability before calibration; for trees, `lightgbm.Booster.predict` of the same row, bit for bit."""
        return self._predict(row)

    def score(self, row: NDArray[np.float32]) -> float:
        """Calibrated probability of one row, float32[features]."""
        return self._calibrate(self._predict(row))

    def raw_many(self, matrix: NDArray[np.float32], threads: int = 1) -> NDArray[np.float64]:
        """Probabilities before calibration: float32[n, features] -> float64[n]."""
        return self.tier.raw_many(matrix, threads)

    def score_many(self, matrix: NDArray[np.float32], threads: int = 1) -> NDArray[np.float64]:
        """Calibrated probabilities: float32[n, features] -> float64[n]."""
        return self.calibration.apply_many(self.raw_many(matrix, threads))

    def estimate(self, row: NDArray[np.float32]) -> Estimate:
        """The calibrated probability of one row with its interval and its rank."""
        return self.estimate_of(self.score(row))

    def estimate_of(self, value: float) -> Estimate:
        """The estimate of a calibrated probability that is known already."""
        low, high = self.intervals.interval(value)
        percentile = self.ranks.percentile(value)
        return Estimate(value, low, high, percentile, band_of(percentile))

    def estimate_many(self, matrix: NDArray[np.float32], threads: int = 1) -> Estimates:
        """The same for float32[n, features]; every part has the bits of `estimate`."""
        return self.estimates_of(self.score_many(matrix, threads))

    def estimates_of(self, values: NDArray[np.float64]) -> Estimates:
        """The estimates of calibrated probabilities that are known already, float64[n]."""
        return Estimates(values, *self.intervals.interval_many(values), self.ranks.percentile_many(values))

    def contributions(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """What each feature adds to the log-odds before calibration: float64[n, features + 1], the base last."""
        return self.tier.contributions(matrix)

    def reasons(self, row: NDArray[np.float32], limit: int = 5) -> list[tuple[str, float]]:
        """The features that contribute most to this score, strongest first, with their contributions to the log-odds.

        Positive makes a yes likelier. Takes milliseconds for trees.
        """
        added = self.contributions(row.reshape(1, -1))[0, :-1]
        strongest = np.argsort(-np.abs(added), kind="stable")[:limit]
        return [(self.names[place], float(added[place])) for place in strongest if added[place] != 0.0]

    def files(self) -> dict[str, bytes]:
        """The files of the scorer in a bundle, by name."""
        circumstances = {
            "calibration": self.shape.to_fields(),
            "level": self.level.to_fields(),
            "spread": self.within.to_fields(),
            "ranks": list(self.ranks.quantiles),
        }
        return {
            f"{self.target}.{self.tier.name}.{SUFFIX[self.tier.name]}": self.tier.to_bytes(),
            f"{self.target}.scorer.json": json.dumps(circumstances, allow_nan=False).encode(),
        }

    @classmethod
    def from_files(cls, target: str, tier: str, read: Read, names: Sequence[str]) -> Scorer:
        """The scorer whose `files` are read by name; ValueError when they are anything else."""
        fields = json.loads(read(f"{target}.scorer.json"))
        try:
            calibration = Calibration.from_fields(fields["calibration"])
            intervals = Intervals(tuple(fields["spread"]["places"]), tuple(fields["spread"]["deviations"]))
            ranks, level = Ranks(tuple(fields["ranks"])), Level.from_fields(fields["level"])
        except (KeyError, TypeError) as error:
            raise ValueError(f"The scorer of {target} is unreadable ({type(error).__name__}: {error}).") from error
        content = read(f"{target}.{tier}.{SUFFIX.get(tier, 'txt')}")
        return cls(target, read_tier(tier, content, target, names), calibration, intervals, ranks, level)
