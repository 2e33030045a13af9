"""The shadow: another bundle that scores a share of the live traffic beside the champion, and never answers.

What it would have said is compared with what was said, on the same features at the same moment. Asking costs an answer
an append to a queue; the scoring happens later, in a thread of its own, in a small share of one core.
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
"""Customers that wait to be scored at most; who comes while the queue is full is not compared."""

AT_ONCE = 64
"""Customers scored in one go: a few milliseconds, in which other threads wait for the interpreter the least."""

LARGEST_SHARE = 0.03
"""Share of one core that the shadow may take: after 3 ms of scoring it rests for 97."""

REST_SECONDS = 1.0
"""Rest when nothing waits, or nothing is in the shadow."""

REMEMBERED = 1_000
"""Scores over which the mean log-ratio is taken, by weights that fade."""

LEAST = 1e-6
"""What a probability is taken for in a ratio where it is less."""

logger = logging.getLogger("waypost")


@dataclass
class Ratio:
    """A mean over about the newest `REMEMBERED` values; `count` of them so far."""

    value: float = 0.0
    count: int = 0

    def add(self, values: NDArray[np.float64]) -> float:
        """The mean after these values."""
        for each in values.tolist():
            self.count = min(self.count + 1, REMEMBERED)
            self.value += (each - self.value) / self.count
        return self.value


class Shadow:
    """Compares the bundle in one directory with the champion on `share` (0 to 1) of the customers scored."""

    def __init__(self, directory: Path, fold: Fold, share: float) -> None:
        self.bundles = Champions(directory, fold)
        self.share = share
        self._waiting: deque[CustomerScores] = deque()
        self._owed = 0.0
        self._told = ""
        self._ratios: dict[tuple[str, str], Ratio] = {}

    @property
    def waiting(self) -> int:
        """How many customers wait to be scored."""
        return len(self._waiting)

    def offer(self, scored: Sequence[CustomerScores]) -> None:
        """Put the share of these that is due into the queue; unknown customers have no score to compare."""
        if not self.share or self.bundles.current is None:
            return
        for each in scored:
            self._owed += self.share
            if self._owed >= 1.0:
                self._owed -= 1.0
                if each.known and len(self._waiting) < WAITING:
                    self._waiting.append(each)

    def round(self) -> float:
        """Look for another bundle, and score some of those who wait. The seconds to rest after it."""
        begun = time.perf_counter()
        self._refresh()
        batch = [self._waiting.popleft() for _ in range(min(AT_ONCE, len(self._waiting)))]
        shadow = self.bundles.current
        if not batch or shadow is None:
            return REST_SECONDS
        for champion in {id(each.champion): each.champion for each in batch}.values():
            if champion is not None and champion.bundle.version != shadow.bundle.version:
                self._compare(shadow, champion, [each for each in batch if each.champion is champion])
        return (time.perf_counter() - begun) * (1.0 / LARGEST_SHARE - 1.0)

    def _refresh(self) -> None:
        if not self.bundles.directory.exists():
            return
        if self.bundles.refresh():
            logger.info("the bundle %s is scored in the shadow", self.bundles.require().bundle.version)
        if self.bundles.problem != self._told:
            self._told = self.bundles.problem
            if self._told:
                logger.warning("the bundle in the shadow is not used: %s", self._told)

    def _compare(self, shadow: Champion, champion: Champion, scored: Sequence[CustomerScores]) -> None:
        """Count, for every target of both, how far the shadow's probabilities are from those that were answered."""
        found = shadow.score_many(np.stack([each.features for each in scored]))
        answered = [each.probabilities for each in scored]
        for target in found.keys() & champion.base_rates.keys():
            said = np.array([each.get(target, np.nan) for each in answered])
            both = ~np.isnan(said) & ~np.isnan(found[target])
            said, would = said[both], found[target][both]
            ratio = self._ratios.setdefault((target, shadow.bundle.version), Ratio())
            metrics.SHADOW_SCORES.labels(target).inc(len(said))
            metrics.SHADOW_LOG_RATIO.labels(target).set(
                ratio.add(np.log(np.maximum(would, LEAST) / np.maximum(said, LEAST)))
            )
            difference = metrics.SHADOW_DIFFERENCE.labels(target)
            for each in np.abs(would - said).tolist():
                difference.observe(each)
