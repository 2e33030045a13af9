"""Replay where several ids are one customer: each profile as it was known at every cutoff, and nothing later.

    past_of(log.scan(), log.merges())  ->  Past  ->  replay_profiles(fold, past, cutoffs)  ->  Snapshots

Ids that no merge names are replayed one by one. For the others, each membership period of a profile
(`features.identity.periods`) is replayed by itself: the events of its ids together, in log order, read at the cutoffs
that fall into the period.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from features.events import EVENT
from features.fold.fold import Fold
from features.grouping import histories
from features.histories import Histories, concatenated
from features.identity.periods import MembershipPeriod, Merges, connected_components, membership_periods, profile_codes
from features.log.contract import EventLog
from features.replay.replay import Cutoffs, Progress, Snapshots, at_cutoffs, replay, replay_at

Records = NDArray[np.void]
Chunks = Iterable[Records]


@dataclass(frozen=True)
class Past:
    """A log in memory, ready to be replayed by profile."""

    apart: Histories
    """The histories of the ids that no merge names."""
    joined: Records
    """The events of all other ids, in log order, each with the code of the id under which it came."""
    merges: Merges

    @property
    def parts(self) -> tuple[Records, Records]:
        """All events, in two arrays."""
        return self.apart.events, self.joined

    @property
    def count(self) -> int:
        """How many events there are."""
        return sum(map(len, self.parts))

    @cached_property
    def customers(self) -> NDArray[np.int32]:
        """The profiles that have events, after all merges; in rising order."""
        return np.union1d(self.apart.customers, self.people(np.unique(self.joined["customer"])))

    def people(self, codes: NDArray[np.int32]) -> NDArray[np.int32]:
        """The profiles that ids belong to after all merges."""
        return profile_codes(self.merges, codes)


def past_of(chunks: Chunks, merges: Merges) -> Past:
    """The log from EVENT chunks in log order and its `MERGE` records."""
    if not len(merges):
        return Past(histories(chunks), np.empty(0, EVENT), merges)
    named, joined = connected_components(merges)[0], [np.empty(0, EVENT)]
    apart = histories(_apart(chunks, named, joined.append))
    return Past(apart, np.concatenate(joined), merges)


def read_past(log: EventLog, until: int | None = None) -> Past:
    """All that a log had received by `until` (everything, when None)."""
    merges = log.merges()
    merges = merges if until is None else merges[merges["received"] <= until]
    named = connected_components(merges)[0]
    apart = concatenated(part.without(named) for part in log.by_customer(until=until))
    return Past(apart, log.together(named, until=until) if len(named) else np.empty(0, EVENT), merges)


def _apart(chunks: Chunks, named: NDArray[np.int32], put: Callable[[Records], object]) -> Iterator[Records]:
    """The chunks without the events of the ids `named`; these are given to `put`."""
    for chunk in chunks:
        inside = np.isin(chunk["customer"], named)
        put(chunk[inside])
        yield chunk[~inside]


def known_at(past: Past, cutoff: int) -> Histories:
    """The histories of the profiles that were known at `cutoff`, as they were then.

    Events carry the code of their profile. `final_states` of these are the states of the profiles at the cutoff.
    """
    pieces = []
    for events in past.parts:
        known = events["received"] <= cutoff
        pieces.append(events if known.all() else events[known])
    if not len(pieces[1]):
        return past.apart if pieces[0] is past.apart.events else histories(pieces[:1])
    members = pieces[1].copy()
    members["customer"] = profile_codes(past.merges, members["customer"], cutoff)
    return histories([pieces[0], members])


def replay_profiles(
    fold: Fold, past: Past, cutoffs: Sequence[int], *, threads: int | None = None, progress: Progress | None = None
) -> Snapshots:
    """Features of every profile at every cutoff, as `replay` gives those of customers.

    A row has the code that the profile had at its cutoff: only merges that had been received by then count.
    """
    rising = np.unique(np.asarray(cutoffs, np.int64))
    return _replay(fold, past, lambda known: at_cutoffs(known, cutoffs), rising, threads=threads, progress=progress)


def replay_profiles_at(
    fold: Fold, past: Past, cutoffs_of: Callable[[Histories], Cutoffs], *,
    threads: int | None = None, progress: Progress | None = None,
) -> Snapshots:  # fmt: skip
    """Features of every profile at its own cutoffs, which `cutoffs_of` derives from the histories.

    For ids that are ever merged, `cutoffs_of` gets the history of each membership period, from the first event of its
    ids to the end of the period, and only the cutoffs that fall into the period are used.
    """
    return _replay(fold, past, cutoffs_of, None, threads=threads, progress=progress)


def _replay(
    fold: Fold, past: Past, cutoffs_of: Callable[[Histories], Cutoffs], cutoffs: NDArray[np.int64] | None, *,
    threads: int | None, progress: Progress | None,
) -> Snapshots:  # fmt: skip
    apart = replay_at(fold, past.apart, cutoffs_of(past.apart), threads=threads, progress=progress)
    if not len(past.joined):
        return apart
    periods, since, until = _histories_of_periods(past, cutoffs)
    within = _within(cutoffs_of(periods), since, until)
    return _in_order([apart, replay_at(fold, periods, within, threads=threads)])


def replay_log(
    fold: Fold, log: EventLog, cutoffs: Sequence[int], *, most: int, progress: Progress | None = None
) -> Iterator[Snapshots]:
    """The snapshots of a whole log from about `most` events at a time: memory does not grow with the log.

    All rows of a profile, and of the ids it was ever joined with, are in one part. `progress` is called with (parts
    done, parts in all).
    """
    until, count = max(cutoffs), log.count()
    merges = log.merges()
    merges = merges[merges["received"] <= until]
    named, numbers = connected_components(merges)
    left = done = 0
    for part in log.by_customer(until=until):
        apart = part.without(named)
        left += len(part.events) - len(apart.events)
        done += len(part.events)
        yield replay(fold, apart, cutoffs)
        if progress:
            progress(done - left, count)
    # The ids of a profile may be in several chunks.
    rounds = -(-left // most)
    for number in range(rounds):
        events = log.together(named[numbers % rounds == number], until=until)
        yield replay_profiles(fold, Past(histories([]), events, merges), cutoffs)
        if progress:
            progress(done - left + left * (number + 1) // rounds, count)


def _histories_of_periods(
    past: Past, cutoffs: NDArray[np.int64] | None
) -> tuple[Histories, NDArray[np.int64], NDArray[np.int64]]:
    """The history of each membership period with events, as known at its end, and its begin and end, int64.

    Given the rising `cutoffs`, only membership periods into which a cutoff falls.
    """
    periods = membership_periods(past.merges)
    if cutoffs is not None:
        periods = [period for period in periods if np.diff(np.searchsorted(cutoffs, [period.since, period.until]))[0]]
    since, until = (np.array([period[place] for period in periods], np.int64) for place in (2, 3))
    index, numbers = _by_period(past.joined, periods, until - 1)
    present, begins = np.unique(numbers, return_index=True)
    profiles = np.array([period.profile for period in periods], np.int32)[present]
    known = Histories(past.joined[index], profiles, np.append(begins, len(numbers)))
    return known, since[present], until[present]


def _within(cutoffs: Cutoffs, since: NDArray[np.int64], until: NDArray[np.int64]) -> Cutoffs:
    """The cutoffs of each customer that fall into its own span, `since` included and `until` not."""
    owners = np.repeat(np.arange(len(since)), np.diff(cutoffs.starts))
    inside = (cutoffs.at >= since[owners]) & (cutoffs.at < until[owners])
    counts = np.bincount(owners[inside], minlength=len(since))
    return Cutoffs(cutoffs.at[inside], np.concatenate([[0], np.cumsum(counts)]))


def _by_period(
    events: Records, periods: Sequence[MembershipPeriod], ends: NDArray[np.int64]
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """Places of the events of each membership period, period by period in log order, and the period's number for each.

    An event belongs to every membership period in which its id is a member, if it was received by the end of the
    period.
    """
    sizes = [len(period.members) for period in periods]
    codes = np.array([code for period in periods for code in period.members], np.int32)
    numbers = np.repeat(np.arange(len(periods), dtype=np.int32), sizes)
    order = np.argsort(codes, kind="stable")
    codes, numbers = codes[order], numbers[order]
    first, stop = (np.searchsorted(codes, events["customer"], side) for side in ("left", "right"))
    counts = stop - first
    index = np.repeat(np.arange(len(events)), counts)
    within = np.arange(len(index)) - np.repeat(np.cumsum(counts) - counts, counts)
    period = numbers[np.repeat(first, counts) + within]
    known = events["received"][index] <= ends[period]
    index, period = index[known], period[known]
    order = np.argsort(period, kind="stable")
    return index[order], period[order]


def _in_order(parts: Sequence[Snapshots]) -> Snapshots:
    """Several snapshots as one, by customer and then by cutoff."""
    customer = np.concatenate([part.customer for part in parts])
    cutoff = np.concatenate([part.cutoff for part in parts])
    order = np.lexsort((cutoff, customer))
    places = np.empty_like(order)
    places[order] = np.arange(len(order))
    features = np.empty((len(order), len(parts[0].names)), np.float32)
    start = 0
    for part in parts:  # one by one: a whole training set is copied once and not twice
        features[places[start : start + len(part.features)]] = part.features
        start += len(part.features)
    return Snapshots(customer[order], cutoff[order], features, parts[0].names, parts[0].fingerprint)
