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
from features.parquet_histories import BadHistory, read_histories
from features.replay import histories
from tests.histories import START, histories_of

COLUMNS = [name for name in EVENT.names or () if name != "_reserved"]


def write(path: Path, events: NDArray[np.void], *, nulls: bool = False, **changed: Any) -> Path:
    """The events as a Parquet file of small row groups; with `nulls`, what is absent is null."""
    arrays = {}
    for name in COLUMNS:
        values = np.ascontiguousarray(events[name])
        absent = np.isnan(values) if values.dtype.kind == "f" else values == -1
        arrays[name] = pa.array(values, mask=absent if nulls and name != "customer" else None)
    arrays.update(changed)
    table = pa.table({name: array for name, array in arrays.items() if array is not None})
    pq.write_table(table, path, row_group_size=7)
    return path


@given(histories_of(customers=5), st.booleans(), st.integers(1, 3))
@settings(max_examples=40, deadline=None)
def test_equals_the_general_way(
    tmp_path_factory: pytest.TempPathFactory, events: NDArray[np.void], nulls: bool, threads: int
) -> None:
    path = write(tmp_path_factory.mktemp("log") / "events.parquet", events, nulls=nulls)
    found, expected = read_histories(path, threads=threads), histories([events])
    assert found.customers.tolist() == expected.customers.tolist()
    assert found.starts.tolist() == expected.starts.tolist()
    for name in COLUMNS:
        np.testing.assert_array_equal(found.events[name], expected.events[name])


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
    ],
)
def test_a_bad_file_is_refused(tmp_path: Path, changed: dict[str, Any], told: str) -> None:
    with pytest.raises(BadHistory, match=told):
        read_histories(write(tmp_path / "events.parquet", one_event(), **changed))


def test_a_customer_out_of_order_is_refused(tmp_path: Path) -> None:
    events = np.repeat(one_event(), 2)
    events["received"][0] += 5
    with pytest.raises(BadHistory, match="sort the file by `received`"):
        read_histories(write(tmp_path / "events.parquet", events))
