"""Rows and labels: what was known at a cutoff, what came of it, and which rows may be used for what.

A row is one customer at one cutoff. Its features are what had been received at the cutoff, merges of ids included; its
label looks at when events happened, in (cutoff, cutoff + horizon], to whom the customer turned out to be: a visitor who
logged in and bought did convert. Who has withdrawn the consent to be profiled has no rows: not while it is withdrawn,
and, if it still is at the end of the log, none of earlier cutoffs either. Rows are split by their cutoffs, oldest to
newest:

    purged fit . . (fit . .) stop . . | gap: one horizon | calibrate . . | gap: one horizon | test . . . | horizon | end
    `- trees are grown -------------'                     `- held back -'                  `- newest complete -'

The gaps hold no rows, so no label in one of the three parts looks past the first cutoff of the next: what is measured
on `calibrate` was the future to the trees measured there, and what is measured on `test` was the future to everything.
`stop` is the newest part of training, on which early stopping listens. Its gap is inside `fit`: while the trees that it
is to judge are grown, the rows of `fit` whose horizon passes the first cutoff of `stop` are left out (`purged_fit`; the
purging of de Prado, 2018). The trees that are kept are grown on all of `fit` and `stop`.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
from numpy.typing import NDArray

from features.events import CONSENT_WITHDRAW, DAY, days
from features.fold import Fold
from features.grammar import Happens, duration_text
from features.profiles import Past, known_at
from features.reigns import circles
from features.replay import Histories, Snapshots, final_states, histories
from training.targets import Target

UNKNOWN = -1
"""Label of a row whose horizon passes the end of the log: the answer is not known yet."""

OUT_OF_SCOPE = -2
"""Label of a row of which the target is not asked."""

WITHDRAWN = "profiling_withdrawn"
"""The feature that tells who has withdrawn the consent to be profiled."""

MOST_ROWS = 2_000_000
"""Rows that one target is trained and tested on, at most; with more, some customers are drawn to stand for all."""


class NotEnoughHistory(ValueError):
    """The log is too short, or too one-sided, to train and to test a target."""


@dataclass(frozen=True)
class Schedule:
    """When customers are looked at: every `every` microseconds, counted back from the newest complete cutoff.

    `test`, `calibrate` and `stop` are numbers of cutoffs; all older ones, at most `fit`, grow trees, but none in
    the first `warm_up` of the log, when every customer looks new. `every` is no whole number of weeks, so that the
    cutoffs fall on every day of the week.
    """

    every: int = days(6)
    test: int = 3
    calibrate: int = 3
    stop: int = 3
    fit: int = 40
    warm_up: int = days(42)


@dataclass(frozen=True)
class Split:
    """Cutoffs of each slice, oldest first, int64 microseconds; none is in two slices."""

    fit: NDArray[np.int64]
    stop: NDArray[np.int64]
    calibrate: NDArray[np.int64]
    test: NDArray[np.int64]

    @property
    def cutoffs(self) -> NDArray[np.int64]:
        """All of them."""
        return np.concatenate([self.fit, self.stop, self.calibrate, self.test])


def split(target: Target, start: int, end: int, schedule: Schedule | None = None) -> Split:
    """The cutoffs of `target` in a log that spans `start` to `end`. Raises `NotEnoughHistory`."""
    plan = schedule or Schedule()
    test = _back_from(end - target.horizon, plan.test, plan.every)
    calibrate = _back_from(int(test[0]) - target.horizon, plan.calibrate, plan.every)
    train = _back_from(int(calibrate[0]) - target.horizon, plan.stop + plan.fit, plan.every)
    train = train[train >= start + plan.warm_up]
    fit, stop = train[: -plan.stop], train[-plan.stop :]
    if not purged(fit, stop, target.horizon).any():
        gap = -(-target.horizon // plan.every)
        least = plan.warm_up + 3 * target.horizon + (plan.test + plan.calibrate + plan.stop - 3 + gap) * plan.every
        raise NotEnoughHistory(
            f"The log spans {(end - start) / DAY:.0f} days; training {target.name} takes at least "
            f"{duration_text(least)}: a horizon of {duration_text(target.horizon)} before each of early stopping, "
            "calibration, test and the end. Import more history with `waypost import`, or train a target with a "
            "shorter horizon."
        )
    return Split(fit, stop, calibrate, test)


def purged(fit: NDArray[np.int64], stop: NDArray[np.int64], horizon: int) -> NDArray[np.bool_]:
    """Which of the cutoffs `fit` have labels that look no further than the first cutoff of `stop`."""
    ahead: NDArray[np.bool_] = fit <= stop.min(initial=np.iinfo(np.int64).max) - horizon
    return ahead


def _back_from(newest: int, number: int, every: int) -> NDArray[np.int64]:
    return newest - every * np.arange(number - 1, -1, -1, dtype=np.int64)


def end_of(past: Past) -> int:
    """The end of the log: when its newest event was received. ValueError when there is none."""
    newest = [int(events["received"].max()) for events in past.parts if len(events)]
    if not newest:
        raise ValueError("There are no events to train on; import some with `waypost import`.")
    return max(newest)


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


def sample(past: Past, cutoffs: int, seed: int) -> Past:
    """All customers if they make at most `MOST_ROWS` rows at so many cutoffs, else as many as do, drawn by the seed.

    Ids that were ever joined are drawn together.
    """
    number, apart = MOST_ROWS // max(cutoffs, 1), past.apart
    codes, circle = circles(past.merges)
    alone, everyone = len(apart.customers), len(apart.customers) + int(circle.max(initial=-1)) + 1
    if everyone <= number:
        return past
    drawn = np.sort(np.random.default_rng(seed).choice(everyone, number, replace=False))
    kept = np.isin(apart.events["customer"], apart.customers[drawn[drawn < alone]])
    chosen = codes[np.isin(circle, drawn[drawn >= alone] - alone)]
    joined = past.joined[np.isin(past.joined["customer"], chosen)]
    return Past(histories([apart.events[kept]]), joined, past.merges)


def label(target: Target, past: Past, snapshots: Snapshots, end: int | None = None) -> NDArray[np.int8]:
    """The answer for every row of `snapshots`: int8, 1 yes, 0 no, `UNKNOWN` or `OUT_OF_SCOPE`.

    The answer is looked for in events with cutoff < at <= cutoff + horizon, whenever they were received up to `end`,
    the end of the log (by default the newest `received` in `past`), of the profile that the customer belongs to then.
    """
    finish = end_of(past) if end is None else end
    happened = _happened(target.event, past, snapshots)
    labels = np.equal(happened, target.event.expected).astype(np.int8)
    labels[snapshots.cutoff > finish - target.horizon] = UNKNOWN
    columns = {name: snapshots.features[:, place] for place, name in enumerate(snapshots.names)}
    labels[~np.broadcast_to(target.scope.evaluate(columns), labels.shape).astype(bool)] = OUT_OF_SCOPE
    if WITHDRAWN in columns:
        labels[columns[WITHDRAWN] > 0] = OUT_OF_SCOPE
    return labels


def _happened(event: Happens, past: Past, snapshots: Snapshots) -> NDArray[np.bool_]:
    """Whether whoever each row speaks of had such an event in (cutoff, cutoff + within]."""
    records = np.concatenate([part[_matching(event, part)] for part in past.parts])
    # In order of time, the events of one window stand side by side; each window then marks its customers.
    records = records[np.argsort(records["at"], kind="stable")]
    moments, customers = records["at"], past.people(records["customer"])
    people = past.people(snapshots.customer)
    codes = np.concatenate([customers, people])
    seen = np.zeros(int(codes.max()) + 1 if len(codes) else 0, bool)
    happened = np.zeros(len(snapshots.cutoff), bool)
    for cutoff in np.unique(snapshots.cutoff).tolist():
        first, last = np.searchsorted(moments, [cutoff, cutoff + event.within], side="right")
        seen[customers[first:last]] = True
        rows = np.flatnonzero(snapshots.cutoff == cutoff)
        happened[rows] = seen[people[rows]]
        seen[customers[first:last]] = False
    return happened


def _matching(event: Happens, records: NDArray[np.void]) -> NDArray[np.bool_]:
    """Which records are such an event."""
    chosen = event.selection
    matching: NDArray[np.bool_] = np.isin(records["kind"], [int(kind) for kind in chosen.kinds])
    if chosen.channels:
        matching &= np.isin(records["channel"], [int(channel) for channel in chosen.channels])
    return matching


@dataclass(frozen=True, eq=False)
class Slice:
    """Labelled rows: `features` float32[n, f], `labels` int8[n] of 0 and 1, and whose and when they are.

    `customer` is the profile in the end: rows of one person, under whichever id, stay together when rows are parted.
    """

    features: NDArray[np.float32]
    labels: NDArray[np.int8]
    customer: NDArray[np.int32]
    cutoff: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.labels)

    def where(self, chosen: NDArray[np.bool_]) -> Slice:
        """The rows for which `chosen`, bool[n], is true."""
        return Slice(self.features[chosen], self.labels[chosen], self.customer[chosen], self.cutoff[chosen])


@dataclass(frozen=True, eq=False)
class Dataset:
    """All rows of one target, by slice; `names` are the columns of `features`."""

    target: Target
    names: tuple[str, ...]
    fit: Slice
    stop: Slice
    calibrate: Slice
    test: Slice

    @property
    def purged_fit(self) -> Slice:
        """The rows of `fit` whose labels look no further than the first cutoff of `stop`."""
        return self.fit.where(purged(self.fit.cutoff, self.stop.cutoff, self.target.horizon))

    def column(self, rows: Slice, name: str) -> NDArray[np.float64]:
        """One feature of `rows` as float64."""
        return rows.features[:, self.names.index(name)].astype(np.float64)


def dataset(target: Target, past: Past, snapshots: Snapshots, cutoffs: Split, end: int) -> Dataset:
    """The labelled rows of `target` at `cutoffs`; rows out of scope or not known yet are dropped.

    Raises `NotEnoughHistory` when a slice has not both answers.
    """
    labels = label(target, past, snapshots, end)
    everyone = Slice(snapshots.features, labels, past.people(snapshots.customer), snapshots.cutoff)

    def rows(moments: NDArray[np.int64]) -> Slice:
        return everyone.where((labels >= 0) & np.isin(snapshots.cutoff, moments))

    data = Dataset(
        target, snapshots.names, rows(cutoffs.fit), rows(cutoffs.stop), rows(cutoffs.calibrate), rows(cutoffs.test)
    )
    for name in ("fit", "purged_fit", "stop", "calibrate", "test"):
        found = getattr(data, name).labels
        if not 0 < int(found.sum()) < len(found):
            raise NotEnoughHistory(
                f"The {name} rows of {target.name} are {len(found)}, {int(found.sum())} of them yes; expected both yes "
                "and no. Import more customers or more history with `waypost import`."
            )
    return data


def joined(slices: Sequence[Slice]) -> Slice:
    """The rows of several slices as one."""
    return Slice(
        np.concatenate([each.features for each in slices]),
        np.concatenate([each.labels for each in slices]),
        np.concatenate([each.customer for each in slices]),
        np.concatenate([each.cutoff for each in slices]),
    )
