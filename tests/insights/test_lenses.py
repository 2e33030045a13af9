"""The law of the lenses: an answer is that of plain Python over the raw log, a number the length of its list."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

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
from insights.journal.columns import Journal, journal_of
from insights.journal.question import BadQuestion, Funnel, Period, Question, Retention, Step, Transitions, parse
from tests.examples import examples

DAY = 86_400
START = 1_699_920_000
"""Midnight, so that times fall on the ends of periods: 14 November 2023."""
KINDS = (Kind.ITEM_VIEW, Kind.CART_ADD, Kind.CART_REMOVE, Kind.PURCHASE, Kind.SIGN_UP)
CHANNELS = (Channel.WEB, Channel.APP, Channel.EMAIL)
AMOUNTS = (np.nan, 0.0, 5.0, 20.5)

Row = tuple[int, int, Kind, Channel, float]
"""Customer, second, kind, channel and amount."""


def logs(apart: int) -> st.SearchStrategy[list[Row]]:
    """Rows of at most five customers at 41 times that lie so many seconds apart."""
    times = st.integers(0, 40).map(lambda step: START + step * apart)
    row = st.tuples(
        st.integers(0, 4), times, st.sampled_from(KINDS), st.sampled_from(CHANNELS), st.sampled_from(AMOUNTS)
    )
    return st.lists(row, max_size=60) | st.lists(row, min_size=20, max_size=60)  # a list without min_size is short


ROWS = logs(DAY // 4)
PERIODS = st.sampled_from(
    [(None, None), ("2023-11-14", "2023-11-19"), ("2023-11-16", "2023-11-17"), ("2023-11-22", "2024-03-01")]
).map(
    lambda days: (
        Period()
        if days[0] is None
        else parse(f"retention of LOGIN by LOGIN for 1 week between {days[0]} and {days[1]}").period
    )
)


def some(members: Sequence[Kind]) -> st.SearchStrategy[tuple[Kind, ...]]:
    """One or several of these, by number."""
    return st.sets(st.sampled_from(members), min_size=1, max_size=2).map(lambda kinds: tuple(sorted(kinds)))


STEPS = st.builds(
    Step,
    some(KINDS),
    st.sampled_from([(), (Channel.WEB,), (Channel.WEB, Channel.APP)]),
    st.sampled_from([None, None, 0.0, 10.0, 20.5, 0.000001, 999_999_999_999.123456]),
    st.just(()),
)
LATER = st.builds(
    lambda step, without: Step(step.kinds, step.channels, step.least, without), STEPS, st.just(()) | some(KINDS)
)
WINDOWS = st.sampled_from([1, DAY // 4, DAY, 3 * DAY, 30 * DAY])
FUNNELS = st.builds(
    lambda first, rest, within, best, period: Funnel((first, *rest), within, best, period),
    STEPS, st.lists(LATER, min_size=1, max_size=3), WINDOWS, st.booleans(), PERIODS,
)  # fmt: skip
CLOSE_FUNNELS = st.builds(
    lambda steps, within, best: Funnel(tuple(steps), within, best),
    st.lists(
        st.builds(
            lambda kind, without: Step((kind,), without=without),
            st.sampled_from(KINDS[:3]), st.sampled_from([(), (Kind.CART_REMOVE,)]),
        ),
        min_size=3, max_size=3,
    ).map(lambda steps: [Step(steps[0].kinds), *steps[1:]]),
    st.sampled_from([DAY, 3 * DAY, 30 * DAY]), st.booleans(),
)  # fmt: skip
CLOSE_ROWS = st.lists(
    st.tuples(
        st.integers(0, 20).map(lambda step: START + step * DAY // 4), st.sampled_from(KINDS[:3])
    ).map(lambda act: (0, *act, Channel.WEB, np.nan)),
    min_size=6, max_size=16,
)  # fmt: skip
"""Rows of one customer, in which most attempts of `CLOSE_FUNNELS` come far and stand in each other's way."""
TRANSITIONS = st.builds(Transitions, some(KINDS), WINDOWS, PERIODS)
RETENTIONS = st.builds(Retention, some(KINDS), some(KINDS), st.integers(1, 64), PERIODS)


def log_of(rows: Sequence[Row], merged: Sequence[tuple[int, int]] = ()) -> Journal:
    """The journal of events received in this order, and of ids merged at the end."""
    events = np.zeros(len(rows), EVENT)
    events["item"] = events["category"] = -1
    for place, (customer, second, kind, channel, amount) in enumerate(rows):
        events[place]["customer"], events[place]["kind"], events[place]["channel"] = customer, kind, channel
        events[place]["at"], events[place]["received"], events[place]["amount"] = second * SECOND, place, amount
    merges = np.array([(len(rows), place, *pair, False) for place, pair in enumerate(merged)], MERGE)
    return journal_of(past_of([events], merges), threads=2)


def by_customer(rows: Sequence[Row]) -> dict[int, list[Row]]:
    """The rows of each customer in the order in which they happened."""
    return {
        who: sorted((row for row in rows if row[0] == who), key=lambda row: row[1]) for who in {row[0] for row in rows}
    }


@given(ROWS)
@settings(max_examples=examples(100), deadline=None)
def test_the_journal_is_the_log_in_the_order_of_its_times(rows: list[Row]) -> None:
    journal, own = log_of(rows), by_customer(rows)
    assert journal.customers.tolist() == sorted(own)
    assert journal.bytes_per_event == 10
    for place, who in enumerate(journal.customers.tolist()):
        inside = slice(journal.starts[place], journal.starts[place + 1])
        assert journal.at[inside].tolist() == [row[1] for row in own[who]]
        assert journal.kind[inside].tolist() == [row[2] for row in own[who]]
        assert journal.channel[inside].tolist() == [row[3] for row in own[who]]
        np.testing.assert_array_equal(journal.amount[inside], np.array([row[4] for row in own[who]], np.float32))


def test_merged_ids_are_one_customer() -> None:
    rows = [(3, START + 9, Kind.PURCHASE, Channel.WEB, 5.0), (1, START, Kind.ITEM_VIEW, Channel.APP, np.nan)]
    journal = log_of(rows, [(3, 1)])
    assert (len(journal.customers), journal.kind.tolist()) == (1, [Kind.ITEM_VIEW, Kind.PURCHASE])


@given(st.tuples(ROWS, FUNNELS) | st.tuples(CLOSE_ROWS, CLOSE_FUNNELS))
@settings(max_examples=examples(400), deadline=None)
def test_a_funnel_is_its_meaning(asked: tuple[list[Row], Funnel]) -> None:
    rows, question = asked
    own = by_customer(rows)
    journal = log_of(rows)
    reached = funnels.funnel(journal, question)
    meant = [funnels.meaning([row[1:] for row in own[who]], question, journal.end) for who in sorted(own)]
    assert reached.steps.tolist() == [len(seconds) for seconds, _ in meant]
    assert [tuple(own[~np.isnan(own)].tolist()) for own in reached.seconds] == [seconds for seconds, _ in meant]
    assert reached.in_time.tolist() == [in_time for _, in_time in meant]
    for step, number in enumerate(reached.counts, start=1):
        assert number == reached.members(step).sum() == len(reached.times(step))
        assert (np.diff(reached.seconds[:, :step][reached.members(step)], axis=1) >= 0).all()
        assert (reached.times(step) <= question.within).all()
    stopped = [
        int(reached.stopped(step, in_time=in_time).sum())
        for step in range(1, len(question.steps)) for in_time in (True, False)
    ]  # fmt: skip
    assert sum(stopped) + reached.counts[-1] == reached.counts[0]


@given(ROWS, TRANSITIONS)
@settings(max_examples=examples(150), deadline=None)
def test_transitions_are_their_meaning(rows: list[Row], question: Transitions) -> None:
    own, journal = by_customer(rows), log_of(rows)
    found = arrows.transitions(journal, question)
    meant = {who: arrows.meaning([row[1:3] for row in own[who]], question) for who in own}
    total: Counter[tuple[Kind, Kind, int]] = sum(meant.values(), Counter())
    for i, source in enumerate(question.kinds):
        for j, target in enumerate(question.kinds):
            these = {seconds: times for (a, b, seconds), times in total.items() if (a, b) == (source, target)}
            assert found.transitions[i, j] == sum(these.values())
            assert found.dwell[i, j] == sum(seconds * times for seconds, times in these.items())
            who = journal.customers[arrows.members(journal, question, source, target)].tolist()
            assert who == sorted(w for w in own if any(key[:2] == (source, target) for key in meant[w]))
            assert found.customers[i, j] == len(who)


@given(ROWS | logs(11 * DAY), RETENTIONS)
@settings(max_examples=examples(150), deadline=None)
def test_retention_is_its_meaning(rows: list[Row], question: Retention) -> None:
    own, journal = by_customer(rows), log_of(rows)
    triangle = retentions.retention(journal, question)
    meant = [retentions.meaning([row[1:3] for row in own[who]], question) for who in sorted(own)]
    counts = triangle.counts()
    assert counts.shape == (len(triangle.cohorts), question.weeks)
    for row, cohort in enumerate(triangle.cohorts):
        assert triangle.size(cohort) == sum(m is not None and m[0] == cohort for m in meant)
        for week in range(question.weeks):
            who = triangle.members(cohort, week)
            assert who.tolist() == [m is not None and m[0] == cohort and week in m[1] for m in meant]
            assert counts[row, week] == who.sum()


@given(FUNNELS | TRANSITIONS | RETENTIONS)
@settings(max_examples=examples(200), deadline=None)
def test_a_question_is_read_back_from_its_text(question: Question) -> None:
    assert parse(str(question)) == question


def test_names_may_be_in_any_case() -> None:
    assert parse("transitions of item_view or Purchase within 1 day") == parse(
        "transitions of PURCHASE or ITEM_VIEW within 24 hours"
    )


WORDS = [
    "funnel", "ITEM_VIEW", ">", "PURCHASE", "on", "WEB", "of", "at", "least", "5", "without", "within", "3", "days",
    "best", "attempt", "between", "2026-01-01", "and", "retention", "by", "for", "weeks", "transitions", "or", ",",
    "\u0663", "\x00",
]  # fmt: skip


@given(st.lists(st.sampled_from(WORDS), max_size=14))
@settings(max_examples=examples(300), deadline=None)
def test_whatever_is_asked_is_a_question_or_says_what_is_wrong(words: list[str]) -> None:
    try:
        question = parse(" ".join(words))
    except BadQuestion as error:
        assert str(error)
    else:
        assert parse(str(question)) == question


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("paths of ITEM_VIEW", "begins with funnel, transitions or retention, not with 'paths'"),
        ("funnel ITEM_VIEW within 3 days", "2 to 8 steps, this one has 1"),
        ("funnel ITEM_VIEW > BUY within 3 days", "there is no kind 'BUY'; there are PAGE_VIEW"),
        ("funnel ITEM_VIEW > PURCHASE on TV within 3 days", "there is no channel 'TV'"),
        ("funnel ITEM_VIEW > PURCHASE within 3 fortnights", "in place of 'fortnights'"),
        ("funnel ITEM_VIEW > PURCHASE within 30000 days", "longer than 24,855 days"),
        ("funnel ITEM_VIEW > PURCHASE", "ends where it should go on with 'within'"),
        ("funnel ITEM_VIEW without ERROR > PURCHASE within 3 days", "nothing before the first step"),
        ("retention of SIGN_UP by PURCHASE for 99 weeks", "expected 1 to 64 weeks in place of '99'"),
        ("transitions of PURCHASE within 1 day between 2026-02-30 and 2026-03-01", "in place of '2026-02-30'"),
        ("transitions of PURCHASE within 1 day between 2026-03-01 and 2026-03-01", "not after 2026-03-01"),
        ("transitions of PURCHASE within 1 day please", "should end before 'please'"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_question_is_said(text: str, fault: str) -> None:
    with pytest.raises(BadQuestion, match=fault):
        parse(text)


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
