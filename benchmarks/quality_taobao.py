"""Taobao: after the 3rd, 5th and 10th act of a visit, will the visit still end in an order?

929 shoppers, nine days, visits separated by 30 minutes without an act. Each of the last days is predicted by models
fitted before it: with our features of the visit and of the customer's past, in LightGBM and in the logistic tier (the
mean of their log-odds); and by LightGBM with the same settings on simple counts of each kind of act, in the visit so
far, or in the visit and ever. Settings and features were chosen on the days before the predicted ones.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import lightgbm
import numpy as np
from numpy.typing import NDArray

from benchmarks.quality_data import interval, taobao_events
from benchmarks.report import print_table
from features.events import DAY, EVENT, HOUR, Kind
from features.grouping import histories
from features.journey import JOURNEY
from features.log.contract import MERGE
from features.outcomes import VISIT_GAP
from features.replay.snapshots import Past
from training.evaluation.evaluation import resamplings
from training.evaluation.metrics import Ranked, pr_auc
from training.fitting.calibration import settings
from training.fitting.tiers import fit_logistic
from training.rows.dataset import Slice, joined, rows_at
from training.targets import TARGETS, InVisit

Floats = NDArray[np.float64]

PLACES = (3, 5, 10)
"""The numbers of acts after which the question is asked."""
LEARNT = (1, 2, 3, 4, 5, 6, 8, 10, 13, 17, 21)
"""The numbers of acts in training: rows after the fourth act help to predict those after the fifth."""
DAYS = 4
"""The number of days at the end that are predicted, each from what was known when it began."""
GAP = HOUR
"""Rows less than this before a day are not used to predict it: their visits may still go on."""
ROUNDS = 120
STRENGTH = 0.003
SMALL = {"num_leaves": 4, "min_data_in_leaf": 100, "lambda_l2": 200.0}
"""Settings for few customers with correlated rows: small trees with strong regularisation."""
KINDS = tuple(int(kind) for kind in (Kind.ITEM_VIEW, Kind.CART_ADD, Kind.WISHLIST_ADD, Kind.PURCHASE))
REPLICATES = 500
PEERS = ("session_conversion_ap_ratio", "session_conversion_ap_ratio_to_counts_ever")
"""Our average precision divided by that of simple counts: of the visit so far, and of the visit and ever."""


@dataclass(frozen=True, eq=False)
class Visits:
    """Rows of visits, with the acts of each kind so far in the visit, and of the customer ever: float32[n, kinds]."""

    rows: Slice
    counts: NDArray[np.float32]
    ever: NDArray[np.float32]

    @property
    def place(self) -> Floats:
        """The number of acts of each visit so far."""
        total: Floats = self.counts.sum(axis=1, dtype=np.float64)
        return total

    def where(self, chosen: NDArray[np.bool_]) -> Visits:
        """The rows for which `chosen` is true."""
        return Visits(self.rows.where(chosen), self.counts[chosen], self.ever[chosen])


def claims(seed: int) -> dict[str, float]:
    """Fit, judge, print. Raises `Absent`."""
    judged, ours, peers = predicted(visits_of(taobao_events()), seed)
    rows: list[list[str]] = []
    figures: dict[str, float] = {}
    for place in PLACES:
        asked = judged.place == place
        people, labels = judged.rows.customer[asked], judged.rows.labels[asked]
        own, once = Ranked.of(ours[asked], labels), np.ones(len(labels))
        cells = [f"act {place}", str(len(labels)), str(labels.sum()), f"{labels.mean():.4f}", f"{_ap(own, once):.4f}"]
        for name, said in peers.items():
            peer = Ranked.of(said[asked], labels)
            ratio, low, high = _ratio(own, peer, people, seed)
            figures |= {f"{name}_{place}": ratio, f"{name}_{place}_low": low}
            cells += [f"{_ap(peer, once):.4f}", f"{ratio:.3f} [{low:.3f}, {high:.3f}]"]
        rows.append(cells)
    columns = ("asked after", "visits", "orders", "base rate", "ours", "counts of the visit", "ratio")
    print_table("Taobao, an order later in the visit", (*columns, "and ever", "ratio"), rows)
    return figures


def visits_of(events: NDArray[np.void]) -> Visits:
    """The rows of the target `session_conversion`, asked after `LEARNT` acts."""
    target = replace(TARGETS["session_conversion"], timing=InVisit(LEARNT))
    past = Past(histories([events]), np.empty(0, EVENT), np.empty(0, MERGE))
    first, last = int(events["at"].min()), int(events["at"].max())
    rows = rows_at(target, JOURNEY, past, np.array([first, last - target.horizon]), last)
    return Visits(rows, *_counts(events, rows))


def predicted(visits: Visits, seed: int) -> tuple[Visits, Floats, dict[str, Floats]]:
    """The rows of the last `DAYS` days at `PLACES`, our scores (two log-odds, summed), and those of each peer."""
    at = visits.rows.cutoff
    end = int(at.max()) + 1
    tests: list[Visits] = []
    said: list[tuple[Floats, ...]] = []
    for begun in range(end - DAYS * DAY, end, DAY):
        train = visits.where(at < begun - GAP)
        test = visits.where((at >= begun) & (at < begun + DAY) & np.isin(visits.place, PLACES))
        labels = train.rows.labels
        straight = fit_logistic(train.rows, JOURNEY.names, STRENGTH).raw_many(test.rows.features)
        ours = _learnt(train.rows.features, labels, test.rows.features, seed) + np.log(straight / (1.0 - straight))
        all_known, all_asked = (np.hstack([part.counts, part.ever]) for part in (train, test))
        visit = _learnt(train.counts, labels, test.counts, seed, feature_fraction=1.0)
        said.append((ours, visit, _learnt(all_known, labels, all_asked, seed, feature_fraction=1.0)))
        tests.append(test)
    counts, ever = (np.concatenate([getattr(part, name) for part in tests]) for name in ("counts", "ever"))
    judged = Visits(joined([part.rows for part in tests]), counts, ever)
    ours, visit, everything = (np.concatenate(part) for part in zip(*said, strict=True))
    return judged, ours, {PEERS[0]: visit, PEERS[1]: everything}


def _learnt(
    train: NDArray[np.float32], labels: NDArray[np.int8], test: NDArray[np.float32], seed: int, **parameters: object
) -> Floats:
    """The log-odds of the test rows by LightGBM."""
    given = settings(len(train), seed) | SMALL | parameters
    trees = lightgbm.train(given, lightgbm.Dataset(train, labels.astype(np.float32)), ROUNDS)
    return np.asarray(trees.predict(test, raw_score=True), np.float64)


def _counts(events: NDArray[np.void], rows: Slice) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """The acts of each of `KINDS` by then, in each row's visit and of its customer ever: two float32[n, kinds]."""
    past = histories([events])
    counts, ever = np.zeros((2, len(rows), len(KINDS)), np.float32)
    places = np.searchsorted(past.customers, rows.customer)
    for row, (place, moment) in enumerate(zip(places.tolist(), rows.cutoff.tolist(), strict=True)):
        own = past.events[past.starts[place] : past.starts[place + 1]]
        own = own[: int(np.searchsorted(own["at"], moment, side="right"))]
        pauses = np.flatnonzero(np.diff(own["at"]) > VISIT_GAP)
        visit = own["kind"][pauses[-1] + 1 if len(pauses) else 0 :]
        counts[row] = [(visit == kind).sum() for kind in KINDS]
        ever[row] = [(own["kind"] == kind).sum() for kind in KINDS]
    return counts, ever


def _ratio(own: Ranked, peer: Ranked, customers: NDArray[np.int32], seed: int) -> tuple[float, float, float]:
    """Our average precision over the peer's, with its 95 % interval."""

    def ratio(copies: Floats) -> float:
        return _ap(own, copies) / _ap(peer, copies)

    return ratio(np.ones(len(customers))), *interval(ratio, resamplings(customers, seed, REPLICATES))


def _ap(rows: Ranked, copies: Floats) -> float:
    return float(pr_auc(rows, copies[None, rows.order])[0])
