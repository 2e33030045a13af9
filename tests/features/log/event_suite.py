"""Events: each once, in log order, by customer and by message id, and the names behind their codes."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from features.events import EVENT, MINUTE, NO_CODE, Event, Kind
from features.log.contract import CHUNK, EventLog
from tests.features.log.base import StoreSuite
from tests.features.log.samples import START, event, gathered, shop, spelled, spelled_events


class EventSuite(StoreSuite):
    """The contract of `features.log.contract.EventStore`; its parts about
    properties and orders are `ReadingSuite` and `OrderSuite`."""

    def test_an_empty_log_answers(self, log: EventLog) -> None:
        assert (log.count(), log.span(), log.offset(), list(log.scan())) == (0, None, 0, [])
        assert (log.customers.names(), log.events("ann", 5)) == ([], [])
        assert log.history("ann").dtype == EVENT
        assert len(log.history("ann")) == 0

    def test_appending_nothing_changes_nothing(self, log: EventLog) -> None:
        before = log.digest()
        appended = log.append([])
        assert (appended.accepted, len(appended.records), appended.first_offset, log.digest()) == ([], 0, 0, before)

    def test_what_is_appended_is_scanned(self, log: EventLog) -> None:
        events = shop(500)
        appended = log.append(events, history=True)
        assert (appended.accepted_count, appended.duplicate_count) == (500, 0)
        assert (appended.first_offset, appended.last_offset, log.offset()) == (1, 500, 500)
        scanned = gathered(log.scan())
        assert scanned.tobytes() == appended.records.tobytes()
        assert spelled(log, scanned) == spelled_events(events)

    def test_a_message_counts_once(self, log: EventLog) -> None:
        first = log.append([event(1), event(2), event(1, amount=9.0)])
        again = log.append([event(2, customer="bob"), event(3)])
        assert (first.accepted, again.accepted) == ([True, True, False], [False, True])
        assert (again.accepted_count, again.duplicate_count, again.records["at"].tolist()) == (1, 1, [event(3).at])
        assert [kept.message_id for kept in log.events("ann", 9)] == ["message-3", "message-2", "message-1"]
        assert np.isnan(log.events("ann", 9)[2].amount)
        assert log.events("bob", 9) == []

    def test_a_batch_of_duplicates_changes_nothing(self, log: EventLog) -> None:
        log.append([event(1), event(2)])
        before = log.digest()
        again = log.append([event(2), event(1)])
        assert (again.accepted, again.first_offset, again.last_offset) == ([False, False], 0, 0)
        assert (log.digest(), log.offset()) == (before, 2)

    def test_live_events_keep_the_order_of_arrival(self, log: EventLog) -> None:
        log.append([event(10), event(4), event(12)])
        log.append([event(3, at=START), event(11)])
        received = gathered(log.scan())["received"]
        assert received.tolist() == [event(n).received for n in (10, 10, 12, 12, 12)]
        assert [kept.message_id for kept in log.events("ann", 9)] == [f"message-{n}" for n in (11, 3, 12, 4, 10)]
        assert gathered(log.scan())["at"].tolist()[3] == START

    def test_a_repeated_message_says_nothing_of_when_others_were_received(self, log: EventLog) -> None:
        appended = log.append([event(1), event(1, received=event(9).received), event(2), event(3)])
        assert appended.accepted == [True, False, True, True]
        scanned = gathered(log.scan())
        assert scanned.tobytes() == appended.records.tobytes()
        assert scanned["received"].tolist() == scanned["at"].tolist() == [event(n).received for n in (1, 2, 3)]
        log.append([event(3, received=event(20).received), event(5)])
        assert log.span() == (event(1).received, event(5).received)

    def test_history_stays_where_it_happened(self, log: EventLog) -> None:
        log.append([event(10)])
        log.append([event(5), event(1), event(20)], history=True)
        log.append([event(15)])
        received = gathered(log.scan())["received"]
        assert received.tolist() == [event(n).received for n in (1, 5, 10, 20, 20)]
        assert log.span() == (event(1).received, event(20).received)

    def test_nothing_happens_after_it_is_known(self, log: EventLog) -> None:
        future = event(1, at=event(9).at)
        log.append([future])
        log.append([replace(future, message_id="imported")], history=True)
        assert set(gathered(log.scan())["at"].tolist()) == {event(1).received}

    def test_ties_keep_the_order_of_appending(self, log: EventLog) -> None:
        for number in range(6):
            log.append(
                [event(0, message_id=str(number), amount=float(number), customer=f"c{number % 2}")], history=True
            )
        assert gathered(log.scan())["amount"].tolist() == [0, 1, 2, 3, 4, 5]
        assert log.history("c1")["amount"].tolist() == [1, 3, 5]

    def test_shards_part_the_customers(self, log: EventLog) -> None:
        log.append(shop(400), history=True)
        parts = [gathered(log.scan(shard=shard, shards=3)) for shard in range(3)]
        assert sum(map(len, parts)) == 400
        for shard, part in enumerate(parts):
            assert set((part["customer"] % 3).tolist()) == {shard}
            assert (np.diff(part["received"]) >= 0).all()

    @pytest.mark.parametrize(("shard", "shards"), [(3, 3), (-1, 2), (0, 0)])
    def test_a_shard_must_be_one_of_the_shards(self, log: EventLog, shard: int, shards: int) -> None:
        with pytest.raises(ValueError, match=f"no shard {shard} of {shards}"):
            list(log.scan(shard=shard, shards=shards))

    def test_until_ends_the_scan(self, log: EventLog) -> None:
        log.append([event(n) for n in range(10)])
        assert len(gathered(log.scan(until=event(4).received))) == 5
        assert len(gathered(log.scan(until=event(4).received - 1))) == 4
        assert list(log.scan(until=START - 1)) == []

    @pytest.mark.slow
    def test_chunks_are_bounded_and_in_order(self, log: EventLog) -> None:
        events = shop(CHUNK + 1000)
        log.append(events[1::2], history=True)
        log.append(events[::2], history=True)
        chunks = list(log.scan())
        assert max(map(len, chunks)) <= CHUNK
        assert gathered(chunks)["received"].tolist() == [each.received for each in events]

    def test_a_scan_does_not_see_what_follows_it(self, log: EventLog) -> None:
        log.append(shop(100), history=True)
        scan = log.scan()
        first = next(scan)
        log.append([event(1)])
        assert len(first) + sum(map(len, scan)) == 100

    def test_history_is_the_scan_of_one_customer(self, log: EventLog) -> None:
        log.append(shop(300), history=True)
        scanned = gathered(log.scan())
        for name in ("customer-3", "customer-11"):
            own = scanned[scanned["customer"] == log.customers.code(name)]
            assert len(own) > 3
            assert log.history(name).tobytes() == own.tobytes()

    def test_events_come_back_as_they_went_in(self, log: EventLog) -> None:
        full = Event(
            "id", "çelik", Kind.SURVEY_NPS, START, START, item="Schuhe ✓", category="x'y", quantity=0.1, amount=-1e-300,
            order_id="7", score=9.0, properties={"a": [1, {"ü": None}], "b": "\n"},
        )  # fmt: skip
        bare = event(1, customer="çelik")
        log.append([full, bare])
        newest, oldest = log.events("çelik", 2)
        assert oldest == full
        assert repr(newest) == repr(bare)
        assert [kept.message_id for kept in log.events("çelik", 1)] == ["message-1"]

    def test_zero_and_nan_have_one_form(self, log: EventLog) -> None:
        odd = np.array([0xFFF8000000000001], np.uint64).view(np.float64)[0]
        appended = log.append([event(1, amount=-0.0, quantity=odd, score=-0.0), event(2, amount=odd, score=-odd)])
        assert gathered(log.scan()).tobytes() == appended.records.tobytes()
        assert repr(log.events("ann", 2)[1].amount) == "0.0"

    def test_absent_names_have_no_code(self, log: EventLog) -> None:
        log.append([event(1), event(2, item="x")])
        assert gathered(log.scan())["item"].tolist() == [NO_CODE, 0]
        assert gathered(log.scan())["category"].tolist() == [NO_CODE, NO_CODE]

    def test_codes_count_up_in_order_of_arrival(self, log: EventLog) -> None:
        log.append([event(1, "b", item="y"), event(2, "a", item="x", category="y"), event(3, "b", item="x")])
        log.append([event(4, "c"), event(5, "a", item="z")])
        assert (log.customers.names(), log.items.names()) == (["b", "a", "c"], ["y", "x", "z"])
        assert [log.items.code(name) for name in ("y", "x", "z", "b")] == [0, 1, 2, None]
        assert [log.items.name(code) for code in range(3)] == ["y", "x", "z"]
        assert log.categories.names() == ["y"]

    @pytest.mark.parametrize("code", [-1, 1, 99])
    def test_a_code_without_a_name_is_an_error(self, log: EventLog, code: int) -> None:
        log.append([event(1)])
        with pytest.raises(LookupError, match=str(code)):
            log.customers.name(code)

    def test_names_differ_by_every_byte(self, log: EventLog) -> None:
        names = ["a", "A", "a ", "ä", "a\u0308", "a\t", "1", "01", "1.0", "x" * 256]
        log.append([event(number, name) for number, name in enumerate(names)])
        assert log.customers.names() == names

    def test_two_objects_share_one_log(self, log: EventLog, place: Path) -> None:
        with closing(self.open(place)) as other:
            for number in range(6):
                (log, other)[number % 2].append([event(number, f"c{number}"), event(10, "late", item=f"i{number}")])
            assert log.customers.names() == other.customers.names() == ["c0", "late", "c1", "c2", "c3", "c4", "c5"]
            assert [other.customers.code(f"c{number}") for number in range(6)] == [0, 2, 3, 4, 5, 6]
            assert [log.customers.code(f"c{number}") for number in range(6)] == [0, 2, 3, 4, 5, 6]
            assert log.count() == other.count() == 7

    def test_the_digest_tells_logs_apart(self, log: EventLog, tmp_path: Path) -> None:
        with closing(self.open(tmp_path / "twin.db")) as twin:
            for each in (log, twin):
                each.append(shop(30), history=True)
            assert log.digest() == twin.digest()
            twin.append([event(1, received=event(1).received + MINUTE)])
            assert log.digest() != twin.digest()

    def test_a_failed_append_leaves_nothing(self, log: EventLog) -> None:
        log.append([event(1, "ann", item="x")])
        before = log.digest()
        with pytest.raises(TypeError):
            log.append([event(2, "bob", item="y"), event(3, properties={"at": object()})])
        assert (log.digest(), log.customers.code("bob"), log.items.code("y")) == (before, None, None)
        log.append([event(4, "cid", item="z")])
        assert (log.customers.names(), log.items.names()) == (["ann", "cid"], ["x", "z"])
