"""Laws of moments: each customer may be looked at at moments of its own, by the very fold that serves, and what is
seen there is what was known there."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from features.events import DAY, EVENT, VISITS, days, hours
from features.grouping import histories
from features.histories import Histories
from features.journey import JOURNEY
from features.log.contract import MERGE
from features.replay.replay import Cutoffs, Snapshots, replay_at
from features.replay.snapshots import past_of, replay_profiles_at
from tests.examples import examples
from tests.histories import START, histories_of
from tests.laws.test_outcomes import busy
from tests.laws.test_profiles import by_hand, logs, membership, rows_of
from training.rows.schedule import NotEnoughHistory, Schedule, ripe, split, visit_times
from training.targets import TARGETS, InVisit

EXAMPLES = settings(max_examples=examples(25), deadline=None)
Records = NDArray[np.void]
ALWAYS = InVisit(tuple(range(1, 40)))
EVER = (0, 2**62)


def ragged(known: Histories, lists: list[list[int]]) -> Cutoffs:
    """Cutoffs from a list for each customer."""
    counts = [len(each) for each in lists]
    at = np.array([moment for each in lists for moment in sorted(each)], np.int64)
    return Cutoffs(at, np.concatenate([[0], np.cumsum(counts, dtype=np.int64)]))


@EXAMPLES
@given(histories_of(), st.integers(1, 5), st.randoms(use_true_random=False))
def test_ragged_replay_equals_step_and_read_byte_for_byte(log: Records, threads: int, draw: Random) -> None:
    known = histories([log])
    near = [START - 1, START, START + 900 * DAY, *log["received"].tolist(), *(log["received"] - 1).tolist()]
    lists = [draw.sample(near, draw.randint(0, min(6, len(near)))) for _ in known.customers]
    found = replay_at(JOURNEY, known, ragged(known, lists), threads=threads)
    expected = []
    for customer, moments in zip(known.customers.tolist(), lists, strict=True):
        for moment in sorted(moments):
            own = log[(log["customer"] == customer) & (log["received"] <= moment)]
            states = JOURNEY.empty()
            for place in range(len(own)):
                JOURNEY.step(states, 0, own[place : place + 1])
            if len(own):
                expected.append((customer, moment, JOURNEY.read(states, 0, moment).tobytes()))
    assert rows_of(found) == expected
    assert found.names == JOURNEY.names and found.fingerprint == JOURNEY.fingerprint


def acts_of(events: Records) -> list[tuple[int, int]]:
    """How many acts the open visit has had after each moment at which one was received."""
    depth, latest, seen = 0, 0, {}
    for each in events:
        if int(each["kind"]) in VISITS.kinds:
            second = int(each["at"]) // 1_000_000
            depth = 1 if depth == 0 or second - latest > 1_800 else depth + 1
            latest = second if depth == 1 else max(latest, second)
            seen[int(each["received"])] = depth
    return list(seen.items())


@EXAMPLES
@given(busy(), st.sets(st.integers(1, 6), min_size=1), st.sampled_from([EVER, (START + 3_600 * 10**6, START + 10**13)]))
def test_moments_of_a_visit_are_when_its_acts_were_received(
    log: Records, places: set[int], span: tuple[int, int]
) -> None:
    known = histories([log])
    found = visit_times(InVisit(tuple(sorted(places))), known, *span)
    for number, customer in enumerate(known.customers.tolist()):
        acts = acts_of(log[log["customer"] == customer])
        expected = [moment for moment, depth in acts if depth in places and span[0] <= moment <= span[1]]
        assert found.at[found.starts[number] : found.starts[number + 1]].tolist() == expected


@EXAMPLES
@given(busy())
def test_the_features_of_a_visit_agree_with_its_moments(log: Records) -> None:
    known = histories([log])
    found = replay_at(JOURNEY, known, visit_times(ALWAYS, known, *EVER))
    depths = [depth for code in known.customers for _, depth in acts_of(log[log["customer"] == code])]
    assert found.features[:, JOURNEY.index["session_depth"]].tolist() == depths


def within_visits(events: Records, merges: Records) -> Snapshots:
    """Rows at every act of every visit of every profile."""
    return replay_profiles_at(JOURNEY, past_of([events], merges), lambda known: visit_times(ALWAYS, known, *EVER))


@EXAMPLES
@given(logs())
def test_a_profile_is_asked_in_its_own_visits(log: tuple[Records, Records]) -> None:
    events, merges = log
    expected = []
    for moment in np.unique(events["received"]).tolist():
        for profile, members in membership(merges, moment).items():
            own = events[np.isin(events["customer"], members) & (events["received"] <= moment)]
            if any(seen == moment for seen, _ in acts_of(own)):
                expected += [row for row in by_hand(events, merges, [moment]) if row[0] == profile]
    assert rows_of(within_visits(events, merges)) == sorted(expected)


@EXAMPLES
@given(logs(), histories_of(customers=6, longest=8), st.integers(0, 30))
def test_neither_later_events_nor_later_merges_change_a_row_of_a_visit(
    log: tuple[Records, Records], future: Records, late: int
) -> None:
    events, merges = log
    newest = max([START, *events["received"].tolist(), *merges["received"].tolist()])
    later = future.copy()
    later["received"] += newest + 1 - START
    later["at"] -= late * DAY  # what is learnt later may have happened long before
    more = np.array([(newest + 1, 100, 6, 0, 0)], MERGE)
    before = rows_of(within_visits(events, merges))
    grown = past_of([events, later], np.concatenate([merges, more]))
    after = replay_profiles_at(JOURNEY, grown, lambda known: visit_times(ALWAYS, known, 0, newest))
    assert rows_of(after) == before


def test_moments_that_fall_are_refused() -> None:
    events = np.zeros(1, EVENT)
    with pytest.raises(ValueError, match="do not rise"):
        replay_at(JOURNEY, histories([events]), Cutoffs(np.array([2, 1]), np.array([0, 2])))
    with pytest.raises(ValueError, match="microseconds since the epoch"):
        replay_at(JOURNEY, histories([events]), Cutoffs(np.array([2**62]), np.array([0, 1])))


@given(st.integers(5, 400), st.integers(0, DAY - 1), st.sampled_from(["session_conversion", "exit_intent"]))
def test_slices_of_visits_are_spans_a_cap_apart_that_begin_at_midnight(length: int, late: int, name: str) -> None:
    target, start = TARGETS[name], START + late
    end = start + length * DAY
    try:
        found = split(target, start, end)
    except NotEnoughHistory:
        assert length < 9
        return
    assert found.test[1] == end - target.horizon and found.fit[0] >= start
    for each in (found.test, found.calibrate, found.stop):
        assert each[0] % DAY == 0 and each[1] - each[0] >= DAY
    assert found.stop[1] + target.horizon == found.calibrate[0]
    assert found.calibrate[1] + target.horizon == found.test[0]
    assert found.fit[1] < found.stop[0] and found.stop[0] - target.horizon >= found.fit[0] + DAY
    assert target.horizon == hours(12)


@given(st.integers(0, 90), st.sampled_from(sorted(TARGETS)))
def test_what_is_ripe_is_known_by_the_end(length: int, name: str) -> None:
    target, end = TARGETS[name], START + length * DAY
    found = ripe(target, START, end, Schedule(every=days(6)))
    assert len(found) == 0 or START <= found.min() <= found.max() <= end - target.horizon
    assert (len(found) > 0) == (end - target.horizon > START)
