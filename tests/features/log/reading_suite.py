"""Events with everything they came with: all in bulk, and one by its message id."""

from __future__ import annotations

import tracemalloc
from dataclasses import replace

import numpy as np
import pytest

from features.events import Event, Kind
from features.log.contract import EventStore
from tests.features.log.base import StoreSuite
from tests.features.log.samples import START, event, gathered, shop, spelled_batches, spelled_with_texts

LEARNING = (Kind.DECISION, Kind.REWARD)

SMALL = 1_024
"""Events of one batch of a scan."""


def decided(number: int) -> list[Event]:
    """A decision with its probabilities, and what came of it."""
    chosen = {"probability": 0.25, "propensities": {"ship": 0.25, "wait": 0.75}, "stage": "purchase"}
    decision = event(number, f"c{number % 7}", kind=Kind.DECISION, category="ship", properties=chosen)
    reward = {"decision_id": decision.message_id}
    return [decision, replace(decision, message_id=f"{number}:reward", kind=Kind.REWARD, properties=reward, amount=7.5)]


class ReadingSuite(StoreSuite):
    """The part of the contract of `features.log.contract.EventStore` that is about events with their properties."""

    def test_an_empty_log_has_nothing_to_read(self, log: EventStore) -> None:
        assert (list(log.scan_with_properties()), log.find("message-1"), log.find("")) == ([], None, None)

    def test_a_batch_has_what_was_appended(self, log: EventStore) -> None:
        events = shop(300)
        log.append(events[::2], history=True)
        log.append(events[1::2], history=True)
        batches = list(log.scan_with_properties(size=64))
        assert spelled_batches(log, batches) == spelled_with_texts(events)
        assert gathered(each.records for each in batches).tobytes() == gathered(log.scan()).tobytes()
        assert 0 < max(len(each.message_ids) for each in batches) <= 64

    def test_absent_texts_are_none(self, log: EventStore) -> None:
        log.append([event(1), event(2, order_id="7", properties={"ü": [1, {"x": None}]})])
        (batch,) = log.scan_with_properties()
        assert list(batch.order_ids) == [None, "7"]
        assert list(batch.properties) == [None, '{"\\u00fc":[1,{"x":null}]}']
        assert np.isnan(batch.records["quantity"]).all()

    def test_kinds_are_chosen(self, log: EventStore) -> None:
        events = [each for number in range(20) for each in (event(number + 100), *decided(number))]
        log.append(events)
        expected = [each for each in events if each.kind in LEARNING]
        found = list(log.scan_with_properties(kinds=LEARNING, size=8))
        assert [row[-3:] for row in spelled_batches(log, found)] == [
            (each.message_id, each.order_id, each.properties) for each in expected
        ]
        assert gathered(log.scan(kinds=LEARNING)).tobytes() == gathered(each.records for each in found).tobytes()
        assert (list(log.scan(kinds=[])), list(log.scan_with_properties(kinds=[Kind.REFUND]))) == ([], [])

    def test_batches_have_the_parts_that_scans_have(self, log: EventStore) -> None:
        log.append(shop(200), history=True)
        until = shop(200)[120].received
        for shard in range(3):
            found = log.scan_with_properties(shard=shard, shards=3, until=until, size=16)
            expected = gathered(log.scan(shard=shard, shards=3, until=until))
            assert gathered(each.records for each in found).tobytes() == expected.tobytes()
        with pytest.raises(ValueError, match="no shard 3 of 3"):
            list(log.scan_with_properties(shard=3, shards=3))

    def test_batches_do_not_have_what_follows_the_first(self, log: EventStore) -> None:
        log.append(shop(100), history=True)
        batches = log.scan_with_properties(size=10)
        first = next(batches)
        log.append([event(1)])
        assert len(first.message_ids) + sum(len(each.message_ids) for each in batches) == 100

    def test_a_message_is_found_as_it_went_in(self, log: EventStore) -> None:
        full = Event(
            "id ✓", "çelik", Kind.SURVEY_NPS, START, START, item="Schuhe ✓", category="x'y", quantity=0.1,
            amount=-1e-300, order_id="7", score=0.7, properties={"a": [1, {"ü": None}], "b": "\n"},
        )  # fmt: skip
        log.append([full, event(1), event(2, item="Schuhe ✓")])
        assert log.find("id ✓") == full
        assert [repr(log.find(f"message-{number}")) for number in (1, 2)] == [
            repr(event(1)),
            repr(event(2, item="Schuhe ✓")),
        ]
        assert (log.find("message-3"), log.find("id"), log.find("ID ✓")) == (None, None, None)

    def test_a_message_is_found_as_the_log_has_it(self, log: EventStore) -> None:
        log.append([event(9), event(1), event(9, amount=5.0)])
        late = log.find("message-1")
        assert late is not None
        assert (late.received, late.at) == (event(9).received, event(1).at)
        assert repr(log.find("message-9")) == repr(event(9))

    @pytest.mark.slow
    def test_memory_does_not_grow_with_the_log(self, log: EventStore) -> None:
        few, many = 2 * SMALL, 10 * SMALL
        log.append([each for number in range(few // 2) for each in decided(number)], history=True)
        peaks = [_peak(log, few)]
        for start in range(few, many, SMALL):
            log.append([each for n in range(start // 2, (start + SMALL) // 2) for each in decided(n)], history=True)
        peaks.append(_peak(log, many))
        assert peaks[1] < 1.5 * peaks[0], f"the most memory in use, in bytes, at {few} and at {many} events: {peaks}"


def _peak(log: EventStore, events: int) -> int:
    """The most memory that Python and NumPy had in use while the whole log was read in bulk."""
    tracemalloc.start()
    try:
        assert sum(len(each.message_ids) for each in log.scan_with_properties(kinds=LEARNING, size=SMALL)) == events
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
