"""Rows: a customer's features at a cutoff, the label, and the split of the rows by time.

A row is one customer at one cutoff. Its features are computed from what had been received by then, merges of ids
included; its label comes from the log after the cutoff (`training.rows.labels`). A customer has no rows while the
consent to profiling is withdrawn; where it is withdrawn at the end of the log, the customer has no earlier rows,
either. Rows are split by time (`training.rows.schedule`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b
from typing import Any

import numpy as np
from numpy.typing import NDArray

from features.events import CONSENT_WITHDRAW, DAY
from features.fold.fold import Fold
from features.grouping import histories
from features.histories import Histories
from features.identity.periods import connected_components
from features.outcomes import STAYS, Happens
from features.replay.replay import Snapshots, final_states
from features.replay.snapshots import Past, known_at, replay_profiles, replay_profiles_at
from training.rows.labels import WITHDRAWN, answers
from training.rows.residuals import SHORT
from training.rows.schedule import NotEnoughHistory, Schedule, Split, purged, ripe, split, visit_times
from training.targets import Calendar, InVisit, Target

MOST_ROWS = 2_000_000
"""The most rows of one target for training and test; where there would be more, a sample of customers is drawn."""

SHORT_ROWS, SHORT_CUTOFFS = 300_000, 130
"""The most rows of a short question, and the number of its cutoffs: those of two years and some weeks."""


def content_digest(past: Past, customers: Sequence[str], items: Sequence[str]) -> str:
    """A digest, 32 hexadecimal digits, of these events and merges, and of the names of their customers and items.

    `customers` and `items` are names by code; those that no event mentions do not count, so that a longer log read up
    to the same time has the same digest.
    """
    digest = blake2b(digest_size=16)
    known, sold = (np.unique(np.concatenate([part[name] for part in past.parts])) for name in ("customer", "item"))
    for codes, names in ((known, customers), (sold[sold >= 0], items)):
        digest.update(json.dumps([(code, names[code]) for code in codes.tolist()]).encode())
    for events in past.parts:
        digest.update(np.ascontiguousarray(events).view(np.uint8).data)
    merges = past.merges[np.argsort(past.merges["offset"], kind="stable")]
    for name in ("received", "member", "profile", "undone"):
        digest.update(np.ascontiguousarray(merges[name]).data)
    return digest.hexdigest()


def consenting(fold: Fold, known: Histories, now: int) -> Histories:
    """The histories without those of customers who have withdrawn the consent to profiling by `now`."""
    gone = _withdrawn(fold, known, now)
    return histories([_without(gone, known.events, known.events["customer"])]) if len(gone) else known


def willing(fold: Fold, past: Past, now: int) -> Past:
    """The log up to `now` without customers who have withdrawn the consent to profiling by then: none of their ids.

    Their earlier events may not be used either, and their later ones are not in the log, so that labels that look past
    the withdrawal would be wrong.
    """
    gone = _withdrawn(fold, known_at(past, now), now)
    if not len(gone):
        return past
    apart, joined = (_without(gone, part, past.people(part["customer"])) for part in past.parts)
    return Past(histories([apart]), joined, past.merges)


def _without(gone: NDArray[np.int32], events: NDArray[np.void], people: NDArray[np.int32]) -> NDArray[np.void]:
    """The events without those of the profiles `gone`; `people` is the profile of each event."""
    return events[~np.isin(people, gone)]


def _withdrawn(fold: Fold, known: Histories, now: int) -> NDArray[np.int32]:
    """The customers who have withdrawn the consent to profiling by `now`."""
    events = known.events
    withdrew = np.unique(events["customer"][events["kind"] == int(CONSENT_WITHDRAW)])
    if not len(withdrew):
        return withdrew
    asked = histories([events[np.isin(events["customer"], withdrew)]])
    return asked.customers[fold.sweep(final_states(fold, asked), now)[:, fold.index[WITHDRAWN]] > 0]


def sample(past: Past, mean_rows: float, seed: int, most: int | None = None) -> Past:
    """All customers, if they make at most `most` rows (`MOST_ROWS`) with `mean_rows` each, else a sample that does.

    The sample is drawn by the seed; ids that were ever merged are drawn together.
    """
    number, apart = int((most or MOST_ROWS) / max(mean_rows, 1.0)), past.apart
    codes, component = connected_components(past.merges)
    alone, everyone = len(apart.customers), len(apart.customers) + int(component.max(initial=-1)) + 1
    if everyone <= number:
        return past
    drawn = np.sort(np.random.default_rng(seed).choice(everyone, number, replace=False))
    kept = np.isin(apart.events["customer"], apart.customers[drawn[drawn < alone]])
    chosen = codes[np.isin(component, drawn[drawn >= alone] - alone)]
    joined = past.joined[np.isin(past.joined["customer"], chosen)]
    return Past(histories([apart.events[kept]]), joined, past.merges)


@dataclass(frozen=True, eq=False)
class Slice:
    """Labelled rows: `features` float32[n, f], their `labels`, `customer` and `cutoff`.

    `labels` are int8 (0 and 1, or the number of a stage) or, for amounts, float32. `customer` is the profile at the end
    of the log, so that a split by customer keeps all ids of a person together. `cutoff` is in microseconds UTC. `days`
    float32, for targets of the next stage, are the days until it was entered; NaN where none was.
    """

    features: NDArray[np.float32]
    labels: NDArray[Any]
    customer: NDArray[np.int32]
    cutoff: NDArray[np.int64]
    days: NDArray[np.float32] | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def where(self, chosen: NDArray[np.bool_]) -> Slice:
        """The rows for which `chosen`, bool[n], is true."""
        after = None if self.days is None else self.days[chosen]
        return Slice(self.features[chosen], self.labels[chosen], self.customer[chosen], self.cutoff[chosen], after)

    def within(self, cutoffs: NDArray[np.int64]) -> Slice:
        """The rows from the first to the last of the rising `cutoffs`."""
        if not len(cutoffs):
            return self.where(np.zeros(len(self), bool))
        return self.where((self.cutoff >= cutoffs[0]) & (self.cutoff <= cutoffs[-1]))


@dataclass(frozen=True, eq=False)
class Dataset:
    """All rows of one target, by slice; `names` are the columns of `features`.

    `every` are all rows whose answer is known, including those between the slices.
    """

    target: Target
    names: tuple[str, ...]
    fit: Slice
    stop: Slice
    calibrate: Slice
    test: Slice
    every: Slice

    @property
    def purged_fit(self) -> Slice:
        """The rows of `fit` whose labels look no further than the first cutoff of `stop`."""
        return self.fit.where(purged(self.fit.cutoff, self.stop.cutoff, self.target.horizon))

    def upto(self, last: Slice) -> Slice:
        """Every row that is no newer than the newest of the slice `last`."""
        return self.every.where(self.every.cutoff <= last.cutoff.max())

    def column(self, rows: Slice, name: str) -> NDArray[np.float64]:
        """One feature of `rows` as float64."""
        return rows.features[:, self.names.index(name)].astype(np.float64)


@dataclass(frozen=True)
class Counts:
    """The amount of data: `customers` and `rows` whose answer is known, and the number of rows with a `yes`.

    For amounts `yes` counts rows with any spending, for stages rows in which another stage was entered. `history_days`
    is the length of the log.
    """

    customers: int
    rows: int
    yes: int
    history_days: float

    @property
    def no(self) -> int:
        """The number of rows that are not yes."""
        return self.rows - self.yes


@dataclass(frozen=True, eq=False)
class Gathered:
    """All rows of one target whose answer is known, however few; `names` are the columns of the features.

    `split` is None where the rows cannot be split by time, and `missing` then says why, and what to do. `end` is the
    end of the log. `short` are rows of the same question with a shorter horizon (`short_question`), with cutoffs nearer
    to the end and further back; None where the horizon would be no shorter, or where they were not gathered.
    """

    target: Target
    names: tuple[str, ...]
    rows: Slice
    split: Split | None
    missing: str
    counts: Counts
    end: int
    short: Slice | None = None

    @cached_property
    def dataset(self) -> Dataset:
        """The rows by slice, copied once. Raises `NotEnoughHistory` when they cannot be split by time."""
        if self.split is None:
            raise NotEnoughHistory(self.missing)
        return _parted(self.target, self.names, self.rows, self.split)


def gathered(
    target: Target, fold: Fold, past: Past, start: int, end: int, *, seed: int, schedule: Schedule | None = None
) -> Gathered:
    """The rows of `target` in a log that spans `start` to `end`, split by time if that is possible.

    A large log is represented by a sample of its customers (`sample`).
    """
    parts: Split | None = None
    missing = ""
    try:
        parts = split(target, start, end, schedule)
        cutoffs = parts.cutoffs
    except NotEnoughHistory as reason:
        missing, cutoffs = str(reason), ripe(target, start, end, schedule)
    rows = rows_at(target, fold, sample(past, rows_per_customer(target, past, cutoffs), seed), cutoffs, end)
    if parts is not None:
        missing = _one_sided(_parted(target, fold.names, rows, parts))
    yes = moved(target, rows.labels)
    counts = Counts(len(np.unique(rows.customer)), len(rows), int(yes.sum()), (end - start) / DAY)
    short = _short_rows(target, fold, past, start, end, seed)
    return Gathered(target, fold.names, rows, None if missing else parts, missing, counts, end, short)


def short_question(target: Target) -> Target | None:
    """The same question with the horizon `SHORT`, whose answer is known sooner; None where it would be no shorter."""
    outcome = target.outcome
    if not isinstance(outcome, Happens) or not isinstance(target.timing, Calendar) or target.horizon <= SHORT + DAY:
        return None
    return replace(target, outcome=replace(outcome, within=SHORT))


def _short_rows(target: Target, fold: Fold, past: Past, start: int, end: int, seed: int) -> Slice | None:
    """The rows of the short question at the newest `SHORT_CUTOFFS` cutoffs, a horizon apart."""
    question = short_question(target)
    if question is None:
        return None
    cutoffs = end - SHORT * np.arange(SHORT_CUTOFFS, 0, -1, dtype=np.int64)
    cutoffs = cutoffs[cutoffs > start]
    return rows_at(question, fold, sample(past, len(cutoffs), seed, SHORT_ROWS), cutoffs, end)


def rows_at(target: Target, fold: Fold, past: Past, cutoffs: NDArray[np.int64], end: int) -> Slice:
    """The rows of `target` whose answer is known, at the cutoffs of one or several slices of a `Split`."""
    timing = target.timing
    if not len(cutoffs) or not isinstance(timing, InVisit):
        return _known_rows(target, past, replay_profiles(fold, past, cutoffs.tolist()), end)
    first, last = int(cutoffs.min()), int(cutoffs.max())
    snapshots = replay_profiles_at(fold, past, lambda known: visit_times(timing, known, first, last))
    return _known_rows(target, past, snapshots, end)


def rows_per_customer(target: Target, past: Past, cutoffs: NDArray[np.int64]) -> float:
    """How many rows a customer has at these cutoffs: at most, or, for visits, on average."""
    timing = target.timing
    if not len(cutoffs) or not isinstance(timing, InVisit):
        return len(cutoffs)
    first, last = int(cutoffs.min()), int(cutoffs.max())
    everyone = [past.apart, histories([past.joined])]
    number = sum(len(visit_times(timing, known, first, last).at) for known in everyone)
    return number / max(sum(len(known.customers) for known in everyone), 1)


def _known_rows(target: Target, past: Past, snapshots: Snapshots, end: int) -> Slice:
    """The rows that are in scope and whose answer is known."""
    answered = answers(target, past, snapshots, end)
    every = Slice(snapshots.features, answered.labels, past.people(snapshots.customer), snapshots.cutoff, answered.days)
    return every.where(answered.labels >= 0)


def moved(target: Target, labels: NDArray[Any]) -> NDArray[np.bool_]:
    """Which labels are a yes: the event, any spending, or another stage."""
    yes: NDArray[np.bool_] = labels != STAYS if target.form == "stage" else labels > 0
    return yes


def dataset(target: Target, past: Past, snapshots: Snapshots, cutoffs: Split, end: int) -> Dataset:
    """The labelled rows of `target` at `cutoffs`; rows out of scope or not known yet are dropped.

    Raises `NotEnoughHistory` when a slice does not have both yes and no.
    """
    data = _parted(target, snapshots.names, _known_rows(target, past, snapshots, end), cutoffs)
    missing = _one_sided(data)
    if missing:
        raise NotEnoughHistory(missing)
    return data


def _parted(target: Target, names: tuple[str, ...], rows: Slice, cutoffs: Split) -> Dataset:
    parts = (cutoffs.fit, cutoffs.stop, cutoffs.calibrate, cutoffs.test)
    fit, stop, calibrate, test = (rows.within(part) for part in parts)
    return Dataset(target, names, fit, stop, calibrate, test, rows)


def _one_sided(data: Dataset) -> str:
    """A message for the first slice without both yes and no (for amounts: without spending); empty if there is none."""
    amount = data.target.form == "amount"
    for name in ("fit", "purged_fit", "stop", "calibrate", "test"):
        labels = getattr(data, name).labels
        yes = int(moved(data.target, labels).sum())
        if not 0 < yes < len(labels) + amount:
            expected = "some that are" if amount else "both yes and no"
            return (
                f"The {name} rows of {data.target.name} are {len(labels)}, {yes} of them "
                f"{'above 0' if amount else 'yes'}; expected {expected}. Import more customers or more history with "
                "`waypost import`."
            )
    return ""


def joined(slices: Sequence[Slice]) -> Slice:
    """The rows of several slices as one."""
    days = [rows.days for rows in slices if rows.days is not None]
    return Slice(
        np.concatenate([rows.features for rows in slices]),
        np.concatenate([rows.labels for rows in slices]),
        np.concatenate([rows.customer for rows in slices]),
        np.concatenate([rows.cutoff for rows in slices]),
        np.concatenate(days) if days else None,
    )
