"""Which ids a log merges, what it then tells of the profile, and how a merge is undone."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from features.events import MINUTE, Kind
from features.log.contract import MERGE, MOST_JOINED, EventLog
from tests.features.log.base import StoreSuite
from tests.features.log.samples import event, gathered, identify


def joins(log: EventLog) -> list[tuple[str, str, int]]:
    """The merges of a log as names: member, profile, undone."""
    names = log.customers.names()
    return [(names[each["member"]], names[each["profile"]], int(each["undone"])) for each in log.merges()]


class IdentitySuite(StoreSuite):
    """The contract of `features.log.contract.IdentityStore`, and what merges are to the events of a log."""

    def test_a_log_without_merges_says_so(self, log: EventLog) -> None:
        assert (log.merges().dtype, len(log.merges()), log.profile("ann")) == (MERGE, 0, [])
        assert log.append([]).merges.dtype == log.append([event(1), identify(2, "ann")]).merges.dtype == MERGE
        assert (log.profile("ann"), log.unmerge("ann", 0), log.unmerge("bob", 0)) == (["ann"], [], [])

    @pytest.mark.parametrize("key", ["anonymous_id", "previous_id"])
    def test_an_event_that_joins_ids_merges_them(self, log: EventLog, key: str) -> None:
        log.append([event(1, "visitor"), event(2, "ann"), event(3, "visitor")])
        appended = log.append([identify(4, "ann", "visitor", key), event(5, "bob")])
        (merge,) = appended.merges
        assert (merge["received"], merge["offset"], merge["undone"]) == (identify(4, "ann").received, 6, 0)
        assert (appended.first_offset, appended.last_offset, log.offset()) == (4, 5, 6)
        assert log.merges().tolist() == appended.merges.tolist()
        assert joins(log) == [("visitor", "ann", 0)]
        assert log.profile("visitor") == log.profile("ann") == ["ann", "visitor"]

    def test_the_history_of_a_profile_is_that_of_all_its_ids(self, log: EventLog) -> None:
        log.append([event(1, "visitor"), event(2, "ann"), event(3, "bob"), event(4, "visitor")])
        log.append([identify(5, "ann", "visitor")])
        log.append([event(6, "visitor"), event(7, "ann")])
        scanned = gathered(log.scan())
        own = scanned[scanned["customer"] != log.customers.code("bob")]
        assert log.history("ann").tobytes() == log.history("visitor").tobytes() == own.tobytes()
        assert [each.message_id for each in log.events("visitor", 4)] == [f"message-{n}" for n in (7, 6, 5, 4)]
        assert [each.customer for each in log.events("ann", 4)] == ["ann", "visitor", "ann", "visitor"]
        assert len(log.history("bob")) == 1
        found = log.find("message-6")
        assert found is not None
        assert found.customer == "visitor"

    def test_an_id_may_join_before_its_first_event(self, log: EventLog) -> None:
        log.append([identify(1, "ann", "visitor")])
        assert log.customers.names() == ["ann", "visitor"]
        log.append([event(2, "visitor")])
        assert len(log.history("ann")) == 2

    def test_of_one_batch_all_are_merged_in_order(self, log: EventLog) -> None:
        appended = log.append(
            [identify(1, "ann", "x"), event(2, "x"), identify(3, "bob", "x"), identify(4, "ann", "y"), event(4, "ann")]
        )
        assert (appended.accepted_count, appended.last_offset, log.offset()) == (4, 4, 6)
        assert appended.merges["offset"].tolist() == [5, 6]
        assert log.customers.names() == ["ann", "x", "bob", "y"]
        assert (log.profile("ann"), log.profile("bob")) == (["ann", "x", "y"], ["bob"])

    @pytest.mark.parametrize(("customer", "other"), [("ann", "null"), ("-1", "ann"), ("guest", "x"), ("ann", "000-00")])
    def test_an_id_of_nobody_joins_nothing(self, log: EventLog, customer: str, other: str) -> None:
        log.append([event(1, customer), event(2, other), identify(3, customer, other)])
        assert joins(log) == []

    def test_a_user_id_joins_no_other(self, log: EventLog) -> None:
        log.append([identify(1, "bob"), identify(2, "ann", "bob"), identify(3, "cid", "visitor", anonymous=True)])
        log.append([identify(4, "ann", "cid")])  # never identified, but something has joined it
        assert joins(log) == [("visitor", "cid", 0)]
        assert log.profile("bob") == ["bob"]

    def test_an_anonymous_id_that_is_described_is_no_user_id(self, log: EventLog) -> None:
        log.append([identify(1, "visitor", anonymous=True), identify(2, "ann", "visitor")])
        assert joins(log) == [("visitor", "ann", 0)]

    def test_an_id_is_in_one_profile(self, log: EventLog) -> None:
        log.append([identify(1, "ann", "visitor")])
        log.append([identify(2, "bob", "visitor"), identify(3, "ann", "visitor")])
        assert joins(log) == [("visitor", "ann", 0)]

    def test_a_profile_has_so_many_ids_at_most(self, log: EventLog) -> None:
        log.append([identify(number, "ann", f"v{number}") for number in range(MOST_JOINED - 1)])
        log.append([identify(number, "ann", f"v{number}") for number in range(MOST_JOINED - 1, MOST_JOINED + 2)])
        assert log.profile("ann") == ["ann", *(f"v{number}" for number in range(MOST_JOINED))]
        log.append([event(50, f"v{MOST_JOINED}")])
        assert log.profile(f"v{MOST_JOINED}") == [f"v{MOST_JOINED}"]

    def test_a_member_stands_for_its_profile(self, log: EventLog) -> None:
        log.append([identify(1, "ann", "phone")])
        log.append([identify(2, "phone", "tablet", anonymous=True)])
        assert joins(log) == [("phone", "ann", 0), ("tablet", "ann", 0)]
        assert log.append([identify(3, "phone", "ann")]).merges.tolist() == []

    def test_a_duplicate_merges_nothing(self, log: EventLog) -> None:
        log.append([event(1, "ann")])
        again = log.append([identify(1, "ann", "visitor"), identify(1, "bob", "visitor")])
        assert (again.accepted, len(again.merges), log.profile("visitor")) == ([False, False], 0, [])

    def test_a_merge_is_received_as_its_event_is(self, log: EventLog) -> None:
        log.append([event(10)])
        log.append([identify(2, "ann", "x")])
        log.append([identify(3, "ann", "y")], history=True)
        moments = {name: int(each["received"]) for each, (name, _, _) in zip(log.merges(), joins(log), strict=True)}
        assert moments == {"y": event(3).received, "x": event(10).received}
        assert [name for name, _, _ in joins(log)] == ["y", "x"]

    def test_unmerging_takes_a_member_out(self, log: EventLog) -> None:
        log.append([event(1, "x"), event(2, "y"), identify(3, "ann", "x"), identify(4, "ann", "y")])
        offset = log.offset()
        assert log.unmerge("x", event(9).received) == ["x"]
        assert (log.profile("ann"), log.profile("x")) == (["ann", "y"], ["x"])
        assert (len(log.history("x")), len(log.history("ann"))) == (1, 3)
        undone = log.merges()[-1]
        assert (undone["undone"], undone["received"], undone["offset"]) == (1, event(9).received, offset + 1)
        assert (log.offset(), log.unmerge("x", event(9).received)) == (offset + 1, [])

    def test_unmerging_a_profile_takes_all_out(self, log: EventLog) -> None:
        log.append([identify(1, "ann", "y"), identify(2, "ann", "x"), identify(3, "bob", "z")])
        assert log.unmerge("ann", event(4).received) == ["y", "x"]
        assert [log.profile(name) for name in ("ann", "x", "y", "z")] == [["ann"], ["x"], ["y"], ["bob", "z"]]

    def test_nothing_is_unmerged_before_the_newest_event(self, log: EventLog) -> None:
        log.append([identify(5, "ann", "x")])
        log.unmerge("ann", event(1).received)
        assert log.merges()["received"].tolist() == [event(5).received] * 2
        assert log.append([event(2)]).records["received"].tolist() == [event(5).received]

    def test_who_was_taken_out_stays_out_but_may_join_another(self, log: EventLog) -> None:
        log.append([identify(1, "ann", "x")])
        log.unmerge("x", event(2).received)
        log.append([identify(3, "ann", "x")])
        assert log.profile("x") == ["x"]
        log.append([identify(4, "bob", "x")])
        assert log.profile("x") == ["bob", "x"]
        log.unmerge("bob", event(5).received)
        assert log.append([identify(6, "bob", "x"), identify(7, "ann", "x")]).merges.tolist() == []

    def test_merge_then_unmerge_is_never_merged(self, log: EventLog, tmp_path: Path) -> None:
        with closing(self.open(tmp_path / "twin.db")) as twin:
            for each, other in ((log, "x"), (twin, None)):
                each.append([event(1, "ann"), event(2, "x"), event(3, "y")])
                each.append([identify(4, "ann", other), event(5, "x")])
                each.unmerge("ann", event(6).received)
                each.append([event(7, "x"), event(8, "ann")])
            for name in ("ann", "x", "y"):
                assert log.history(name).tobytes() == twin.history(name).tobytes()
            assert gathered(log.scan()).tobytes() == gathered(twin.scan()).tobytes()
            assert log.digest() != twin.digest()

    def test_the_digest_tells_of_merges(self, log: EventLog) -> None:
        log.append([event(1, "x"), event(2, "ann")])
        digests = [log.digest()]
        log.append([identify(3, "ann", "x")])
        digests.append(log.digest())
        log.unmerge("ann", event(4).received)
        digests.append(log.digest())
        assert len(set(digests)) == 3

    def test_another_object_knows_of_a_merge_at_once(self, log: EventLog, place: Path) -> None:
        log.append([event(1, "x"), event(2, "y")])
        with closing(self.open(place)) as other:
            assert other.profile("x") == ["x"]
            log.append([identify(3, "ann", "x")])
            assert (other.profile("x"), len(other.history("ann"))) == (["ann", "x"], 2)
            other.append([identify(4, "x", "y")])
            assert log.profile("y") == ["ann", "x", "y"]
            assert log.merges().tolist() == other.merges().tolist()
            other.unmerge("x", event(5).received)
            assert log.profile("x") == ["x"]

    def test_merges_do_not_change_what_is_scanned(self, log: EventLog) -> None:
        log.append([event(1, "x"), identify(2, "ann", "x"), event(3, "x")])
        scanned = gathered(log.scan())
        assert [log.customers.name(code) for code in scanned["customer"].tolist()] == ["x", "ann", "x"]
        assert (np.diff(scanned["received"]) >= MINUTE).all()
        assert scanned["kind"].tolist() == [Kind.ITEM_VIEW, Kind.IDENTIFY, Kind.ITEM_VIEW]
