"""The law of the lenses: an answer is that of plain Python over the raw log, a number the length of its list."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.events import EVENT, SECOND, Channel, Kind
from features.log.contract import MERGE
from features.replay.snapshots import past_of
from insights.journal import funnel as funnels
from insights.journal import retention as retentions
from insights.journal import transitions as arrows
from insights.journal.columns import journal_of
from insights.journal.groups import everyone
from insights.journal.question import Funnel, Retention, Step, Transitions
from insights.journal.reading import parse
from tests.examples import examples
from tests.insights.histories import (
    DAY,
    FUNNELS,
    KINDS,
    LONG,
    NOISY,
    RETENTIONS,
    ROWS,
    START,
    TRANSITIONS,
    Act,
    by_customer,
    log_of,
)

CLOSE_FUNNELS = st.builds(
    lambda steps, within, best, pause: Funnel(tuple(steps), within, best, pause),
    st.lists(
        st.builds(
            lambda kind, without: Step((kind,), without=without),
            st.sampled_from(KINDS[:3]), st.sampled_from([(), (Kind.CART_REMOVE,)]),
        ),
        min_size=3, max_size=3,
    ).map(lambda steps: [Step(steps[0].kinds), *steps[1:]]),
    st.sampled_from([DAY, 3 * DAY, 30 * DAY]), st.booleans(), st.sampled_from([0, DAY // 4, DAY // 2]),
)  # fmt: skip
CLOSE_ROWS = st.lists(
    st.tuples(
        st.integers(0, 20).map(lambda step: START + step * DAY // 4), st.sampled_from(KINDS[:3])
    ).map(lambda act: (0, *act, Channel.WEB, np.nan)),
    min_size=6, max_size=16,
)  # fmt: skip
"""Rows of one customer, in which most attempts of `CLOSE_FUNNELS` come far and stand in each other's way."""


@given(ROWS)
@settings(max_examples=examples(100), deadline=None)
def test_the_journal_is_the_log_in_the_order_of_its_times(rows: list[Act]) -> None:
    journal, own = log_of(rows), by_customer(rows)
    assert journal.customers.tolist() == list(own)
    assert journal.bytes_per_event == 10
    for place, who in enumerate(journal.customers.tolist()):
        inside = slice(journal.starts[place], journal.starts[place + 1])
        assert journal.at[inside].tolist() == [row[0] for row in own[who]]
        assert journal.kind[inside].tolist() == [row[1] for row in own[who]]
        assert journal.channel[inside].tolist() == [row[2] for row in own[who]]
        np.testing.assert_array_equal(journal.amount[inside], np.array([row[3] for row in own[who]], np.float32))


def test_merged_ids_are_one_customer() -> None:
    rows = [(3, START + 9, Kind.PURCHASE, Channel.WEB, 5.0), (1, START, Kind.ITEM_VIEW, Channel.APP, np.nan)]
    journal = log_of(rows, [(3, 1)])
    assert (len(journal.customers), journal.kind.tolist()) == (1, [Kind.ITEM_VIEW, Kind.PURCHASE])


@given(st.tuples(ROWS | NOISY, FUNNELS) | st.tuples(CLOSE_ROWS, CLOSE_FUNNELS))
@settings(max_examples=examples(400), deadline=None)
def test_a_funnel_is_its_meaning(asked: tuple[list[Act], Funnel]) -> None:
    rows, question = asked
    own = by_customer(rows)
    journal = log_of(rows)
    reached = funnels.funnel(journal, question)
    meant = [funnels.meaning(rows, question, journal.end) for rows in own.values()]
    assert reached.steps.tolist() == [len(seconds) for seconds, _, _ in meant]
    assert [tuple(own[~np.isnan(own)].tolist()) for own in reached.seconds] == [seconds for seconds, _, _ in meant]
    assert reached.in_time.tolist() == [in_time for _, in_time, _ in meant]
    places = np.where(reached.firsts < 0, -1, reached.firsts - journal.starts[:-1])
    assert places.tolist() == [-1 if place is None else place for _, _, place in meant]
    for step, number in enumerate(reached.counts, start=1):
        assert number == reached.members(step).sum() == len(reached.times(step))
        assert (np.diff(reached.seconds[:, :step][reached.members(step)], axis=1) >= 0).all()
        assert (reached.times(step) <= question.within).all()
    stopped = [
        int(reached.stopped(step, in_time=in_time).sum())
        for step in range(1, len(question.steps)) for in_time in (True, False)
    ]  # fmt: skip
    assert sum(stopped) + reached.counts[-1] == reached.counts[0]


@given(ROWS | NOISY, TRANSITIONS)
@settings(max_examples=examples(150), deadline=None)
def test_transitions_are_their_meaning(rows: list[Act], question: Transitions) -> None:
    own, journal = by_customer(rows), log_of(rows)
    counted = arrows.transitions(journal, question, everyone(journal))
    marks = arrows.marks(journal, question)
    meant = {who: arrows.meaning(rows, question)[0] for who, rows in own.items()}
    total: Counter[tuple[Kind, Kind, int]] = sum(meant.values(), Counter())
    for i, source in enumerate(question.kinds):
        for j, target in enumerate(question.kinds):
            these = {seconds: times for (a, b, seconds), times in total.items() if (a, b) == (source, target)}
            assert counted.transitions[0, i, j] == sum(these.values())
            assert counted.dwell[0, i, j] == sum(seconds * times for seconds, times in these.items())
            who = journal.customers[arrows.marked(marks, i, j)].tolist()
            assert who == [w for w in own if any(key[:2] == (source, target) for key in meant[w])]
            assert counted.customers[0, i, j] == len(who)


def test_the_marks_of_all_kinds_have_bits() -> None:
    assert len(Kind) <= arrows.PRESENT


@given(ROWS | LONG, RETENTIONS)
@settings(max_examples=examples(150), deadline=None)
def test_retention_is_its_meaning(rows: list[Act], question: Retention) -> None:
    own, journal = by_customer(rows), log_of(rows)
    triangle = retentions.retention(journal, question)
    meant = [retentions.meaning(rows, question) for rows in own.values()]
    places = np.where(triangle.firsts < 0, -1, triangle.firsts - journal.starts[:-1])
    assert places.tolist() == [-1 if m is None else m[2] for m in meant]
    counts = triangle.counts()
    assert counts.shape == (len(triangle.cohorts), question.weeks)
    for row, cohort in enumerate(triangle.cohorts):
        assert triangle.size(cohort) == sum(m is not None and m[0] == triangle.name(cohort) for m in meant)
        for week in range(question.weeks):
            who = triangle.members(cohort, week)
            assert who.tolist() == [m is not None and m[0] == triangle.name(cohort) and week in m[1] for m in meant]
            assert counts[row, week] == who.sum()


def test_a_week_that_is_not_over_is_not_known() -> None:
    rows = [(0, START, Kind.SIGN_UP, Channel.WEB, np.nan), (1, START + 21 * DAY, Kind.PURCHASE, Channel.WEB, 1.0)]
    triangle = retentions.retention(log_of(rows), Retention((Kind.SIGN_UP,), (Kind.PURCHASE,), 4))
    (cohort,) = triangle.cohorts
    assert [triangle.known(cohort, week) for week in range(4)] == [True, True, False, False]


def test_the_first_days_of_1970_have_a_cohort() -> None:
    rows = [(0, 2 * DAY, Kind.SIGN_UP, Channel.WEB, np.nan), (0, 3 * DAY, Kind.PURCHASE, Channel.WEB, 1.0)]
    triangle = retentions.retention(log_of(rows), Retention((Kind.SIGN_UP,), (Kind.PURCHASE,), 1))
    assert (triangle.cohorts, triangle.counts().tolist()) == ([-1], [[1]])


def test_the_best_attempt_takes_each_step_as_early_as_it_can() -> None:
    kinds = (Kind.ITEM_VIEW, Kind.CART_ADD, Kind.CART_ADD, Kind.PURCHASE)
    rows = [(0, START + place, kind, Channel.WEB, np.nan) for place, kind in enumerate(kinds)]
    question = parse("funnel ITEM_VIEW > CART_ADD > PURCHASE within 1 day, best attempt")
    assert isinstance(question, Funnel)
    assert funnels.funnel(log_of(rows), question).seconds.tolist() == [[0.0, 1.0, 3.0]]


def test_events_of_the_same_second_are_in_the_order_of_their_microseconds() -> None:
    events = np.zeros(3, EVENT)
    events["at"] = [START * SECOND + 5, START * SECOND + 2, START * SECOND + 5]
    events["kind"] = [Kind.PURCHASE, Kind.ITEM_VIEW, Kind.REFUND]
    journal = journal_of(past_of([events], np.array([], MERGE)))
    assert journal.kind.tolist() == [Kind.ITEM_VIEW, Kind.PURCHASE, Kind.REFUND]


@pytest.mark.parametrize(
    ("acts", "stays"),
    [
        ([(0, Kind.CONSENT_WITHDRAW)], False),
        ([(0, Kind.CONSENT_WITHDRAW), (0, Kind.CONSENT_GRANT)], False),
        ([(0, Kind.CONSENT_WITHDRAW), (1, Kind.CONSENT_GRANT)], True),
        ([(1, Kind.CONSENT_WITHDRAW), (0, Kind.CONSENT_GRANT)], False),
        ([(0, Kind.CONSENT_GRANT)], True),
    ],
)  # fmt: skip
def test_who_withdrew_and_did_not_consent_again_later_is_not_in_the_journal(
    acts: list[tuple[int, Kind]], stays: bool
) -> None:
    rows = [(2, START, Kind.ITEM_VIEW, Channel.WEB, np.nan), (0, START, Kind.LOGIN, Channel.WEB, np.nan)]
    rows += [(1, START + second, kind, Channel.WEB, np.nan) for second, kind in acts]
    journal = log_of(rows, [(2, 1)])
    assert len(journal.customers) == 1 + stays
    assert (Kind.ITEM_VIEW in journal.kind) == stays
