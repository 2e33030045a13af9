"""Rows: what was known of a customer at a moment, what came of it, and which rows may be used for what.

A row is one customer at one moment. Its features are what had been received by then, merges of ids included; its label
is what the log tells of the time after (`training.rows.labels`). Who has withdrawn the consent to be profiled has no
rows: not while it is withdrawn, and, if it still is at the end of the log, none of earlier moments either. Rows are
parted by time (`training.rows.schedule`).
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
from features.identity.periods import connected_components
from features.outcomes import STAYS, Happens
from features.replay.replay import Histories, Snapshots, final_states, histories
from features.replay.snapshots import Past, known_at, replay_profiles, replay_profiles_at
from training.rows.labels import WITHDRAWN, answers
from training.rows.residuals import SHORT
from training.rows.schedule import NotEnoughHistory, Schedule, Split, purged, ripe, split, visit_moments
from training.targets import Calendar, InVisit, Target

MOST_ROWS = 2_000_000
"""Rows that one target is trained and tested on, at most; with more, some customers are drawn to stand for all."""

SHORT_ROWS, SHORT_CUTOFFS = 300_000, 130
"""Rows of a short question at most, and its cutoffs: two years and some weeks."""


def content_digest(past: Past, customers: Sequence[str], items: Sequence[str]) -> str:
    """32 hexadecimal digits that stand for these events and merges, and for their customers and items by code and name.

    `customers` and `items` are names by code; those that no event mentions do not matter, so that a longer log read up
    to the same moment is the same data.
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
    """The histories of those who have not withdrawn, by `now`, the consent to be profiled."""
    gone = _withdrawn(fold, known, now)
    return histories([_without(gone, known.events, known.events["customer"])]) if len(gone) else known


def willing(fold: Fold, past: Past, now: int) -> Past:
    """The log up to `now` without those who have withdrawn by then the consent to be profiled: no id, at no time.

    What they did before is theirs to withhold too, and what they did after is not in the log, so that no label of
    theirs that looks past the withdrawal would be true.
    """
    gone = _withdrawn(fold, known_at(past, now), now)
    if not len(gone):
        return past
    apart, joined = (_without(gone, part, past.people(part["customer"])) for part in past.parts)
    return Past(histories([apart]), joined, past.merges)


def _without(gone: NDArray[np.int32], events: NDArray[np.void], people: NDArray[np.int32]) -> NDArray[np.void]:
    """The events without those of profiles that are gone; `people` is the profile of each."""
    return events[~np.isin(people, gone)]


def _withdrawn(fold: Fold, known: Histories, now: int) -> NDArray[np.int32]:
    """Who has withdrawn, by `now`, the consent to be profiled."""
    events = known.events
    withdrew = np.unique(events["customer"][events["kind"] == int(CONSENT_WITHDRAW)])
    if not len(withdrew):
        return withdrew
    asked = histories([events[np.isin(events["customer"], withdrew)]])
    return asked.customers[fold.sweep(final_states(fold, asked), now)[:, fold.index[WITHDRAWN]] > 0]


def sample(past: Past, each: float, seed: int, most: int | None = None) -> Past:
    """All customers if they make at most `most` rows (`MOST_ROWS`) of so many each, else as many as do, by the seed.

    Ids that were ever joined are drawn together.
    """
    number, apart = int((most or MOST_ROWS) / max(each, 1.0)), past.apart
    codes, circle = connected_components(past.merges)
    alone, everyone = len(apart.customers), len(apart.customers) + int(circle.max(initial=-1)) + 1
    if everyone <= number:
        return past
    drawn = np.sort(np.random.default_rng(seed).choice(everyone, number, replace=False))
    kept = np.isin(apart.events["customer"], apart.customers[drawn[drawn < alone]])
    chosen = codes[np.isin(circle, drawn[drawn >= alone] - alone)]
    joined = past.joined[np.isin(past.joined["customer"], chosen)]
    return Past(histories([apart.events[kept]]), joined, past.merges)


@dataclass(frozen=True, eq=False)
class Slice:
    """Labelled rows: `features` float32[n, f], their `labels`, and whose and when they are.

    `labels` are int8 (0 and 1, or the number of a stage) or, for amounts, float32. `customer` is the profile in the
    end: rows of one person, under whichever id, stay together when rows are parted. `cutoff` is the moment of each row.
    `days` float32, of targets that ask for the next stage, is after how many days it was entered; NaN where none was.
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

    def within(self, moments: NDArray[np.int64]) -> Slice:
        """The rows from the first to the last of the rising `moments`."""
        if not len(moments):
            return self.where(np.zeros(len(self), bool))
        return self.where((self.cutoff >= moments[0]) & (self.cutoff <= moments[-1]))


@dataclass(frozen=True, eq=False)
class Dataset:
    """All rows of one target, by slice; `names` are the columns of `features`.

    `every` are all rows whose answer is known, those between the slices included.
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
    """How much there is to learn from: `customers` and `rows` whose answer is known, how many of them `yes`.

    For amounts `yes` counts rows with any money, for stages rows in which another stage was entered. `history_days` is
    how long the log is.
    """

    customers: int
    rows: int
    yes: int
    history_days: float

    @property
    def no(self) -> int:
        """Rows that are not yes."""
        return self.rows - self.yes


@dataclass(frozen=True, eq=False)
class Gathered:
    """All rows of one target whose answer is known, however few; `names` are the columns of the features.

    `split` is None where the rows cannot be parted by time, and `missing` then says why, and what to do. `end` is the
    end of the log. `short` are rows of the same question with a shorter horizon (`short_question`), nearer to the end
    and further back; None where it would be no shorter, or nobody gathered them.
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
        """The rows by slice, copied once. Raises `NotEnoughHistory` when they cannot be parted."""
        if self.split is None:
            raise NotEnoughHistory(self.missing)
        return _parted(self.target, self.names, self.rows, self.split)


def gathered(
    target: Target, fold: Fold, past: Past, start: int, end: int, *, seed: int, schedule: Schedule | None = None
) -> Gathered:
    """The rows of `target` in a log that spans `start` to `end`, parted by time if that can be done.

    Of a large log, some customers stand for all (`sample`).
    """
    found: Split | None = None
    missing = ""
    try:
        found = split(target, start, end, schedule)
        moments = found.cutoffs
    except NotEnoughHistory as reason:
        missing, moments = str(reason), ripe(target, start, end, schedule)
    rows = rows_at(target, fold, sample(past, rows_each(target, past, moments), seed), moments, end)
    if found is not None:
        missing = _one_sided(_parted(target, fold.names, rows, found))
    yes = moved(target, rows.labels)
    counts = Counts(len(np.unique(rows.customer)), len(rows), int(yes.sum()), (end - start) / DAY)
    short = _short_rows(target, fold, past, start, end, seed)
    return Gathered(target, fold.names, rows, None if missing else found, missing, counts, end, short)


def short_question(target: Target) -> Target | None:
    """The same question about the next days only, whose answer is known sooner; None where it is as short already."""
    outcome = target.outcome
    if not isinstance(outcome, Happens) or not isinstance(target.moments, Calendar) or target.horizon <= SHORT + DAY:
        return None
    return replace(target, outcome=replace(outcome, within=SHORT))


def _short_rows(target: Target, fold: Fold, past: Past, start: int, end: int, seed: int) -> Slice | None:
    """The rows of the short question at the newest `SHORT_CUTOFFS`, one after the other's horizon."""
    question = short_question(target)
    if question is None:
        return None
    moments = end - SHORT * np.arange(SHORT_CUTOFFS, 0, -1, dtype=np.int64)
    moments = moments[moments > start]
    return rows_at(question, fold, sample(past, len(moments), seed, SHORT_ROWS), moments, end)


def rows_at(target: Target, fold: Fold, past: Past, moments: NDArray[np.int64], end: int) -> Slice:
    """The rows of `target` whose answer is known, at the moments of a slice of a `Split` (or of several)."""
    asked = target.moments
    if not len(moments) or not isinstance(asked, InVisit):
        return _known_rows(target, past, replay_profiles(fold, past, moments.tolist()), end)
    first, last = int(moments.min()), int(moments.max())
    snapshots = replay_profiles_at(fold, past, lambda known: visit_moments(asked, known, first, last))
    return _known_rows(target, past, snapshots, end)


def rows_each(target: Target, past: Past, moments: NDArray[np.int64]) -> float:
    """How many rows a customer makes at these moments, in the mean or at most."""
    asked = target.moments
    if not len(moments) or not isinstance(asked, InVisit):
        return len(moments)
    first, last = int(moments.min()), int(moments.max())
    everyone = [past.apart, histories([past.joined])]
    number = sum(len(visit_moments(asked, each, first, last).at) for each in everyone)
    return number / max(sum(len(each.customers) for each in everyone), 1)


def _known_rows(target: Target, past: Past, snapshots: Snapshots, end: int) -> Slice:
    """The rows that are in scope and whose answer is known."""
    found = answers(target, past, snapshots, end)
    every = Slice(snapshots.features, found.labels, past.people(snapshots.customer), snapshots.cutoff, found.days)
    return every.where(found.labels >= 0)


def moved(target: Target, labels: NDArray[Any]) -> NDArray[np.bool_]:
    """Which answers are a yes: an event, any money, another stage."""
    yes: NDArray[np.bool_] = labels != STAYS if target.form == "stage" else labels > 0
    return yes


def dataset(target: Target, past: Past, snapshots: Snapshots, cutoffs: Split, end: int) -> Dataset:
    """The labelled rows of `target` at `cutoffs`; rows out of scope or not known yet are dropped.

    Raises `NotEnoughHistory` when a slice has not both answers.
    """
    data = _parted(target, snapshots.names, _known_rows(target, past, snapshots, end), cutoffs)
    missing = _one_sided(data)
    if missing:
        raise NotEnoughHistory(missing)
    return data


def _parted(target: Target, names: tuple[str, ...], rows: Slice, cutoffs: Split) -> Dataset:
    parts = (cutoffs.fit, cutoffs.stop, cutoffs.calibrate, cutoffs.test)
    fit, stop, calibrate, test = (rows.within(moments) for moments in parts)
    return Dataset(target, names, fit, stop, calibrate, test, rows)


def _one_sided(data: Dataset) -> str:
    """What is missing for every slice to have both answers (of amounts: some money); nothing when they have."""
    amount = data.target.form == "amount"
    for name in ("fit", "purged_fit", "stop", "calibrate", "test"):
        found = getattr(data, name).labels
        yes = int(moved(data.target, found).sum())
        if not 0 < yes < len(found) + amount:
            expected = "some that are" if amount else "both yes and no"
            return (
                f"The {name} rows of {data.target.name} are {len(found)}, {yes} of them "
                f"{'above 0' if amount else 'yes'}; expected {expected}. Import more customers or more history with "
                "`waypost import`."
            )
    return ""


def joined(slices: Sequence[Slice]) -> Slice:
    """The rows of several slices as one."""
    days = [each.days for each in slices if each.days is not None]
    return Slice(
        np.concatenate([each.features for each in slices]),
        np.concatenate([each.labels for each in slices]),
        np.concatenate([each.customer for each in slices]),
        np.concatenate([each.cutoff for each in slices]),
        np.concatenate(days) if days else None,
    )
