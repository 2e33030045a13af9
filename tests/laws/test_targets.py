"""Laws of targets: a label is what a reader of the log would say, looks only at its window, and never guesses."""

from __future__ import annotations

from itertools import pairwise
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from features.conditions import read_condition
from features.events import DAY, Channel, Kind, any_of, days
from features.grouping import histories
from features.histories import Histories
from features.journey import JOURNEY, Journey
from features.log.contract import MERGE
from features.outcomes import Happens
from features.replay.replay import Snapshots
from features.replay.snapshots import Past, known_at, past_of
from tests.examples import examples
from tests.histories import START, histories_of, of_kinds
from training.rows.labels import OUT_OF_SCOPE, UNKNOWN, label
from training.rows.schedule import Schedule, purged, split
from training.targets import TARGETS, Calendar, Target
from training.targets.page import catalogue

everyone = Journey.purchases_ever >= 0
CALENDAR = [name for name, target in TARGETS.items() if target.timing == Calendar() and target.horizon <= days(30)]

questions = st.builds(
    Happens,
    st.sampled_from(
        [
            Kind.PURCHASE.selection,
            any_of(Kind.PURCHASE, Kind.ITEM_VIEW),
            Kind.PURCHASE.on(Channel.STORE, Channel.WEB),
        ]
    ),
    st.sampled_from([days(1), days(7), days(100)]),
    st.booleans(),
)
moments = st.lists(st.integers(0, 1_200).map(lambda day: START + day * DAY), min_size=1, max_size=5, unique=True)


def snapshots(log: NDArray[np.void], cutoffs: list[int], purchases: float = 1.0) -> Snapshots:
    """Rows for every customer of the log at every cutoff, whose only feature is the number of purchases."""
    customers = np.unique(log["customer"])
    rows = [(customer, cutoff) for customer in customers for cutoff in sorted(cutoffs)]
    features = np.full((len(rows), 1), purchases, np.float32)
    whose = np.array([customer for customer, _ in rows], np.int32)
    when = np.array([cutoff for _, cutoff in rows], np.int64)
    return Snapshots(whose, when, features, ("purchases_ever",), "none")


def alone(log: NDArray[np.void]) -> Past:
    """The log of customers who have one id each."""
    return past_of([log], np.empty(0, MERGE))


def answer(event: Happens, log: NDArray[np.void], customer: int, cutoff: int, end: int) -> int:
    """What a reader of the log says, event by event."""
    if cutoff + event.horizon > end:
        return UNKNOWN
    for each in log:
        right_kind = int(each["kind"]) in {int(kind) for kind in event.selection.kinds}
        channels = {int(channel) for channel in event.selection.channels}
        right_channel = not channels or int(each["channel"]) in channels
        in_window = cutoff < int(each["at"]) <= cutoff + event.horizon
        if int(each["customer"]) == customer and right_kind and right_channel and in_window:
            return int(event.expected)
    return int(not event.expected)


@settings(max_examples=examples(60), deadline=None)
@given(histories_of(longest=25), questions, moments)
def test_a_label_is_what_a_reader_of_the_log_says(log: NDArray[np.void], event: Happens, cutoffs: list[int]) -> None:
    log = of_kinds(log, [Kind.PURCHASE, Kind.ITEM_VIEW, Kind.SEARCH])
    rows, shop = snapshots(log, cutoffs), alone(log)
    end = int(log["received"].max()) if len(log) else START
    found = label(Target("asked", event, everyone, "", 0.5), shop, rows, end)
    pairs = zip(rows.customer.tolist(), rows.cutoff.tolist(), strict=True)
    assert found.tolist() == [answer(event, log, customer, cutoff, end) for customer, cutoff in pairs]


@settings(max_examples=examples(30), deadline=None)
@given(histories_of(longest=25), questions, moments, st.randoms(use_true_random=False))
def test_only_events_in_the_window_matter(
    log: NDArray[np.void], event: Happens, cutoffs: list[int], draw: Random
) -> None:
    cutoff = cutoffs[0]
    outside = (log["at"] <= cutoff) | (log["at"] > cutoff + event.horizon)
    kept = log[~outside | np.array([draw.random() < 0.5 for _ in log], bool)]
    end = START + 10_000 * DAY
    target, rows = Target("asked", event, everyone, "", 0.5), snapshots(log, [cutoff])
    assert label(target, alone(log), rows, end).tolist() == label(target, alone(kept), rows, end).tolist()


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_who_is_out_of_scope_is_never_labelled(target: Target) -> None:
    nothing_known = np.full((2, len(JOURNEY.names)), np.nan, np.float32)
    cutoff = np.full(2, START, np.int64)
    rows = Snapshots(np.array([0, 1], np.int32), cutoff, nothing_known, JOURNEY.names, JOURNEY.fingerprint)
    assert label(target, past_of([], np.empty(0, MERGE)), rows, START + days(365)).tolist() == [
        OUT_OF_SCOPE,
        OUT_OF_SCOPE,
    ]


@pytest.mark.parametrize("target", TARGETS.values(), ids=TARGETS)
def test_a_target_is_declared_in_the_grammar_over_features_that_exist(target: Target) -> None:
    assert target.scope.columns() <= set(JOURNEY.names)
    assert target.name.isidentifier() and target.name.islower() and target.doc
    assert f"`{target.name}`" in catalogue() and target.definition in catalogue()
    assert 0 < target.prior < (1 if target.form == "probability" else float("inf"))
    assert str(read_condition(str(target.scope))) == str(target.scope)


@given(st.integers(300, 900), st.integers(1, 5), st.integers(1, 9), st.sampled_from(CALENDAR))
def test_slices_are_a_horizon_apart_and_complete(length: int, number: int, every: int, name: str) -> None:
    target, end = TARGETS[name], START + length * DAY
    plan = Schedule(every=days(every), test=number, calibrate=number, stop=number)
    found = split(target, START, end, plan)
    assert found.test[-1] == end - target.horizon
    training = [found.fit, found.stop]
    for before, after in ((training, found.calibrate), ([*training, found.calibrate], found.test)):
        assert max(int(each.max()) for each in before) + target.horizon <= int(after.min())
    assert int(found.fit.max()) < int(found.stop.min())
    # Early stopping listens to nothing that the trees it stops have seen, and leaves out no more than it must.
    past = purged(found.fit, found.stop, target.horizon)
    assert past.any()
    assert int(found.fit[past].max()) + target.horizon <= int(found.stop.min())
    assert all(cutoff + target.horizon > int(found.stop.min()) for cutoff in found.fit[~past].tolist())
    assert all(later - earlier == plan.every for earlier, later in pairwise(found.test.tolist()))
    assert found.fit.min() >= START + plan.warm_up


@settings(max_examples=examples(40), deadline=None)
@given(histories_of(longest=25), moments)
def test_what_was_known_at_a_cutoff_is_the_log_up_to_it(log: NDArray[np.void], cutoffs: list[int]) -> None:
    def same(left: Histories, right: Histories) -> bool:
        return all(
            a.tobytes() == b.tobytes() for a, b in
            ((left.events, right.events), (left.customers, right.customers), (left.starts, right.starts))
        )  # fmt: skip

    cutoff = cutoffs[0]
    assert same(known_at(alone(log), cutoff), histories([log[log["received"] <= cutoff]]))
