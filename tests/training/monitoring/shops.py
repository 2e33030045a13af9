"""Simulated shops with models that were honestly fitted on their past, shared by the tests of a process."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from features.events import DAY
from features.journey import JOURNEY
from features.log.contract import MERGE
from features.replay.snapshots import Past, past_of
from models.bundle.reference import Reference
from tests.worlds import OPENING, World, shop
from training.monitoring import Report, Watched, reference_of, watch
from training.monitoring.realised import ripened
from training.rows.dataset import Slice
from training.targets import TARGETS

TRAINED = OPENING + 150 * DAY
SETTLED = OPENING + 70 * DAY
"""From when on the shop is not new."""

ASKED = {name: TARGETS[name] for name in ("conversion_7d", "churn_28d")}
COLUMNS = ("days_since_purchase", "purchase_gap_mean", "purchase_gap_deviation", "silence_ratio", "purchases_28d")


class Fitted:
    """A logistic regression on the logarithms of a few features."""

    def __init__(self, rows: Slice) -> None:
        self._model: Pipeline = make_pipeline(StandardScaler(), LogisticRegression())
        self._model.fit(self._design(rows.features), rows.labels)

    def score_many(self, matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        """The probability of a yes."""
        given: NDArray[np.float64] = np.asarray(self._model.predict_proba(self._design(matrix))[:, 1])
        return given

    @staticmethod
    def _design(matrix: NDArray[np.float32]) -> NDArray[np.float64]:
        chosen = np.nan_to_num(matrix[:, [JOURNEY.index[name] for name in COLUMNS]].astype(np.float64), nan=60.0)
        return np.asarray(np.log1p(chosen))


@dataclass(frozen=True)
class Shop:
    """A shop, its models trained at `TRAINED`, and the reference that was written then."""

    world: World
    watched: Watched
    reference: Reference

    def past(self, now: int, events: NDArray[np.void] | None = None) -> Past:
        """The log up to a moment; `events` are in the place of the world's own."""
        records = self.world.events if events is None else events
        return past_of([records[records["received"] <= now]], np.empty(0, MERGE))

    def report(self, now: int, events: NDArray[np.void] | None = None, previous: Watched | None = None) -> Report:
        """What the monitor says at a moment."""
        return watch(
            JOURNEY, self.past(now, events), self.watched, now, ASKED, reference=self.reference, previous=previous
        )  # fmt: skip


@cache
def trained_shop(seed: int = 1) -> Shop:
    """The shop of this seed: 300 customers over 290 days."""
    world = shop(customers=300, days=290, seed=seed)
    past = past_of([world.events[world.events["received"] <= TRAINED]], np.empty(0, MERGE))
    rows = {name: known(ripened(JOURNEY, past, target, SETTLED, TRAINED)) for name, target in ASKED.items()}
    scorers = {name: Fitted(each) for name, each in rows.items()}
    rates = {name: float(each.labels.mean()) for name, each in rows.items()}
    reference = reference_of(JOURNEY, past, TRAINED, ASKED, scorers)
    return Shop(world, Watched("first", TRAINED, scorers, rates), reference)


def known(rows: Slice | str) -> Slice:
    """The rows that have ripened. AssertionError when there are none."""
    assert isinstance(rows, Slice), rows
    return rows
