"""What an erasure removes, what it says of it, and what may come back."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from features.events import MINUTE
from features.log.contract import Erased, EventLog
from tests.features.log.base import StoreSuite
from tests.features.log.dead_letter_suite import LETTER
from tests.features.log.samples import START, Ledger, event, gathered, identify, shop, spelled, spelled_events

LATER = event(90).received
"""A moment after the events of these tests."""


class ErasureSuite(StoreSuite):
    """The part of the contract of `features.log.contract.EventLog` that is about erasures."""

    def test_erasing_leaves_the_others(self, log: EventLog) -> None:
        events = shop(300)
        log.append(events, history=True)
        ledger = Ledger()
        ledger.append(events, True)
        first = ledger.history("customer-3")[0].received
        ledger.erase("customer-3", events[-1].received)
        erased = log.erase("customer-3", events[-1].received)
        assert erased == Erased(["customer-3"], 300 - len(ledger.events), 0, 0, first)
        assert erased.rows == erased.events
        assert spelled(log, gathered(log.scan())) == spelled_events(ledger.in_log_order())
        assert (log.count(), log.offset()) == (300 - erased.events, 300)

    def test_an_erased_customer_is_unknown(self, log: EventLog) -> None:
        log.append([event(1, "ann"), event(2, "bob")])
        assert log.erase("ann", LATER).rows == 1
        assert (log.customers.code("ann"), log.customers.names()) == (None, ["", "bob"])
        assert (len(log.history("ann")), log.events("ann", 5), log.profile("ann")) == (0, [], [])
        assert (log.find("message-1"), log.find("message-2")) == (None, event(2, "bob"))
        assert [list(each.message_ids) for each in log.scan_with_properties()] == [["message-2"]]
        with pytest.raises(LookupError, match="0"):
            log.customers.name(0)
        assert log.erase("ann", LATER) == Erased([], 0, 0, 0, 0)

    def test_the_whole_profile_is_erased(self, log: EventLog) -> None:
        log.append([event(1, "visitor"), event(2, "bob"), identify(3, "ann", "visitor"), identify(4, "ann", "phone")])
        log.reject([replace(LETTER, customer="visitor"), replace(LETTER, position=8, raw=b"phone, 3")])
        log.unmerge("phone", event(5).received)
        log.append([identify(6, "ann", "tablet")])
        erased = log.erase("visitor", LATER)
        assert erased == Erased(["ann", "visitor", "tablet"], 4, 1, 4, event(1).received)
        assert erased.rows == 9
        assert log.customers.names() == ["", "bob", "", "phone", ""]
        assert (len(log.merges()), log.count(), log.profile("phone")) == (0, 1, ["phone"])

    def test_what_came_before_an_erasure_does_not_come_back(self, log: EventLog) -> None:
        events = [event(1, "ann"), event(2, "bob"), event(3, "ann")]
        log.append(events)
        log.erase("ann", event(4).received)
        for history in (True, False):
            again = log.append([*events, event(2, "ann", message_id="other"), event(2, "dan")], history=history)
            assert again.accepted == [False] * 5
        assert "ann" not in log.customers.names()
        late = event(5, "ann", received=event(4).received)
        assert log.append([event(1, "ann"), late, event(6, "ann")]).accepted == [False, True, True]
        assert log.append([event(1, "ann"), event(7, "ann", received=START)], history=True).accepted == [False, False]
        assert [each.message_id for each in log.events("ann", 9)] == ["message-6", "message-5"]

    def test_a_duplicate_of_the_erased_moves_nothing(self, log: EventLog) -> None:
        log.append([event(1, "ann"), event(2, "bob")])
        log.erase("ann", LATER)
        before = (log.digest(), log.offset())
        appended = log.append([event(1, "ann"), event(80, "ann")])
        assert (appended.accepted, appended.first_offset, appended.last_offset) == ([False, False], 0, 0)
        assert (log.digest(), log.offset(), len(appended.merges)) == (*before, 0)
        mixed = log.append([event(70, "ann"), event(3, "bob")])
        assert (mixed.first_offset, mixed.records["received"].tolist()) == (3, [event(3).received])

    def test_what_is_no_name_is_nobody_erased(self, log: EventLog) -> None:
        log.erase("ann", LATER)
        assert log.append([event(2, "bob", properties={"anonymous_id": "\ud800"})], history=True).accepted == [True]

    def test_who_was_erased_unknown_does_not_come_by_import_either(self, log: EventLog) -> None:
        log.erase("ann", LATER)
        assert log.append([event(1, "ann"), event(2, "bob")], history=True).accepted == [False, True]

    def test_an_erased_customer_comes_back_as_another(self, log: EventLog, place: Path) -> None:
        log.append([event(1, "ann"), event(2, "bob"), identify(3, "ann", "visitor")])
        with closing(self.open(place)) as other:
            assert other.customers.code("ann") == 0
            log.erase("ann", LATER)
            assert other.append([event(91, "ann")]).records["customer"].tolist() == [3]
            assert other.customers.names() == log.customers.names() == ["", "bob", "", "ann"]
            assert len(log.history("ann")) == len(other.history("ann")) == 1
            other.append([identify(92, "dan", "ann"), identify(93, "ann", "visitor")])
            assert log.profile("visitor") == other.profile("visitor") == ["dan", "ann", "visitor"]

    def test_no_old_event_of_another_brings_a_name_back(self, log: EventLog) -> None:
        log.append([event(1, "x"), identify(2, "ann", "x")])
        log.unmerge("x", event(3).received)
        log.erase("x", event(4).received)
        assert log.events("ann", 1)[0].properties == {}
        log.append([identify(3, "ann", "x", name="Ann")], history=True)
        assert log.events("ann", 9)[0].properties == {"name": "Ann"}
        assert "x" not in log.customers.names()
        log.append([identify(5, "bob", "x")])
        assert log.profile("x") == ["bob", "x"]

    def test_no_event_of_another_mentions_who_was_erased(self, log: EventLog) -> None:
        """Whatever its kind: only an `IDENTIFY` joins ids, but any event may come with one."""
        visited = {"anonymous_id": "visitor", "previous_id": ["visitor"], "page": 7}
        log.append([event(1, "visitor"), event(2, "ann", properties=visited)])
        log.append([event(3, "ann", properties={"previous_id": "visitor"}), identify(4, "bob", "visitor", page=8)])
        log.append([event(5, "ann", properties={"anonymous_id": "visitors"})])
        log.unmerge("visitor", event(6).received)
        assert log.erase("visitor", LATER).events == 1
        assert [each.properties for each in log.events("bob", 9)] == [{"page": 8}]
        assert [each.properties for each in log.events("ann", 9)] == [
            {"anonymous_id": "visitors"},
            {},
            {"previous_id": ["visitor"], "page": 7},
        ]

    def test_live_order_holds_after_the_newest_is_erased(self, log: EventLog) -> None:
        log.append([event(1, "bob"), event(9, "ann")])
        log.erase("ann", LATER)
        assert log.append([event(5, "bob")]).first_offset == 3
        assert log.span() == (event(1).received, event(9).received)

    def test_erasing_takes_the_dead_letters_along(self, log: EventLog) -> None:
        log.reject(
            [
                replace(LETTER, position=1, customer="ann", raw=b"?"),
                replace(LETTER, position=2, customer="bob", raw=b"ann"),
                replace(LETTER, position=3, raw=b'{"user": "ann"}'),
                replace(LETTER, position=4, raw=b'{"user": "anna"}'),
                replace(LETTER, position=5, raw=b"\xff\x00,ann,3"),
                replace(LETTER, position=6, raw=b"", reason="user ann is blocked"),
            ]
        )
        assert log.erase("ann", LATER) == Erased([], 0, 4, 0, 0)
        assert [letter.position for letter in log.dead_letters(9)] == [2, 4]

    def test_erasing_finds_escaped_names(self, log: EventLog) -> None:
        log.reject([replace(LETTER, raw=b'{"user": "\\u00e7elik"}'), replace(LETTER, raw='"çelik"'.encode())])
        assert log.erase("çelik", LATER).dead_letters == 2

    def test_an_erasure_changes_the_digest(self, log: EventLog) -> None:
        log.append([event(1, "ann"), event(2, "bob"), event(3, received=event(3).received + MINUTE)])
        before = log.digest()
        log.erase("ann", LATER)
        assert log.digest() != before
