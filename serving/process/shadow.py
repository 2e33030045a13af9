"""The shadow: another bundle that scores a share of the live traffic beside the champion, and never answers.

Its probabilities are compared with those that were answered, on the same features at the same moment. An answer pays
only for an append to a queue; the scoring happens later, in a thread of its own, in a small share of one core.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from features.fold.fold import Fold
from models.bundle.loaded import Champion, Champions
from serving import metrics
from serving.engine.scores import CustomerScores

WAITING = 512
"""Most customers that wait to be scored; a customer who comes while the queue is full is not compared."""

AT_ONCE = 64
"""Customers scored at once: a few milliseconds, so that other threads rarely wait for the interpreter."""

LARGEST_SHARE = 0.03
"""Share of one core that the shadow may take: after 3 ms of scoring it pauses for 97 ms."""

REST_SECONDS = 1.0
"""Pause when nothing waits, or there is no shadow bundle."""

REMEMBERED = 1_000
"""Scores over which the mean log-ratio is taken, with decaying weights."""

LEAST = 1e-6
"""Smallest probability in a ratio; smaller ones count as this."""

logger = logging.getLogger("waypost")


@dataclass
class Ratio:
    """A mean over about the newest `REMEMBERED` values; `count` is how many there are so far, up to that."""

    value: float = 0.0
    count: int = 0

    def add(self, values: NDArray[np.float64]) -> float:
        """The mean after these values."""
        for value in values.tolist():
            self.count = min(self.count + 1, REMEMBERED)
            self.value += (value - self.value) / self.count
        return self.value


class Shadow:
    """Compares the bundle in one directory with the champion on `share` (0 to 1) of the customers scored."""

    def __init__(self, directory: Path, fold: Fold, share: float) -> None:
        self.bundles = Champions(directory, fold)
        self.share = share
        self._waiting: deque[CustomerScores] = deque()
        self._owed = 0.0
        self._logged_problem = ""
        self._ratios: dict[tuple[str, str], Ratio] = {}

    @property
    def waiting(self) -> int:
        """How many customers wait to be scored."""
        return len(self._waiting)

    def offer(self, scored: Sequence[CustomerScores]) -> None:
        """Put the share of these customers that is due into the queue; unknown ones have no score to compare."""
        if not self.share or self.bundles.current is None:
            return
        for scores in scored:
            self._owed += self.share
            if self._owed >= 1.0:
                self._owed -= 1.0
                if scores.known and len(self._waiting) < WAITING:
                    self._waiting.append(scores)

    def round(self) -> float:
        """Check for a new bundle, and score some of the waiting customers. Returns the seconds to pause."""
        begun = time.perf_counter()
        self._refresh()
        batch = [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]
        shadow = self.bundles.current
        if not batch or shadow is None:
            return REST_SECONDS
        for champion in {id(scores.champion): scores.champion for scores in batch}.values():
            if champion is not None and champion.bundle.version != shadow.bundle.version:
                self._compare(shadow, champion, [scores for scores in batch if scores.champion is champion])
        return (time.perf_counter() - begun) * (1.0 / LARGEST_SHARE - 1.0)

    def _refresh(self) -> None:
        if not self.bundles.directory.exists():
            return
        if self.bundles.refresh():
            logger.info("the bundle %s scores in the shadow", self.bundles.require().bundle.version)
        if self.bundles.problem != self._logged_problem:
            self._logged_problem = self.bundles.problem
            if self._logged_problem:
                logger.warning("the bundle in the shadow is not used: %s", self._logged_problem)

    def _compare(self, shadow: Champion, champion: Champion, scored: Sequence[CustomerScores]) -> None:
        """Count, for every target of both, how far the shadow's probabilities are from those that were answered."""
        shadowed = shadow.score_many(np.stack([scores.features for scores in scored]))
        answered = [scores.probabilities for scores in scored]
        for target in shadowed.keys() & champion.base_rates.keys():
            ours = np.array([probabilities.get(target, np.nan) for probabilities in answered])
            both = ~np.isnan(ours) & ~np.isnan(shadowed[target])
            ours, theirs = ours[both], shadowed[target][both]
            ratio = self._ratios.setdefault((target, shadow.bundle.version), Ratio())
            metrics.SHADOW_SCORES.labels(target).inc(len(ours))
            metrics.SHADOW_LOG_RATIO.labels(target).set(
                ratio.add(np.log(np.maximum(theirs, LEAST) / np.maximum(ours, LEAST)))
            )
            difference = metrics.SHADOW_DIFFERENCE.labels(target)
            for absolute in np.abs(theirs - ours).tolist():
                difference.observe(absolute)
