"""The synthetic shop is the same on every machine, and a log's events could look like it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from benchmarks.synthetic import END, ITEMS, START, columns_of, parquet_file, table_of
from features.events import DECISION, NO_CODE, PURCHASE, PURCHASED_ITEM, Kind


def test_the_same_seed_gives_the_same_events() -> None:
    first, second, other = columns_of(5_000, 50), columns_of(5_000, 50), columns_of(5_000, 50, seed=2)
    assert all(first[name].tobytes() == second[name].tobytes() for name in first)
    assert first["at"].tobytes() != other["at"].tobytes()


def test_events_stand_in_the_order_in_which_they_were_received() -> None:
    columns = columns_of(20_000, 200)
    assert all(len(values) == 20_000 for values in columns.values())
    assert (np.diff(columns["received"]) >= 0).all()
    assert (columns["at"] <= columns["received"]).all()
    assert columns["at"].min() >= START and columns["received"].max() <= END
    late = columns["received"] - columns["at"] > 3_600_000_000
    assert 0.005 < late.mean() < 0.05


def test_customers_have_codes_in_the_order_of_their_first_event() -> None:
    customers = columns_of(5_000, 50)["customer"]
    firsts = [int(np.flatnonzero(customers == code)[0]) for code in range(customers.max() + 1)]
    assert firsts == sorted(firsts)


def test_an_event_carries_what_its_kind_does() -> None:
    columns = columns_of(20_000, 200)
    kind = columns["kind"]
    assert set(np.unique(kind)) <= {int(each) for each in Kind}
    assert (columns["item"][kind == PURCHASED_ITEM] >= 0).all() and columns["item"].max() < ITEMS
    assert not np.isnan(columns["amount"][kind == PURCHASE]).any()
    assert (columns["category"][kind == DECISION] != NO_CODE).all()
    assert np.isnan(columns["amount"][kind == Kind.PAGE_VIEW]).all()


def test_the_file_is_written_once_and_holds_the_events(tmp_path: Path) -> None:
    path = parquet_file(3_000, 30, tmp_path)
    written = path.stat().st_mtime_ns
    assert parquet_file(3_000, 30, tmp_path) == path
    assert path.stat().st_mtime_ns == written
    held, columns = pq.read_table(path), columns_of(3_000, 30)
    order = np.argsort(columns["customer"], kind="stable")
    for name, values in table_of(columns).take(order).to_pydict().items():
        assert held[name].to_pylist() == values
