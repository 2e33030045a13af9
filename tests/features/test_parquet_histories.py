"""Histories from a Parquet file are those that the general way gives, and bad files are refused."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from features.events import EVENT
from features.replay.parquet import BATCH, BadHistory, read_histories
from features.replay.replay import histories
from tests.examples import examples
from tests.histories import START, histories_of

COLUMNS = [name for name in EVENT.names or () if name != "_reserved"]


def write(path: Path, events: NDArray[np.void], *, nulls: bool = False, group: int = 7, **changed: Any) -> Path:
    """The events as a Parquet file with row groups of `group` rows; with `nulls`, what is absent is null."""
    arrays = {}
    for name in COLUMNS:
        values = np.ascontiguousarray(events[name])
        absent = np.isnan(values) if values.dtype.kind == "f" else values == -1
        arrays[name] = pa.array(values, mask=absent if nulls and name != "customer" else None)
    arrays.update(changed)
    table = pa.table({name: array for name, array in arrays.items() if array is not None})
    pq.write_table(table, path, row_group_size=group)
    return path


@given(histories_of(customers=5), st.booleans(), st.integers(1, 3))
@settings(max_examples=examples(40), deadline=None)
def test_equals_the_general_way(
    tmp_path_factory: pytest.TempPathFactory, events: NDArray[np.void], nulls: bool, threads: int
) -> None:
    path = write(tmp_path_factory.mktemp("log") / "events.parquet", events, nulls=nulls)
    found, expected = read_histories(path, threads=threads), histories([events])
    assert found.customers.tolist() == expected.customers.tolist()
    assert found.starts.tolist() == expected.starts.tolist()
    for name in COLUMNS:
        np.testing.assert_array_equal(found.events[name], expected.events[name])


@given(histories_of(customers=5))
@settings(max_examples=examples(20), deadline=None)
def test_a_file_by_customer_is_read_as_well(tmp_path_factory: pytest.TempPathFactory, events: NDArray[np.void]) -> None:
    by_customer = events[np.argsort(events["customer"], kind="stable")]
    found = read_histories(write(tmp_path_factory.mktemp("log") / "events.parquet", by_customer))
    assert found.events.tobytes() == histories([events]).events.tobytes()


@pytest.mark.parametrize("group", [BATCH - 1, BATCH, 3 * BATCH + 1])
@pytest.mark.parametrize("threads", [1, 3])
@pytest.mark.parametrize("nulls", [True, False])
def test_row_groups_of_several_batches(tmp_path: Path, group: int, threads: int, nulls: bool) -> None:
    random, events = np.random.default_rng(group), some_events(2_000)
    events["customer"] = random.geometric(0.1, len(events)) - 1
    events["item"] = random.integers(-1, 5, len(events))
    events["category"] = random.integers(-1, 3, len(events))
    for name in ("quantity", "amount", "score"):
        events[name] = random.choice([np.nan, 0.0, 1.5], len(events))
    found = read_histories(write(tmp_path / "events.parquet", events, nulls=nulls, group=group), threads=threads)
    expected = histories([events])
    assert found.starts.tolist() == expected.starts.tolist()
    assert found.events.tobytes() == expected.events.tobytes()


def test_columns_of_other_types_are_converted(tmp_path: Path) -> None:
    events = some_events(50)
    times = {name: pa.array(events[name]).cast(pa.timestamp("us", "UTC")) for name in ("at", "received")}
    wide = {name: pa.array(events[name].astype(np.int64)) for name in ("customer", "kind", "item")}
    double = {name: pa.array(events[name].astype(np.float64)) for name in ("quantity", "score")}
    path = write(tmp_path / "events.parquet", events, **times, **wide, **double)
    assert read_histories(path).events.tobytes() == histories([events]).events.tobytes()


def test_what_a_file_does_not_have_is_absent(tmp_path: Path) -> None:
    events = some_events(50)
    missing: dict[str, Any] = dict.fromkeys(set(COLUMNS) - {"at", "kind", "customer"})
    found = read_histories(write(tmp_path / "events.parquet", events, **missing)).events
    assert (found["received"] == found["at"]).all()
    assert (found["item"] == -1).all() and (found["category"] == -1).all() and (found["channel"] == 0).all()
    assert all(np.isnan(found[name]).all() for name in ("quantity", "amount", "score"))


def test_a_null_channel_is_unknown(tmp_path: Path) -> None:
    path = write(tmp_path / "events.parquet", one_event(), channel=pa.array([None], pa.uint8()))
    assert read_histories(path).events["channel"].tolist() == [0]


def test_an_empty_file_has_no_histories(tmp_path: Path) -> None:
    found = read_histories(write(tmp_path / "events.parquet", np.zeros(0, EVENT)))
    assert (len(found.events), len(found.customers), found.starts.tolist()) == (0, 0, [0])


def some_events(number: int) -> NDArray[np.void]:
    """A view a second, of three customers in turn."""
    events = np.repeat(one_event(), number)
    events["at"] += np.arange(number) * 1_000_000
    events["received"] = events["at"]
    events["customer"] = np.arange(number) % 3
    return events


def one_event() -> NDArray[np.void]:
    events = np.zeros(1, EVENT)
    events["at"], events["received"], events["kind"] = START, START, 14
    return events


def test_what_happened_later_than_it_was_learnt_happened_then(tmp_path: Path) -> None:
    path = write(tmp_path / "events.parquet", one_event(), at=pa.array([START + 10]), item=pa.array([-7], pa.int32()))
    event = read_histories(path).events[0]
    assert event["at"] == event["received"] == START
    assert event["item"] == -1


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        ({"kind": pa.array([200], pa.uint8())}, "kind holds 200"),
        ({"channel": pa.array([99], pa.uint8())}, "channel holds 99"),
        ({"at": pa.array([-5])}, "after 1990"),
        ({"customer": pa.array([-1], pa.int32())}, "negative"),
        ({"customer": pa.array(["anna"])}, "names instead of codes"),
        ({"customer": None}, "no column customer"),
        ({"kind": pa.array([None], pa.uint8())}, "null"),
        ({"kind": pa.array([300])}, "kind does not fit uint8"),
        ({"kind": pa.array([1], pa.timestamp("us"))}, "kind holds timestamp"),
        ({"received": pa.array([None], pa.int64())}, "received has 1 null values"),
        ({"customer": pa.array([2**40])}, "customer does not fit int32"),
    ],
)
def test_a_bad_file_is_refused(tmp_path: Path, changed: dict[str, Any], told: str) -> None:
    with pytest.raises(BadHistory, match=told):
        read_histories(write(tmp_path / "events.parquet", one_event(), **changed))


@pytest.mark.parametrize("late", [1, 6, 21])
def test_a_customer_out_of_order_is_refused(tmp_path: Path, late: int) -> None:
    events = some_events(50)
    events["received"][late] += 3_600_000_000
    with pytest.raises(BadHistory, match=rf"customer {late % 3} .* sort the file by `received`"):
        read_histories(write(tmp_path / "events.parquet", events))
