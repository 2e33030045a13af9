"""The laws of the fold, for the whole journey and over random histories."""

from __future__ import annotations

from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from features.events import DAY, EVENT
from features.fold.fold import STATE_LIMIT, FingerprintMismatch
from features.grouping import histories
from features.journey import JOURNEY
from features.replay.replay import final_states, replay
from tests.examples import examples
from tests.histories import START, histories_of

EXAMPLES = settings(max_examples=examples(60), deadline=None)


def stepped(events: NDArray[np.void], customer: int, cutoff: int | None = None) -> NDArray[np.void]:
    """The state of a customer after stepping through its events one by one."""
    own = events[events["customer"] == customer]
    if cutoff is not None:
        own = own[own["received"] <= cutoff]
    states = JOURNEY.empty()
    for index in range(len(own)):
        JOURNEY.step(states, 0, own[index : index + 1])
    return states


@given(histories_of(), st.lists(st.integers(0, 2_000 * DAY), max_size=4))
@EXAMPLES
def test_replay_equals_step_byte_for_byte(events: NDArray[np.void], offsets: list[int]) -> None:
    cutoffs = [START + offset for offset in offsets] + [int(received) for received in events["received"][::7]]
    snapshots = replay(JOURNEY, histories([events]), cutoffs)
    expected_rows = 0
    for customer in np.unique(events["customer"]):
        for cutoff in np.unique(cutoffs):
            if not ((events["customer"] == customer) & (events["received"] <= cutoff)).any():
                continue  # who has events has a row, even one that leaves no trace in a state
            states = stepped(events, customer, cutoff)
            expected_rows += 1
            row = np.flatnonzero((snapshots.customer == customer) & (snapshots.cutoff == cutoff))
            assert len(row) == 1
            assert snapshots.features[row[0]].tobytes() == JOURNEY.read(states, 0, int(cutoff)).tobytes()
    assert len(snapshots.customer) == expected_rows


@given(histories_of())
@EXAMPLES
def test_final_states_equal_stepped_states(events: NDArray[np.void]) -> None:
    grouped = histories([events])
    states = final_states(JOURNEY, grouped)
    for index, customer in enumerate(grouped.customers):
        assert states[index].tobytes() == stepped(events, int(customer))[0].tobytes()


@given(histories_of(longest=25), histories_of(longest=10))
@EXAMPLES
def test_the_future_never_changes_a_snapshot(past: NDArray[np.void], future: NDArray[np.void]) -> None:
    cutoff = int(past["received"][-1]) if len(past) else START
    later = future.copy()
    shift = cutoff + 1 - START
    later["received"] += shift
    later["at"] = np.minimum(later["at"] + shift, later["received"])
    before = replay(JOURNEY, histories([past]), [cutoff])
    after = replay(JOURNEY, histories([past, later]), [cutoff])
    assert before.customer.tolist() == after.customer.tolist()
    assert before.features.tobytes() == after.features.tobytes()


@given(histories_of(customers=6), st.integers(1, 5), st.integers(1, 3), st.randoms(use_true_random=False))
@EXAMPLES
def test_customers_shards_and_threads_are_independent(
    events: NDArray[np.void], threads: int, shards: int, random: Random
) -> None:
    cutoffs = [START, START + 30 * DAY, START + 900 * DAY]
    whole = replay(JOURNEY, histories([events]), cutoffs, threads=1)
    assert replay(JOURNEY, histories([events]), cutoffs, threads=threads).features.tobytes() == whole.features.tobytes()
    found = 0
    order = list(range(shards))
    random.shuffle(order)
    for shard in order:
        part = replay(JOURNEY, histories([events[events["customer"] % shards == shard]]), cutoffs)
        mine = whole.customer % shards == shard
        assert part.features.tobytes() == whole.features[mine].tobytes()
        assert part.cutoff.tolist() == whole.cutoff[mine].tolist()
        found += len(part.customer)
    assert found == len(whole.customer)


@given(histories_of(customers=1), st.integers(0, 900 * DAY))
@EXAMPLES
def test_reading_changes_nothing(events: NDArray[np.void], later: int) -> None:
    states = stepped(events, 0)
    before = states.tobytes()
    now = (int(events["received"][-1]) if len(events) else START) + later
    first = JOURNEY.read(states, 0, now).tobytes()
    assert JOURNEY.read(states, 0, now).tobytes() == first
    assert JOURNEY.sweep(states, now)[0].tobytes() == first
    assert states.tobytes() == before


@given(histories_of(customers=5), st.integers(0, 900 * DAY))
@EXAMPLES
def test_a_state_reads_the_same_wherever_it_stands(events: NDArray[np.void], later: int) -> None:
    states = final_states(JOURNEY, histories([events]))
    now = (int(events["received"][-1]) if len(events) else START) + later
    together = JOURNEY.sweep(states, now)
    for index in range(len(states)):
        assert JOURNEY.read(states, index, now).tobytes() == together[index].tobytes()
        JOURNEY.step(states, index, events[:0])
    assert JOURNEY.sweep(states, now).tobytes() == together.tobytes()


@given(histories_of(customers=1))
@EXAMPLES
def test_a_state_survives_storage(events: NDArray[np.void]) -> None:
    half = len(events) // 2
    states = stepped(events[:half], 0)
    restored = JOURNEY.from_bytes(states.tobytes(), JOURNEY.fingerprint)
    JOURNEY.step(restored, 0, events[half:])
    assert restored.tobytes() == stepped(events, 0).tobytes()


@given(histories_of(customers=1), st.integers(0, 900 * DAY))
@EXAMPLES
def test_features_are_finite_or_unknown(events: NDArray[np.void], later: int) -> None:
    now = (int(events["received"][-1]) if len(events) else START) + later
    assert not np.isinf(JOURNEY.read(stepped(events, 0), 0, now)).any()


def test_chunks_do_not_matter() -> None:
    random = np.random.default_rng(5)
    events = np.zeros(1_000, EVENT)
    events["customer"] = random.integers(0, 50, 1_000)
    events["received"] = events["at"] = START + np.sort(random.integers(0, 90 * DAY, 1_000))
    events["kind"] = 14
    whole = replay(JOURNEY, histories([events]), [START + 60 * DAY])
    pieces = replay(JOURNEY, histories(np.array_split(events, 7)), [START + 60 * DAY])
    assert whole.features.tobytes() == pieces.features.tobytes()
    assert whole.features[:, JOURNEY.index["days_since_first"]].max() > 0


@pytest.mark.parametrize("index", [-1, 3])
def test_a_state_that_is_not_there_is_refused(index: int) -> None:
    states = JOURNEY.empty(3)
    with pytest.raises(IndexError, match="there are 3"):
        JOURNEY.step(states, index, np.zeros(1, EVENT))
    with pytest.raises(IndexError, match="there are 3"):
        JOURNEY.read(states, index, START)


def test_a_cutoff_beyond_all_clocks_is_refused() -> None:
    with pytest.raises(ValueError, match="microseconds since the epoch"):
        replay(JOURNEY, histories([np.zeros(1, EVENT)]), [2**62])


def test_negative_customers_are_refused() -> None:
    events = np.zeros(2, EVENT)
    events["customer"] = [-1, 2]
    with pytest.raises(ValueError, match="negative customer code"):
        histories([events])


@pytest.mark.parametrize("kind", [0, 17, 100, 255])
def test_a_kind_that_is_none_counts_for_nothing(kind: int) -> None:
    events = np.zeros(1, EVENT)
    events["kind"], events["at"], events["received"] = kind, START, START
    states = JOURNEY.empty()
    JOURNEY.step(states, 0, events)
    features = dict(zip(JOURNEY.names, JOURNEY.read(states, 0, START).tolist(), strict=True))
    assert np.isnan(features["days_since_first"])
    assert features["sessions_ever"] == features["purchases_ever"] == features["cart_items"] == 0


def test_a_state_fits_in_a_kibibyte() -> None:
    assert JOURNEY.state.itemsize <= STATE_LIMIT == 1024


def test_another_fingerprint_is_refused_with_the_remedy() -> None:
    with pytest.raises(FingerprintMismatch, match=r"0123456789abcdef.*waypost rebuild.*waypost train"):
        JOURNEY.from_bytes(JOURNEY.empty().tobytes(), "0123456789abcdef")
