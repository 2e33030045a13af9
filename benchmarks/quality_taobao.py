"""Taobao: after the 3rd, 5th and 10th act of a visit, will the visit still end in an order?

929 shoppers, nine days, visits parted by 30 minutes of silence. Each of the last days is foretold by what was learnt
before it: by our features, which know the visit and the customer's past, in LightGBM and in a logistic regression (the
mean of their log-odds); and by LightGBM with the same settings on plain counts of each kind of act in the visit so far.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import lightgbm
import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from benchmarks.quality_data import interval, taobao_events
from benchmarks.report import print_table
from features.events import DAY, EVENT, HOUR, Kind
from features.journey import JOURNEY
from features.log.contract import MERGE
from features.outcomes import VISIT_GAP
from features.profiles import Past
from features.replay import histories
from training.dataset import Slice, joined, rows_at
from training.evaluation import resamplings
from training.metrics import Ranked, pr_auc
from training.scorers import settings
from training.targets import TARGETS, InVisit

Floats = NDArray[np.float64]

PLACES = (3, 5, 10)
"""After how many acts the question is asked."""
LEARNT = (1, 2, 3, 4, 5, 6, 8, 10, 13, 17, 21)
"""After how many acts it is asked in training: what holds after the fourth helps to know what holds after the fifth."""
DAYS = 4
"""How many days at the end are foretold, each by what was known when it began."""
GAP = HOUR
"""A visit that began before a day is no training for it; visits so long are few."""
ROUNDS = 120
STRENGTH = 0.003
KINDS = tuple(int(kind) for kind in (Kind.ITEM_VIEW, Kind.CART_ADD, Kind.WISHLIST_ADD, Kind.PURCHASE))
REPLICATES = 500


@dataclass(frozen=True, eq=False)
class Visits:
    """Rows of visits, `rows`, and what each visit had had: `counts` float32[n, kinds] of each kind of act."""

    rows: Slice
    counts: NDArray[np.float32]

    @property
    def place(self) -> Floats:
        """How many acts each visit had had."""
        total: Floats = self.counts.sum(axis=1, dtype=np.float64)
        return total

    def where(self, chosen: NDArray[np.bool_]) -> Visits:
        """The rows for which `chosen` is true."""
        return Visits(self.rows.where(chosen), self.counts[chosen])


def claims(seed: int) -> dict[str, float]:
    """Fit, judge, print. Raises `Absent`."""
    visits = visits_of(taobao_events())
    ours, plain, judged = foretold(visits, seed)
    rows, found = [], {}
    for place in PLACES:
        asked = judged.place == place
        people, labels = judged.rows.customer[asked], judged.rows.labels[asked]
        own, peer = Ranked.of(ours[asked], labels), Ranked.of(plain[asked], labels)
        once = np.ones(len(labels))
        ratio, low, high = _ratio(own, peer, people, seed)
        found[f"session_conversion_ap_ratio_{place}"] = ratio
        found[f"session_conversion_ap_ratio_{place}_low"] = low
        shown = (len(labels), labels.sum(), _ap(own, once), _ap(peer, once), labels.mean())
        rows.append([f"act {place}", *(f"{value:.4g}" for value in shown), f"{ratio:.3f} [{low:.3f}, {high:.3f}]"])
    columns = ("asked after", "visits", "orders", "average precision", "plain counts", "base rate", "ratio")
    print_table("Taobao, an order later in the visit", columns, rows)
    return found


def visits_of(events: NDArray[np.void]) -> Visits:
    """The rows of the target `session_conversion`, asked after `LEARNT` acts."""
    target = replace(TARGETS["session_conversion"], moments=InVisit(LEARNT))
    past = Past(histories([events]), np.empty(0, EVENT), np.empty(0, MERGE))
    first, last = int(events["at"].min()), int(events["at"].max())
    rows = rows_at(target, JOURNEY, past, np.array([first, last - target.horizon]), last)
    return Visits(rows, _counts(events, rows))


def foretold(visits: Visits, seed: int) -> tuple[Floats, Floats, Visits]:
    """Scores by our features (two log-odds, summed) and by plain counts, of the last `DAYS` days' rows at `PLACES`."""
    at = visits.rows.cutoff
    end = int(at.max()) + 1
    ours, plain, parts = [], [], []
    for back in range(DAYS, 0, -1):
        begun = end - back * DAY
        train = visits.where(at < begun - GAP)
        test = visits.where((at >= begun) & (at < begun + DAY) & np.isin(visits.place, PLACES))
        known, labels, asked = train.rows.features, train.rows.labels, test.rows.features
        ours.append(_learnt(known, labels, asked, seed) + _straight(known, labels, asked))
        plain.append(_learnt(train.counts, labels, test.counts, seed, feature_fraction=1.0))
        parts.append(test)
    judged = Visits(joined([part.rows for part in parts]), np.concatenate([part.counts for part in parts]))
    return np.concatenate(ours), np.concatenate(plain), judged


def _learnt(
    train: NDArray[np.float32], labels: NDArray[np.int8], test: NDArray[np.float32], seed: int, **parameters: object
) -> Floats:
    """The log-odds of the test rows by LightGBM: few rows, so small trees."""
    small = settings(len(train), seed) | {"num_leaves": 7, "min_data_in_leaf": 100, **parameters}
    trees = lightgbm.train(small, lightgbm.Dataset(train, labels.astype(np.float32)), ROUNDS)
    return np.asarray(trees.predict(test, raw_score=True), np.float64)


def _straight(train: NDArray[np.float32], labels: NDArray[np.int8], test: NDArray[np.float32]) -> Floats:
    """The log-odds of the test rows by a logistic regression on the logarithms of all features."""
    middle = np.nan_to_num(np.nanmedian(np.where(np.isnan(train).all(axis=0), 0.0, train), axis=0))
    logs = [
        np.sign(rows) * np.log1p(np.abs(rows)) for rows in (np.where(np.isnan(x), middle, x) for x in (train, test))
    ]
    model = make_pipeline(StandardScaler(), LogisticRegression(C=STRENGTH, solver="newton-cholesky"))
    model.fit(np.hstack([logs[0], np.isnan(train)]), labels)
    return np.asarray(model.decision_function(np.hstack([logs[1], np.isnan(test)])), np.float64)


def _counts(events: NDArray[np.void], rows: Slice) -> NDArray[np.float32]:
    """How many acts of each of `KINDS` each row's visit had had by then, float32[n, kinds]."""
    past = histories([events])
    counts = np.zeros((len(rows), len(KINDS)), np.float32)
    places = np.searchsorted(past.customers, rows.customer)
    for row, (place, moment) in enumerate(zip(places.tolist(), rows.cutoff.tolist(), strict=True)):
        own = past.events[past.starts[place] : past.starts[place + 1]]
        until = int(np.searchsorted(own["at"], moment, side="right"))
        pauses = np.flatnonzero(np.diff(own["at"][:until]) > VISIT_GAP)
        visit = own["kind"][pauses[-1] + 1 if len(pauses) else 0 : until]
        counts[row] = [(visit == kind).sum() for kind in KINDS]
    return counts


def _ratio(own: Ranked, peer: Ranked, customers: NDArray[np.int32], seed: int) -> tuple[float, float, float]:
    """Our average precision over the peer's, with its 95 % interval."""

    def ratio(copies: Floats) -> float:
        return _ap(own, copies) / _ap(peer, copies)

    return ratio(np.ones(len(customers))), *interval(ratio, resamplings(customers, seed, REPLICATES))


def _ap(rows: Ranked, copies: Floats) -> float:
    return float(pr_auc(rows, copies[None, rows.order])[0])
