"""A history read by customer, in small parts: the events of several segments and of the database in log order."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from features.events import MINUTE, Channel, Kind
from features.log.frame import frame_of
from features.log.history import customers, segment
from features.log.history.history import History
from features.log.history.index import index_of
from features.log.history.records import Piece
from features.log.sqlite import SqliteLog
from features.log.sqlite.reader import reader
from tests.examples import examples
from tests.features.log.samples import START, event, gathered, identify, shop
from tests.features.log.sealing import LATE


@pytest.fixture(autouse=True)
def small_parts(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A part holds a few customers, and a customer is in several row groups."""
    for module in (segment, customers):
        monkeypatch.setattr(module, "GROUP", 4)
    monkeypatch.setattr(customers, "DECODED", 16)
    monkeypatch.setattr(customers, "TOGETHER", 9)
    monkeypatch.setattr(customers, "_CODES_PER_BIN", 2)
    yield


batches = st.lists(
    st.lists(st.tuples(st.integers(0, 6), st.integers(0, 5)), min_size=1, max_size=25), min_size=1, max_size=6
)
"""Several appends of events, each a customer and a minute, of which few differ: times tie and fall between appends."""


def fill(log: SqliteLog, appends: Sequence[Sequence[tuple[int, int]]], *, identities: bool) -> None:
    """Every third append is live and sealed, the others are imports; at the end some live events follow."""
    number = 0
    for place, rows in enumerate(appends):
        events = []
        for customer, minute in rows:
            number += 1
            moment = START + minute * MINUTE
            one = identify(number, f"c{customer}") if identities and number % 5 == 0 else event(number, f"c{customer}")
            events.append(replace(one, at=moment, received=moment, channel=Channel(1 + number % 3)))
        if place % 3 == 2:
            log.append(events, history=True)
            log.keeping.seal(LATE)
        else:
            log.append_columns(frame_of(events, range(len(events))))
    log.append([event(10_000 + number, "c3") for number in range(3)])


@settings(max_examples=examples(40), deadline=None)
@given(appends=batches, identities=st.booleans(), until=st.none() | st.integers(0, 6))
def test_the_parts_are_the_log_sorted_by_customer(
    appends: list[list[tuple[int, int]]], identities: bool, until: int | None
) -> None:
    last = None if until is None else START + until * MINUTE
    with tempfile.TemporaryDirectory() as home, closing(SqliteLog(Path(home) / "log.db")) as log:
        fill(log, appends, identities=identities)
        whole = gathered(log.scan(until=last))
        parts = list(log.by_customer(until=last))
        expected = whole[np.argsort(whole["customer"], kind="stable")]
        assert gathered(part.events for part in parts).tobytes() == expected.tobytes()
        codes, lengths = np.unique(whole["customer"], return_counts=True)
        assert [code for part in parts for code in part.customers.tolist()] == codes.tolist()
        assert [number for part in parts for number in np.diff(part.starts).tolist()] == lengths.tolist()


def test_customers_who_are_being_erased_are_left_out(tmp_path: Path) -> None:
    with closing(SqliteLog(tmp_path / "log.db")) as log:
        events = shop(200, customers=12)
        log.append_columns(frame_of(events, range(len(events))))
        gone = [log.customers.code("customer-3"), log.customers.code("customer-7")]
        with reader(log.path) as read:
            history = read.history()
            assert history is not None
            masked = History(history.store, history.entries, [code for code in gone if code is not None])
            live = Piece(gathered([]), np.empty(0, np.int64))
            codes = [code for part in customers.by_customer(masked, live, None) for code in part.customers.tolist()]
        assert len(codes) == 10 and not set(gone) & set(codes)


def test_kinds_and_channels_come_from_the_index_however_many_pairs_there_are(tmp_path: Path) -> None:
    pairs = [(kind, channel) for kind in Kind for channel in Channel if not 90 <= kind <= 93]
    assert len(pairs) > 256
    events = [event(number, kind=kind, channel=channel) for number, (kind, channel) in enumerate(pairs)]
    with closing(SqliteLog(tmp_path / "log.db")) as log:
        log.append_columns(frame_of(events, range(len(events))))
        read = gathered(part.events for part in log.by_customer())
    assert list(zip(read["kind"].tolist(), read["channel"].tolist(), strict=True)) == pairs


def test_one_byte_says_kind_and_channel_where_that_is_enough() -> None:
    kinds, channels = np.array([14, 14, 60], np.uint8), np.array([1, 2, 1], np.uint8)
    index = index_of(np.zeros(3, np.int32), np.arange(3, dtype=np.uint64), kinds, channels)
    assert index.pair.itemsize == 1 and index.pairs[index.pair].tolist() == [[14, 1], [14, 2], [60, 1]]
