"""Generated histories of a few customers, and questions of every form, for the laws of the journal."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import date

import numpy as np
from hypothesis import strategies as st

from features.events import EVENT, SECOND, Channel, Kind
from features.log.contract import MERGE
from features.replay.snapshots import past_of
from insights.journal.acts import Row
from insights.journal.columns import Journal, journal_of
from insights.journal.question import (
    By,
    Customers,
    Funnel,
    Period,
    Question,
    Retention,
    Step,
    Transitions,
)

DAY = 86_400
START = 1_699_920_000
"""Midnight, so that times fall on the ends of periods: Tuesday 14 November 2023."""
KINDS = (Kind.ITEM_VIEW, Kind.CART_ADD, Kind.CART_REMOVE, Kind.PURCHASE, Kind.SIGN_UP)
SILENT = (Kind.REFUND, Kind.MESSAGE_DELIVER)
"""Kinds that prolong no visit."""
CHANNELS = (Channel.WEB, Channel.APP, Channel.EMAIL)
AMOUNTS = (np.nan, 0.0, 5.0, 20.5)

Act = tuple[int, int, Kind, Channel, float]
"""Customer, second, kind, channel and amount."""


def logs(apart: int, kinds: Sequence[Kind] = KINDS) -> st.SearchStrategy[list[Act]]:
    """Rows of at most five customers at 41 times that lie so many seconds apart."""
    times = st.integers(0, 40).map(lambda step: START + step * apart)
    row = st.tuples(
        st.integers(0, 4), times, st.sampled_from(kinds), st.sampled_from(CHANNELS), st.sampled_from(AMOUNTS)
    )
    return st.lists(row, max_size=60) | st.lists(row, min_size=20, max_size=60)  # a list without min_size is short


ROWS = logs(DAY // 4)
LONG = logs(11 * DAY)
NOISY = logs(DAY // 4, (*KINDS, *SILENT))
PERIODS = st.sampled_from(
    [
        Period(),
        Period(date(2023, 11, 14), date(2023, 11, 19)),
        Period(date(2023, 11, 16), date(2023, 11, 17)),
        Period(date(2023, 11, 22), date(2024, 3, 1)),
    ]
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
PAUSES = st.sampled_from([0, 0, DAY // 4, DAY])
FUNNELS = st.builds(
    lambda first, rest, within, best, pause, period: Funnel((first, *rest), within, best, pause, period=period),
    STEPS, st.lists(LATER, min_size=1, max_size=3), WINDOWS, st.booleans(), PAUSES, PERIODS,
)  # fmt: skip
TRANSITIONS = st.builds(Transitions, some(KINDS), WINDOWS, PAUSES, period=PERIODS)
RETENTIONS = st.builds(
    Retention, some(KINDS), some(KINDS), st.integers(1, 64), period=PERIODS, by=st.sampled_from([None, By.MONTH])
)
CUSTOMERS = st.just(Customers()) | st.builds(
    lambda having, lacking: Customers(tuple(having), tuple(lacking)),
    st.lists(STEPS, max_size=2), st.lists(STEPS, max_size=1),
)  # fmt: skip


def _by(question: Question, by: By | None) -> Question:
    return replace(question, by=By.MONTH if by == By.WEEK and isinstance(question, Retention) else by)


QUESTIONS: st.SearchStrategy[Question] = st.builds(
    lambda question, customers, by: _by(replace(question, customers=customers), by),
    FUNNELS | TRANSITIONS | RETENTIONS, CUSTOMERS, st.sampled_from([None, *By]),
)  # fmt: skip


def log_of(rows: Sequence[Act], merged: Sequence[tuple[int, int]] = ()) -> Journal:
    """The journal of events received in this order, and of ids merged at the end."""
    events = np.zeros(len(rows), EVENT)
    events["item"] = events["category"] = -1
    for place, (customer, second, kind, channel, amount) in enumerate(rows):
        events[place]["customer"], events[place]["kind"], events[place]["channel"] = customer, kind, channel
        events[place]["at"], events[place]["received"], events[place]["amount"] = second * SECOND, place, amount
    merges = np.array([(len(rows), place, *pair, False) for place, pair in enumerate(merged)], MERGE)
    return journal_of(past_of([events], merges), threads=2)


def by_customer(rows: Sequence[Act]) -> dict[int, list[Row]]:
    """The events of customers, by rising number, in the order in which they happened."""
    return {
        who: [row[1:] for row in sorted((row for row in rows if row[0] == who), key=lambda row: row[1])]
        for who in sorted({row[0] for row in rows})
    }
