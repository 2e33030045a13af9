"""Labels: the outcome after a cutoff, read from the log.

A label counts events that happened after the cutoff and within the horizon, whenever they were received, and under all
ids that belong to the customer in the end: a visitor who logged in and bought did convert.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from features.aggregates.kernels import FOREVER
from features.aggregates.net import taken_back
from features.events import DAY, ORDER_CANCEL, PURCHASE, REFUND, SECOND, VISITS, Selection, any_of
from features.outcomes import STAYS, VISIT_GAP, Happens, HappensInVisit, NextStage, Spends, SpendsNet, VisitEnds
from features.replay.replay import Snapshots
from features.replay.snapshots import Past
from training.rows.stage_changes import changes
from training.targets import Target

UNKNOWN = -1
"""The label of a row whose horizon passes the end of the log, so that the answer is not known yet."""

OUT_OF_SCOPE = -2
"""The label of a row that is out of the target's scope."""

_PURCHASE = int(PURCHASE)
_taken_back = njit(cache=True, nogil=True)(taken_back)

WITHDRAWN = "profiling_withdrawn"
"""The feature that is 1 for a customer who has withdrawn the consent to profiling."""


@dataclass(frozen=True, eq=False)
class Answers:
    """The answer for every row: `labels` int8 (1 yes, 0 no; or a stage) or, for amounts, float32.

    Labels below zero are `UNKNOWN` or `OUT_OF_SCOPE`. `days` float32, for targets of the next stage, are the days until
    that stage was entered; NaN where none was.
    """

    labels: NDArray[Any]
    days: NDArray[np.float32] | None = None


def end_of(past: Past) -> int:
    """The end of the log: when its newest event was received. ValueError when there is none."""
    newest = [int(events["received"].max()) for events in past.parts if len(events)]
    if not newest:
        raise ValueError("There are no events to train on; import some with `waypost import`.")
    return max(newest)


def label(target: Target, past: Past, snapshots: Snapshots, end: int | None = None) -> NDArray[Any]:
    """The labels of `answers`."""
    return answers(target, past, snapshots, end).labels


def answers(target: Target, past: Past, snapshots: Snapshots, end: int | None = None) -> Answers:
    """The answer for every row of `snapshots`, from a log that ends at `end` (by default its newest `received`)."""
    finish = end_of(past) if end is None else end
    columns = {name: snapshots.features[:, place] for place, name in enumerate(snapshots.names)}
    rows = _Rows(past.people(snapshots.customer), snapshots.cutoff, columns, finish)
    answered = _answered(target, past, rows)
    answered.labels[~np.broadcast_to(target.scope.evaluate(columns), len(rows.moment)).astype(bool)] = OUT_OF_SCOPE
    if WITHDRAWN in columns:
        answered.labels[columns[WITHDRAWN] > 0] = OUT_OF_SCOPE
    return answered


@dataclass(frozen=True, eq=False)
class _Rows:
    """The rows to label: the profile at the end of the log, the cutoff (`moment`), the features, and the log's end."""

    person: NDArray[np.int32]
    moment: NDArray[np.int64]
    columns: Mapping[str, NDArray[np.float32]]
    end: int


def _answered(target: Target, past: Past, rows: _Rows) -> Answers:
    match target.outcome:
        case Happens() as outcome:
            return Answers(_happens(outcome, past, rows))
        case HappensInVisit(selection=selection):
            _, over, known = _rest_of_visit(past, rows)
            happened = _first_after(_events(past, selection), rows) <= np.minimum(over, rows.moment + target.horizon)
            return Answers(np.where(known, happened, UNKNOWN).astype(np.int8))
        case VisitEnds(events=events):
            further, _, known = _rest_of_visit(past, rows)
            return Answers(np.where(known, further <= events, UNKNOWN).astype(np.int8))
        case Spends() as outcome:
            return Answers(_spends(outcome, past, rows))
        case SpendsNet() as outcome:
            return Answers(_spends_net(outcome, past, rows))
        case NextStage() as outcome:
            return _next_stage(outcome, past, rows)


def _happens(outcome: Happens, past: Past, rows: _Rows) -> NDArray[np.int8]:
    lengths = outcome.lengths(rows.columns, len(rows.moment))
    until = rows.moment + np.nan_to_num(lengths).astype(np.int64)
    happened = _first_after(_events(past, outcome.selection, outcome.score_at_most), rows) <= until
    labels = np.equal(happened, outcome.expected).astype(np.int8)
    labels[until > rows.end] = UNKNOWN
    labels[np.isnan(lengths)] = OUT_OF_SCOPE
    return labels


def _spends(outcome: Spends, past: Past, rows: _Rows) -> NDArray[np.float32]:
    orders = _events(past, outcome.selection)
    sums = np.concatenate([[0.0], np.cumsum(np.nan_to_num(orders.values))])
    first = orders.after(rows.person, rows.moment)
    last = orders.after(rows.person, rows.moment + outcome.within)
    spent: NDArray[np.float32] = np.maximum(sums[last] - sums[first], 0.0).astype(np.float32)
    spent[rows.moment + outcome.within > rows.end] = UNKNOWN
    return spent


def _spends_net(outcome: SpendsNet, past: Past, rows: _Rows) -> NDArray[np.float32]:
    person, at, kind, amount = _money(past)
    moves = np.empty(len(at), np.float64)
    _resolve(person, kind, amount, moves)
    entries = _Timeline(person, at, moves)
    first, last = (entries.after(rows.person, cutoffs) for cutoffs in (rows.moment, rows.moment + outcome.within))
    kept = np.empty(len(first), np.float32)
    _keep(moves, first, last, kept)
    kept[rows.moment + outcome.within > rows.end] = UNKNOWN
    return kept


def _money(past: Past) -> tuple[NDArray[np.int32], NDArray[np.int64], NDArray[np.uint8], NDArray[np.float64]]:
    """The person, time, kind and amount of every order, refund and cancellation, ordered by person and time."""
    kinds = _events(past, any_of(PURCHASE, REFUND, ORDER_CANCEL))
    amounts = _events(past, any_of(PURCHASE, REFUND, ORDER_CANCEL).amount)
    return kinds.person, kinds.at, kinds.values, amounts.values


@njit(cache=True, nogil=True)
def _resolve(person, kind, amount, moves):  # type: ignore[no-untyped-def]
    """Write to `moves` the money of each entry: an order's amount, or, below 0, that of a refund or cancellation."""
    outstanding, matched = 0.0, 0.0
    for i in range(len(person)):
        if i == 0 or person[i] != person[i - 1]:
            outstanding, matched = 0.0, 0.0
        if kind[i] == _PURCHASE and not amount[i] < 0.0:
            moves[i] = amount[i] if amount[i] == amount[i] else 0.0
            outstanding = amount[i] if amount[i] == amount[i] else outstanding
        else:
            money, outstanding, matched = _taken_back(kind[i], amount[i], outstanding, matched)
            moves[i] = -money


@njit(cache=True, nogil=True)
def _keep(moves, first, last, kept):  # type: ignore[no-untyped-def]
    """Sum moves[first[r]:last[r]] for each row r, where no partial sum falls below zero."""
    for row in range(len(first)):
        money = 0.0
        for i in range(first[row], last[row]):
            money = max(money + moves[i], 0.0)
        kept[row] = money


def _next_stage(outcome: NextStage, past: Past, rows: _Rows) -> Answers:
    person, at, stage = changes(past, rows.end)
    entered = _Timeline.of(person, at, stage)
    place = entered.after(rows.person, rows.moment)
    when = _first_after(entered, rows)
    moved = when <= rows.moment + outcome.within
    labels = np.full(len(when), STAYS, np.int8)
    labels[moved] = entered.values[place[moved]]
    labels[rows.moment + outcome.within > rows.end] = UNKNOWN
    return Answers(labels, np.where(moved, (when - rows.moment) / DAY, np.nan).astype(np.float32))


def _rest_of_visit(past: Past, rows: _Rows) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.bool_]]:
    """For the visit that is open at each cutoff: the number of acts to come, the time of the last, and whether that is
    known.

    Visits are separated by the times at which acts happened, of all acts in the log. A visit is known to be over when
    the log goes on for longer than the pause that ends a visit, or for as long as a visit is followed at most.
    """
    acts = _events(past, VISITS)
    seconds = acts.at // SECOND
    follows = (np.diff(acts.person) == 0) & (np.diff(seconds) <= VISIT_GAP // SECOND)
    lasts = np.append(np.flatnonzero(~follows), len(seconds) - 1)
    latest = acts.after(rows.person, rows.moment) - 1
    acted = latest >= 0
    acted[acted] = acts.person[latest[acted]] == rows.person[acted]
    further = np.zeros(len(latest), np.int64)
    over = rows.moment.copy()
    last = lasts[np.searchsorted(lasts, latest[acted])]
    further[acted], over[acted] = last - latest[acted], acts.at[last]
    closed = rows.end // SECOND - over // SECOND > VISIT_GAP // SECOND
    return further, over, closed | (rows.moment + HappensInVisit.horizon <= rows.end)


@dataclass(frozen=True, eq=False)
class _Timeline:
    """Entries of persons, ordered by person, then time, each with a value."""

    person: NDArray[np.int32]
    at: NDArray[np.int64]
    values: NDArray[Any]

    @classmethod
    def of(cls, person: NDArray[np.int32], at: NDArray[np.int64], values: NDArray[Any]) -> _Timeline:
        """The timeline of these entries."""
        order = np.lexsort((at, person))
        return cls(person[order], at[order], values[order])

    def after(self, person: NDArray[np.int32], moment: NDArray[np.int64]) -> NDArray[np.int64]:
        """The place of each person's first entry after `moment`, or where it would be."""
        places = np.empty(len(person), np.int64)
        _find(self.person, self.at, person, moment, places)
        return places


@njit(cache=True, nogil=True)
def _find(person, at, people, cutoffs, places):  # type: ignore[no-untyped-def]
    """For each of `people`, by binary search, the place of that person's first entry after the cutoff."""
    for row in range(len(people)):
        low, high = 0, len(person)
        while low < high:
            middle = (low + high) // 2
            if person[middle] < people[row] or (person[middle] == people[row] and at[middle] <= cutoffs[row]):
                low = middle + 1
            else:
                high = middle
        places[row] = low


def _first_after(entries: _Timeline, rows: _Rows) -> NDArray[np.int64]:
    """The time of the first entry after each row's cutoff, int64 microseconds; `FOREVER` when there is none."""
    place = entries.after(rows.person, rows.moment)
    own = place < len(entries.person)
    own[own] = entries.person[place[own]] == rows.person[own]
    times = np.full(len(place), FOREVER, np.int64)
    times[own] = entries.at[place[own]]
    return times


def _events(past: Past, selection: Selection, score_at_most: float | None = None) -> _Timeline:
    """The events of a selection by profile at the end of the log, with the selection's column as values."""
    parts = []
    for records in past.parts:
        matching = np.isin(records["kind"], [int(kind) for kind in selection.kinds])
        if selection.channels:
            matching &= np.isin(records["channel"], [int(channel) for channel in selection.channels])
        if score_at_most is not None:
            matching &= records["score"] <= score_at_most
        parts.append(records[matching])
    events = np.concatenate(parts)
    return _Timeline.of(past.people(events["customer"]), events["at"], events[selection.column or "kind"])
