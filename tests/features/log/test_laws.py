"""Laws of every log, on random appends with late, tied, duplicate and imported events."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features import files
from features.events import MINUTE, Event, Kind
from features.log.contract import EventLog
from features.log.frame import frame_of
from tests.examples import examples
from tests.features.log.samples import (
    START,
    Ledger,
    event,
    gathered,
    spelled,
    spelled_batches,
    spelled_events,
    spelled_with_texts,
)
from tests.features.log.stores import STORES

Batch = tuple[list[Event], bool]

NAMES = ("ann", "bob", "ann ", "ü", "7")

CHOSEN = (Kind.ITEM_VIEW, Kind.IDENTIFY, Kind.DECISION, Kind.REWARD)

names = st.sampled_from(NAMES)
numbers = st.one_of(st.just(float("nan")), st.floats(-1e6, 1e6, width=32))
moments = st.integers(-9, 9).map(lambda number: START + number * MINUTE)
plain = st.builds(
    event,
    st.integers(0, 25),
    customer=names,
    kind=st.sampled_from(Kind),
    at=moments,
    received=moments,
    item=st.none() | st.sampled_from("xyz"),
    category=st.none() | st.sampled_from("xyz"),
    quantity=numbers,
    amount=numbers,
    score=numbers,
)
said = st.fixed_dictionaries(
    {}, optional={"anonymous_id": names, "previous_id": names, "anonymous": st.booleans(), "group_id": st.just("g")}
)
joins = st.builds(
    event, st.integers(26, 40), customer=names, kind=st.just(Kind.IDENTIFY), received=moments, properties=said
)
events = plain | joins
batches = st.lists(st.tuples(st.lists(events, max_size=8), st.booleans()), max_size=6)

every_store = pytest.mark.parametrize("open_store", STORES.values(), ids=STORES)
few = settings(max_examples=examples(15), deadline=None)


@pytest.fixture(autouse=True, scope="module")
def _no_waiting_for_the_disk() -> Iterator[None]:
    """A law says nothing of what a power failure leaves, and dozens of small commits wait for the disk for long."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "synchronise", lambda path: None)
        yield


def filled(log: EventLog, appends: Sequence[Batch]) -> Ledger:
    """Append to the log and to a ledger, and compare what was accepted."""
    ledger = Ledger()
    for batch, history in appends:
        offset = ledger.offset
        accepted = ledger.append(batch, history)
        appended = log.append(batch, history=history)
        assert appended.accepted == accepted
        assert spelled(log, appended.records) == spelled_events(kept for at, kept in ledger.events if at > offset)
        assert (log.offset(), log.count()) == (ledger.offset, len(ledger.events))
    return ledger


def check(log: EventLog, ledger: Ledger) -> None:
    """Compare everything that can be read with the ledger."""
    expected = ledger.in_log_order()
    received = [kept.received for kept in expected]
    assert spelled(log, gathered(log.scan())) == spelled_events(expected)
    assert log.span() == ((min(received), max(received)) if received else None)
    assert spelled_batches(log, log.scan_with_properties(size=3)) == spelled_with_texts(expected)
    for until in (START - MINUTE, START):
        assert len(gathered(log.scan(until=until))) == sum(moment <= until for moment in received)
        own = [kept for kept in expected if kept.kind in CHOSEN and kept.received <= until]
        assert spelled(log, gathered(log.scan(kinds=CHOSEN, until=until))) == spelled_events(own)
        found = log.scan_with_properties(kinds=CHOSEN, until=until, size=3)
        assert spelled_batches(log, found) == spelled_with_texts(own)
    for kept in expected:
        assert repr(log.find(kept.message_id)) == repr(kept)
    for message_id in {f"message-{number}" for number in range(41)} - {kept.message_id for kept in expected}:
        assert log.find(message_id) is None
    for customer in {kept.customer for kept in expected} | {"nobody"}:
        own = ledger.history(customer)
        assert spelled(log, log.history(customer)) == spelled_events(own)
        assert repr(log.events(customer, 3)) == repr(own[::-1][:3])
    for customer in NAMES:
        if log.customers.code(customer) is not None:
            assert set(log.profile(customer)) == ledger.profile(customer)
            assert log.profile(customer)[0] == ledger.profiles.get(customer, customer)


@every_store
@few
@given(appends=batches)
def test_a_log_holds_each_accepted_event_in_log_order(
    open_store: Callable[[Path], EventLog], appends: list[Batch]
) -> None:
    with tempfile.TemporaryDirectory() as home:
        place = Path(home) / "log.db"
        with closing(open_store(place)) as log:
            ledger = filled(log, appends)
            check(log, ledger)
        with closing(open_store(place)) as again:
            check(again, ledger)


@every_store
@few
@given(appends=st.lists(st.lists(events, max_size=8), max_size=5))
def test_columns_are_appended_as_rows_are(open_store: Callable[[Path], EventLog], appends: list[list[Event]]) -> None:
    with (
        tempfile.TemporaryDirectory() as home,
        closing(open_store(Path(home) / "log.db")) as log,
        closing(open_store(Path(home) / "rows.db")) as by_row,
    ):
        for number, batch in enumerate(appends):
            accepted = by_row.append(batch, history=True).accepted
            if number % 3 < 2:
                assert log.append_columns(frame_of(batch, range(len(batch)))).tolist() == accepted
            else:
                assert log.append(batch, history=True).accepted == accepted
        assert (log.count(), log.span()) == (by_row.count(), by_row.span())
        assert spelled(log, gathered(log.scan())) == spelled(by_row, gathered(by_row.scan()))
        texts = spelled_batches(by_row, by_row.scan_with_properties())
        assert spelled_batches(log, log.scan_with_properties()) == texts
        for customer in NAMES:
            if len(by_row.history(customer)):  # else it may be known by a duplicate alone
                ids, expected = log.profile(customer), by_row.profile(customer)
                # The members stand by their codes, and a duplicate among rows gives its names codes, too.
                assert (ids[0], set(ids)) == (expected[0], set(expected))
            assert repr(log.events(customer, 9)) == repr(by_row.events(customer, 9))


@every_store
@few
@given(appends=batches, until=st.none() | moments)
def test_by_customer_is_the_log_sorted_by_customer(
    open_store: Callable[[Path], EventLog], appends: list[Batch], until: int | None
) -> None:
    with tempfile.TemporaryDirectory() as home, closing(open_store(Path(home) / "log.db")) as log:
        filled(log, appends)
        whole = gathered(log.scan(until=until))
        expected = whole[np.argsort(whole["customer"], kind="stable")]
        parts = list(log.by_customer(until=until))
        assert gathered(part.events for part in parts).tobytes() == expected.tobytes()
        customers, lengths = np.unique(whole["customer"], return_counts=True)
        assert [code for part in parts for code in part.customers.tolist()] == customers.tolist()
        assert [number for part in parts for number in np.diff(part.starts).tolist()] == lengths.tolist()
        chosen = np.unique(whole["customer"])[::2]
        theirs = whole[np.isin(whole["customer"], chosen)]
        assert log.together(chosen, until=until).tobytes() == theirs.tobytes()


@every_store
@few
@given(before=batches, customer=st.sampled_from(["ann", "ü", "7"]), after=batches)
def test_erasing_is_never_having_known(
    open_store: Callable[[Path], EventLog], before: list[Batch], customer: str, after: list[Batch]
) -> None:
    with tempfile.TemporaryDirectory() as home, closing(open_store(Path(home) / "log.db")) as log:
        ledger = filled(log, before)
        held = len(ledger.events)
        known = log.profile(customer)
        erased = ledger.erase(customer, START)
        assert set(known) in (erased, set())
        assert log.erase(customer, START).events == held - len(ledger.events)
        codes = len(log.customers.names())
        check(log, ledger)
        for batch, history in after:
            assert log.append(batch, history=history).accepted == ledger.append(batch, history)
        check(log, ledger)
        code = log.customers.code(customer)
        assert code is None or code >= codes


@every_store
@few
@given(data=st.data())
def test_merges_come_and_go_by_the_rules(open_store: Callable[[Path], EventLog], data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as home, closing(open_store(Path(home) / "log.db")) as log:
        ledger = Ledger()
        for step in data.draw(st.lists(st.sampled_from(["append", "join", "unmerge", "erase"]), max_size=8)):
            customer, moment = data.draw(names), data.draw(moments)
            if step in ("append", "join"):
                batch = data.draw(st.lists(joins if step == "join" else events, max_size=6))
                history = data.draw(st.booleans())
                assert log.append(batch, history=history).accepted == ledger.append(batch, history)
            elif step == "unmerge":
                assert set(log.unmerge(customer, moment)) == ledger.unmerge(customer, moment)
            else:
                log.erase(customer, moment)
                ledger.erase(customer, moment)
            assert log.offset() == ledger.offset
        check(log, ledger)


@few
@given(appends=batches)
def test_all_stores_hold_the_same_bytes(appends: list[Batch]) -> None:
    held = set()
    for open_store in STORES.values():
        with tempfile.TemporaryDirectory() as home, closing(open_store(Path(home) / "log.db")) as log:
            filled(log, appends)
            merges = tuple(log.merges().tolist())
            names = tuple(tuple(each.names()) for each in (log.customers, log.items, log.categories))
            held.add((log.digest(), gathered(log.scan()).tobytes(), merges, names))
    assert len(held) == 1


@every_store
@few
@given(appends=batches, shards=st.integers(1, 4))
def test_shards_are_the_log_parted(open_store: Callable[[Path], EventLog], appends: list[Batch], shards: int) -> None:
    with tempfile.TemporaryDirectory() as home, closing(open_store(Path(home) / "log.db")) as log:
        filled(log, appends)
        whole = gathered(log.scan())
        for shard in range(shards):
            part = gathered(log.scan(shard=shard, shards=shards))
            assert part.tobytes() == whole[whole["customer"] % shards == shard].tobytes()
