"""Laws of outcomes: each label is what a reader of the log, with paper and pencil, would answer."""

from __future__ import annotations

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from features.aggregates.stages import Stages
from features.events import (
    DAY,
    EVENT,
    MINUTE,
    ORDER_CANCEL,
    PURCHASE,
    REFUND,
    SECOND,
    SURVEY_NPS,
    TOUCHPOINTS,
    VISITS,
    Kind,
    any_of,
    days,
    hours,
)
from features.grammar import Column, minimum
from features.log.contract import MERGE
from features.outcomes import STAYS, Happens, HappensInVisit, NextStage, Outcome, Spends, SpendsNet, VisitEnds, happens
from features.replay.replay import Snapshots
from features.replay.snapshots import past_of
from tests.examples import examples
from tests.histories import START, histories_of, of_kinds, rows_of
from tests.laws.test_profiles import logs, membership
from training.rows.labels import OUT_OF_SCOPE, UNKNOWN, answers
from training.targets import InVisit, Target

EXAMPLES = settings(max_examples=examples(30), deadline=None)
Records = NDArray[np.void]
KINDS = [Kind.PURCHASE, Kind.ITEM_VIEW, Kind.SURVEY_NPS, Kind.CART_ADD, Kind.REVIEW, Kind.SUPPORT_OPEN]
NOBODY = np.empty(0, MERGE)
LONGEST = 30 * MINUTE
"""The longest pause within a visit; a second more ends it."""
pauses = st.sampled_from([0, 1, MINUTE, LONGEST, LONGEST, LONGEST + SECOND, hours(5), days(2), days(30)])


@st.composite
def busy(draw: st.DrawFn) -> Records:
    """A log with pauses about as long as those that end a visit, and now and then a late event."""
    events = draw(histories_of(customers=2, longest=20))
    steps = np.array([draw(pauses) + draw(st.sampled_from([0, 0, 0, 1, -1])) for _ in events], np.int64).clip(0)
    events["received"] = START + np.cumsum(steps)
    late = np.array([draw(st.sampled_from([0, 0, 0, MINUTE, hours(1), days(3)])) for _ in events], np.int64)
    events["at"] = events["received"] - late
    return of_kinds(events, KINDS)


def rows_at(log: Records, moments: list[int], gap: float = 1.0) -> Snapshots:
    """Rows for every customer of the log at every moment, whose only feature is `gap`."""
    rows = [(int(customer), moment) for customer in np.unique(log["customer"]) for moment in sorted(moments)]
    whose = np.array([customer for customer, _ in rows], np.int32)
    when = np.array([moment for _, moment in rows], np.int64)
    return Snapshots(whose, when, np.full((len(rows), 1), gap, np.float32), ("gap",), "none")


def target(outcome: Outcome) -> Target:
    """A question asked of everyone."""
    return Target("asked", outcome, Column("gap") > -1, "", 0.5, InVisit())


def found(outcome: Outcome, log: Records, rows: Snapshots, end: int) -> list[float]:
    """The labels of the rows."""
    labels: list[float] = answers(target(outcome), past_of([log], NOBODY), rows, end).labels.tolist()
    return labels


def own(log: Records, customer: int) -> Records:
    """The events of one customer in order of time."""
    mine = log[log["customer"] == customer]
    ordered: Records = mine[np.argsort(mine["at"], kind="stable")]
    return ordered


def asked(log: Records, data: st.DataObject) -> tuple[Snapshots, int]:
    """Rows at moments of events and about them, and the end of the log."""
    near = [START, *log["received"].tolist(), *(log["at"] + 30 * MINUTE).tolist()]
    moments = data.draw(st.lists(st.sampled_from(near), min_size=1, max_size=4, unique=True))
    rows = rows_at(log, moments, data.draw(st.sampled_from([0.5, 20.0, math.nan])))
    newest = int(log["received"].max()) if len(log) else START
    return rows, newest + data.draw(st.sampled_from([0, LONGEST, LONGEST + SECOND, hours(13), days(2), days(100)]))


def score_below(outcome: Happens, event: np.void) -> bool:
    """Whether the score of an event counts."""
    return outcome.score_at_most is None or bool(event["score"] <= outcome.score_at_most)


@EXAMPLES
@given(busy(), st.data())
def test_an_event_within_the_horizon_of_each_row(log: Records, data: st.DataObject) -> None:
    outcome = data.draw(
        st.sampled_from(
            [
                happens(SURVEY_NPS, within=days(2), score_at_most=6),
                happens(PURCHASE, within=minimum(2 * Column("gap"), 7)),
                ~happens(any_of(PURCHASE, SURVEY_NPS), within=minimum(2 * Column("gap"), 7)),
            ]
        )
    )
    rows, end = asked(log, data)
    gaps = rows.features[:, 0].astype(float).tolist()
    for label, customer, moment, gap in zip(
        found(outcome, log, rows, end), rows.customer.tolist(), rows.cutoff.tolist(), gaps, strict=True
    ):
        known = not math.isnan(gap)
        within = outcome.horizon if isinstance(outcome.within, int) else round(min(2 * gap, 7) * DAY) if known else 0
        happened = any(
            int(each["kind"]) in outcome.selection.kinds and score_below(outcome, each)
            for each in own(log, customer)
            if moment < each["at"] <= moment + within
        )
        expected = UNKNOWN if moment + within > end else int(happened == outcome.expected)
        assert label == (expected if known else OUT_OF_SCOPE)


def visit_after(log: Records, customer: int, moment: int) -> list[int]:
    """The moments of the acts to come in the visit that is open at a moment."""
    acts = [int(each["at"]) for each in own(log, customer) if int(each["kind"]) in VISITS.kinds]
    past, ahead = [act for act in acts if act <= moment], [act for act in acts if act > moment]
    rest: list[int] = []
    for before, act in pairwise([*past[-1:], *ahead]):
        if not past or act // 1_000_000 - before // 1_000_000 > 1_800:
            break
        rest.append(act)
    return rest


@EXAMPLES
@given(busy(), st.integers(0, 2), st.data())
def test_the_rest_of_a_visit(log: Records, events: int, data: st.DataObject) -> None:
    rows, end = asked(log, data)
    rows.features[:] = 1.0
    buys, leaves = HappensInVisit(PURCHASE.selection), VisitEnds(events)
    converted, left = found(buys, log, rows, end), found(leaves, log, rows, end)
    for place, (customer, moment) in enumerate(zip(rows.customer.tolist(), rows.cutoff.tolist(), strict=True)):
        rest = visit_after(log, customer, moment)
        acts = own(log, customer)
        acted = [int(each["at"]) for each in acts if int(each["kind"]) in VISITS.kinds and each["at"] <= moment]
        over = rest[-1] if rest else acted[-1] if acted else moment
        known = end // 1_000_000 - over // 1_000_000 > 1_800 or moment + hours(12) <= end
        orders = [int(each["at"]) for each in acts if each["kind"] == int(PURCHASE)]
        bought = any(moment < order <= min(over, moment + hours(12)) for order in orders)
        assert converted[place] == (int(bought) if known else UNKNOWN)
        assert left[place] == (int(len(rest) <= events) if known else UNKNOWN)


@EXAMPLES
@given(busy(), st.data())
def test_money_within_the_horizon(log: Records, data: st.DataObject) -> None:
    rows, end = asked(log, data)
    rows.features[:] = 1.0
    labels = found(Spends(PURCHASE.amount, days(2)), log, rows, end)
    for label, customer, moment in zip(labels, rows.customer.tolist(), rows.cutoff.tolist(), strict=True):
        spent = math.fsum(
            float(each["amount"])
            for each in own(log, customer)
            if each["kind"] == int(PURCHASE) and moment < each["at"] <= moment + days(2) and each["amount"] >= 0
        )
        if moment + days(2) > end:
            assert label == UNKNOWN
        else:
            assert math.isclose(label, spent, rel_tol=1e-6, abs_tol=1e-6) and (label > 0) == (spent > 0)


def net_moves(history: Records) -> list[tuple[int, float]]:
    """When each order, refund and cancellation of a customer was, and what it adds to the customer's money."""
    moves, left, before = [], 0.0, ("", 0.0)
    for at, kind, amount in history[["at", "kind", "amount"]].tolist():
        if kind == PURCHASE and not math.isnan(amount):
            moves.append((at, amount))
            left = amount
        elif kind in (REFUND, ORDER_CANCEL):
            money = left if math.isnan(amount) else amount
            if before[1] > 0 and before[0] != Kind(kind).name and abs(before[1] - money) < 0.0075:
                before = ("", 0.0)
            elif money > 0:
                moves.append((at, -money))
                left, before = max(left - money, 0.0), (Kind(kind).name, money)
    return moves


@EXAMPLES
@given(busy(), st.data())
def test_money_that_is_left_within_the_horizon(log: Records, data: st.DataObject) -> None:
    log = of_kinds(log, [PURCHASE, PURCHASE, REFUND, ORDER_CANCEL])
    rows, end = asked(log, data)
    rows.features[:] = 1.0
    labels = found(SpendsNet(days(5)), log, rows, end)
    for label, customer, moment in zip(labels, rows.customer.tolist(), rows.cutoff.tolist(), strict=True):
        kept = 0.0
        for at, money in net_moves(own(log, customer)):
            if moment < at <= moment + days(5):
                kept = max(kept + money, 0.0)
        expected = UNKNOWN if moment + days(5) > end else kept
        assert math.isclose(label, expected, rel_tol=1e-6, abs_tol=1e-3)


@EXAMPLES
@given(st.one_of(busy(), histories_of(customers=2, longest=15)), st.data())
def test_the_stage_entered_first(log: Records, data: st.DataObject) -> None:
    rows, end = asked(log, data)
    rows.features[:] = 1.0
    within = data.draw(st.sampled_from([days(2), days(28), days(400)]))
    result = answers(target(NextStage(within)), past_of([log], NOBODY), rows, end)
    assert result.days is not None
    for label, after, customer, moment in zip(
        result.labels.tolist(), result.days.tolist(), rows.customer.tolist(), rows.cutoff.tolist(), strict=True
    ):
        if moment + within > end:
            assert label == UNKNOWN
            continue
        stage, when = next_change(log[log["customer"] == customer], moment, moment + within)
        assert label == stage
        assert math.isclose(after, when, rel_tol=1e-6) if stage != STAYS else math.isnan(after)


def next_change(history: Records, moment: int, until: int) -> tuple[int, float]:
    """The stage entered first in (moment, until], and after how many days, as `meaning_current` sees it come."""
    stages, known = Stages(TOUCHPOINTS), rows_of(history)
    ends = [(row.received // 1_000_000 + later) * 1_000_000 for row in known for later in (7 * 86_400, 365 * 86_400)]
    times = sorted({t for t in [*(row.received for row in known), *ends] if t <= until})

    def stage(time: int) -> float:
        return stages.meaning_current([row for row in known if row.received <= time], time)

    before = stage(moment)
    for time in times:
        if time > moment and stage(time) != before and not math.isnan(stage(time)):
            return int(stage(time)), (time - moment) / DAY
    return STAYS, math.nan


@EXAMPLES
@given(logs(), st.data())
def test_a_label_follows_the_customer_to_the_profile_in_the_end(
    log: tuple[Records, Records], data: st.DataObject
) -> None:
    events, merges = log
    events = of_kinds(events, KINDS)
    rows, end = asked(events, data)
    rows.features[:] = 1.0
    labels = answers(target(happens(PURCHASE, within=days(30))), past_of([events], merges), rows, end).labels.tolist()
    people = membership(merges, 2**62)
    for label, customer, moment in zip(labels, rows.customer.tolist(), rows.cutoff.tolist(), strict=True):
        members = next(codes for codes in people.values() if customer in codes)
        orders = events[np.isin(events["customer"], members) & (events["kind"] == int(PURCHASE))]["at"].tolist()
        bought = any(moment < at <= moment + days(30) for at in orders)
        assert label == (int(bought) if moment + days(30) <= end else UNKNOWN)


def test_a_log_without_events_answers_nothing_and_fails_nowhere() -> None:
    nothing = np.empty(0, EVENT)
    rows = Snapshots(np.zeros(1, np.int32), np.full(1, START), np.ones((1, 1), np.float32), ("gap",), "none")
    outcomes: list[Outcome] = [
        happens(PURCHASE, within=days(1)), HappensInVisit(PURCHASE.selection), VisitEnds(), Spends(PURCHASE.amount, 1),
        SpendsNet(1),
    ]  # fmt: skip
    assert [found(each, nothing, rows, START + days(2)) for each in outcomes] == [[0], [0], [1], [0], [0]]
    assert found(NextStage(days(1)), nothing, rows, START + days(2)) == [STAYS]


def test_a_visit_is_followed_for_twelve_hours() -> None:
    log = np.zeros(40, EVENT)
    log["at"] = log["received"] = START + np.arange(40) * 29 * MINUTE
    log["kind"] = int(Kind.ITEM_VIEW)
    log["kind"][30] = int(PURCHASE)
    rows = rows_at(log, log["at"][[0, 5, 6, 30, 31]].tolist())
    end = int(log["at"][-1])
    # Twelve hours hold 24 of these acts; a visit that still goes on is known of no sooner.
    assert found(HappensInVisit(PURCHASE.selection), log, rows, end) == [0, 0, 1, UNKNOWN, UNKNOWN]
    assert found(VisitEnds(9), log, rows, end + 31 * MINUTE) == [0, 0, 0, 1, 1]


def test_boundaries_belong_to_the_answer() -> None:
    """A pause of half an hour is within a visit, a horizon holds its last moment, a score of 6 is at most 6."""
    log = np.zeros(2, EVENT)
    log["at"] = log["received"] = [START, START + LONGEST]
    log["kind"], log["score"] = [int(Kind.ITEM_VIEW), int(PURCHASE)], 6.0
    first, last = rows_at(log, [START]), rows_at(log, [START + LONGEST])
    later = log.copy()
    later["at"][1] += SECOND
    buys, leaves = HappensInVisit(PURCHASE.selection), VisitEnds(0)
    assert found(buys, log, first, START + days(1)) == [1]
    assert found(buys, later, first, START + days(1)) == [0]
    assert found(leaves, log, last, START + 2 * LONGEST) == [UNKNOWN]
    assert found(leaves, log, last, START + 2 * LONGEST + SECOND) == [1]
    for ahead, answer in ((LONGEST - 1, 0), (LONGEST, 1)):
        assert found(happens(PURCHASE, within=ahead, score_at_most=6), log, first, START + LONGEST) == [answer]
        assert found(happens(PURCHASE, within=ahead, score_at_most=5.9), log, first, START + ahead) == [0]
        assert found(happens(PURCHASE, within=ahead), log, first, START + ahead - 1) == [UNKNOWN]


@pytest.mark.parametrize(
    ("kinds", "stage", "after"),
    [
        ([Kind.PAYMENT_FAIL], 1, 7.0),
        ([Kind.CHECKOUT_START], 1, 7.0),
        ([Kind.PURCHASE, Kind.SURVEY_NPS], 3, 365.0),
        ([Kind.PURCHASE, Kind.REFER], 3, 365.0),
        ([Kind.PURCHASE, Kind.REVIEW, Kind.CART_ADD], 4, 7.0),
        ([Kind.PURCHASE], STAYS, math.nan),
    ],
)
def test_a_stage_ends_by_itself(kinds: list[Kind], stage: int, after: float) -> None:
    log = np.zeros(len(kinds), EVENT)
    log["at"] = log["received"] = START
    log["kind"], log["score"] = [int(kind) for kind in kinds], 10.0
    result = answers(target(NextStage(days(400))), past_of([log], NOBODY), rows_at(log, [START]), START + days(400))
    assert result.labels.tolist() == [stage] and result.days is not None
    assert np.array_equal(result.days, np.array([after], np.float32), equal_nan=True)
